import type { Message } from '../../message/message.js'
import { deferred } from '../../runtime/deferred.js'
import { onAbort } from '../../runtime/on-abort.js'
import { late, type Settlement } from '../partition/settlement.js'
import type { Delivery } from '../partition/delivery.js'
import type { Work } from '../partition/work.js'
import type { HandlerCall } from './handler-call.js'
import type { HandlerContext } from './handler.js'
import { OpenBatch, type ConfirmPartition } from './open-batch.js'

/** Somebody asks for a batch. */
interface Asking {
  readonly give: (batch: OpenBatch | null) => void
  readonly fail: (error: Error) => void
}

/** A loop that may be the one that calls. */
interface Caller {
  readonly isCalling: boolean
}

/**
 * Where the batches of a consumer go that has no handler: to whoever asks for one. A delivery begins only when somebody
 * asks, so the time of a batch counts from when it is given, and what nobody asked for has not begun.
 *
 * | somebody asks, and | then |
 * |--------------------|------|
 * | a batch waits      | it is given |
 * | none waits         | the next delivery begins when a partition has records |
 * | the consumer stops | there is none any more |
 * | the consumer fails | its error |
 */
export class BatchLoop {
  readonly #confirm: ConfirmPartition
  readonly #onAsked: () => void
  #asking: Asking[] = []
  /** Deliveries that have begun and whose batch is not given yet. */
  readonly #coming = new Set<Work>()
  readonly #offered: OpenBatch[] = []
  /** Deliveries that go again, and for which nobody has asked. */
  #held: (() => void)[] = []
  readonly #batches = new Map<Work, OpenBatch>()
  /** Loops that have been given something. */
  readonly #iterators = new Set<Caller>()
  #end: { readonly error: Error | null } | null = null

  /** @param onAsked a delivery may begin that might not before */
  constructor(confirm: ConfirmPartition, onAsked: () => void) {
    this.#confirm = confirm
    this.#onAsked = onAsked
  }

  /** Somebody asks for more than is on its way. */
  get isAsked(): boolean {
    return this.#asking.length > this.#coming.size + this.#offered.length
  }

  /** The next batch; `null` at the end. */
  async next(): Promise<OpenBatch | null> {
    const waiting = this.#offered.shift()
    if (waiting !== undefined) return waiting
    if (this.#end !== null) {
      if (this.#end.error !== null) throw this.#end.error
      return null
    }
    return new Promise((give, fail) => {
      this.#asking.push({ give, fail })
      this.#asked()
    })
  }

  gaveTo(iterator: Caller): void {
    this.#iterators.add(iterator)
  }

  /** Does the code that asks run inside the body of a loop? */
  get isCalling(): boolean {
    return [...this.#iterators].some(({ isCalling }) => isCalling)
  }

  /** Nothing new begins. */
  end(error: Error | null): void {
    this.#end ??= { error }
    const asking = this.#asking
    this.#asking = []
    for (const { give, fail } of asking) {
      if (error === null) give(null)
      else fail(error)
    }
  }

  /** What a handler of batches would do with one: hand it to the loop, which says when it is handled. */
  readonly offer = (messages: readonly Message[], context: HandlerContext): Promise<void> => {
    const call = context as HandlerCall
    const batch = new OpenBatch(messages, call, this.#confirm)
    this.#coming.delete(call.work)
    // Middleware that tries again makes another batch of it.
    this.#batches.get(call.work)?.ended(late)
    this.#batches.set(call.work, batch)
    const asking = this.#asking.shift()
    if (asking === undefined) this.#offered.push(batch)
    else asking.give(batch)
    return batch.whenHandled()
  }

  /** Deliveries whose handler is `offer`. The lanes begin none unasked; what goes again waits here, and no time of it runs. */
  around(inner: Delivery): Delivery {
    return {
      deliver: (work) => {
        if (work.failure !== null) return inner.deliver(work)
        return this.isAsked ? this.#begin(work, inner) : this.#whenAsked(work, inner)
      },
    }
  }

  /** An attempt to deliver has come to this end. */
  ended(work: Work, settlement: Settlement): void {
    this.#coming.delete(work)
    const batch = this.#batches.get(work)
    if (batch === undefined) return
    this.#batches.delete(work)
    const at = this.#offered.indexOf(batch)
    if (at !== -1) this.#offered.splice(at, 1)
    batch.ended(settlement)
  }

  async #whenAsked(work: Work, inner: Delivery): Promise<Settlement> {
    const { closing } = work.partition.lanes
    const { promise: asked, resolve: go } = deferred<void>()
    this.#held.push(go)
    if (!closing.aborted) {
      const stopListening = onAbort(closing, go)
      await asked
      stopListening()
    }
    if (!closing.aborted) return this.#begin(work, inner)
    this.#held = this.#held.filter((one) => one !== go)
    // Whoever asked is not for this one.
    this.#asked()
    return late
  }

  #begin(work: Work, inner: Delivery): Settlement | PromiseLike<Settlement> {
    this.#coming.add(work)
    return inner.deliver(work)
  }

  #asked(): void {
    if (!this.isAsked) return
    const held = this.#held.shift()
    if (held === undefined) this.#onAsked()
    else held()
  }
}
