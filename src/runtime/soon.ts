/** Hears of one thing, once. */
export interface Listener<Value> {
  came(value: Value): void
  failed(error: unknown): void
}

/**
 * What comes later, for the one who listens. It is told at once, where a promise waits for its turn and costs several
 * objects: that counts where it happens for every record. Awaited like a promise it is one.
 */
export class Soon<Value> implements PromiseLike<Value>, Listener<Value> {
  #listener: Listener<Value> | null = null
  /** Of what came before somebody listened: `await` listens a turn of the microtasks late. */
  #kept: ((listener: Listener<Value>) => void) | null = null

  /** By one only. */
  tell(listener: Listener<Value>): void {
    this.#listener = listener
    this.#kept?.(listener)
  }

  came(value: Value): void {
    if (this.#listener === null) this.#kept = (listener) => listener.came(value)
    else this.#listener.came(value)
  }

  failed(error: unknown): void {
    if (this.#listener === null) this.#kept = (listener) => listener.failed(error)
    else this.#listener.failed(error)
  }

  then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return new Promise<Value>((came, failed) => this.tell({ came, failed })).then(onFulfilled, onRejected)
  }
}

/** Tells the listener when `pending` comes: at once, where it can. */
export function tellWhenThere<Value>(pending: PromiseLike<Value>, listener: Listener<Value>): void {
  if (pending instanceof Soon) (pending as Soon<Value>).tell(listener)
  else {
    void pending.then(
      (value) => listener.came(value),
      (error: unknown) => listener.failed(error),
    )
  }
}
