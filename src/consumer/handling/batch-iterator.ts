import { callerOf, isCalledFrom } from '../../runtime/callers.js'
import type { Batch } from './batch.js'
import type { BatchLoop } from './batch-loop.js'
import type { OpenBatch } from './open-batch.js'

export interface BatchIteratorParts {
  /** Of the consumer as it runs; throws when it was not started. */
  readonly loop: () => BatchLoop | null
  /** The loop was left by `break`, `return` or `throw`: the consumer drains and stops. */
  readonly onLeft: () => Promise<void>
}

/** One `for await` over the batches of a consumer. Several at a time share them. */
export class BatchIterator implements AsyncIterableIterator<Batch, undefined> {
  readonly #parts: BatchIteratorParts
  readonly #taken = new Set<OpenBatch>()
  /** `in-body`: it has given a batch, and was not asked for the next one. */
  #state: 'asking' | 'in-body' | 'left' = 'asking'
  /** The function that the loop is part of. */
  #asker: string | null = null

  constructor(parts: BatchIteratorParts) {
    this.#parts = parts
  }

  async next(): Promise<IteratorResult<Batch, undefined>> {
    const asker = callerOf(this.next)
    const loop = this.#parts.loop()
    if (loop === null || this.#state === 'left') return over
    this.#state = 'asking'
    this.#lookAtTaken()
    const batch = await loop.next()
    if (batch === null) return over
    if (this.#isLeft()) {
      batch.leave()
      return over
    }
    this.#asker = asker
    this.#state = 'in-body'
    this.#taken.add(batch)
    loop.gaveTo(this)
    return { done: false, value: batch }
  }

  /** Does the code that asks run inside the body of this loop? */
  get isCalling(): boolean {
    return this.#state === 'in-body' && this.#asker !== null && isCalledFrom(this.#asker)
  }

  async return(): Promise<IteratorResult<Batch, undefined>> {
    this.#state = 'left'
    const stopped = this.#parts.onLeft()
    for (const batch of this.#taken) batch.leave()
    this.#taken.clear()
    await stopped
    return over
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** May have changed while it waited. */
  #isLeft(): boolean {
    return this.#state === 'left'
  }

  /** Whoever asks for the next batch works for none that counts no more. */
  #lookAtTaken(): void {
    for (const batch of this.#taken) {
      batch.letGo()
      if (!batch.isOpen) this.#taken.delete(batch)
    }
  }
}

const over = Object.freeze({ done: true, value: undefined }) satisfies IteratorResult<Batch, undefined>
