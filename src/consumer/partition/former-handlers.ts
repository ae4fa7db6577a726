import { partitionKey } from '../../message/topic-partition.js'
import type { Clock } from '../../runtime/clock.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { OwnedPartition } from './owned-partition.js'

/** An object of a partition of which nothing counts any more, with handlers that have not ended. */
interface Outlived {
  readonly ended: Promise<void>
  /** Absolute ms: it is waited for no longer. */
  readonly until: number
}

/**
 * Handlers that outlive their object of a partition: it was lost, was given up before they ended, or goes on elsewhere. They
 * were told to end. The lanes of the next object know nothing of them, so it begins nothing beside them:
 *
 * | of former objects    | the next one |
 * |----------------------|--------------|
 * | nothing runs         | begins at once |
 * | handlers run         | is fetched and begins nothing, until they have ended or have had their time since they were told |
 * | and it goes too      | has begun nothing; the one after it waits for them as it did |
 *
 * Nothing of this keeps a stop waiting: what is held back runs nothing, so it is drained at once.
 */
export class FormerHandlers {
  readonly #clock: Clock
  readonly #mostMs: number
  readonly #outlived = new Map<string, Set<Outlived>>()

  /** @param mostMs how long they are waited for */
  constructor(clock: Clock, mostMs: number) {
    this.#clock = clock
    this.#mostMs = mostMs
  }

  /** It has gone, so it begins nothing more. */
  left({ topic, partition, lanes }: OwnedPartition): void {
    if (lanes.running === 0) return
    const key = partitionKey(topic, partition)
    const all = this.#outlived.get(key) ?? new Set()
    this.#outlived.set(key, all)
    const ended = lanes.whenIdle().then(() => {
      all.delete(one)
      if (all.size === 0) this.#outlived.delete(key)
    })
    const one: Outlived = { ended, until: this.#clock.now() + this.#mostMs }
    all.add(one)
  }

  /** Before anything of it begins. */
  hold(fresh: OwnedPartition): void {
    const all = this.#outlived.get(partitionKey(fresh.topic, fresh.partition))
    if (all === undefined) return
    fresh.gate.close('former')
    void this.#whenOver([...all], fresh.signal).then(() => fresh.gate.lift('former')) // never rejects
  }

  async #whenOver(all: readonly Outlived[], signal: AbortSignal): Promise<void> {
    const deadline = Math.max(...all.map(({ until }) => until))
    const ended = Promise.all(all.map((one) => one.ended))
    const until = { clock: this.#clock, deadline, signal, onLate: () => undefined }
    await withinDeadline(ended, until).catch(() => undefined) // it has gone: nothing of it begins
  }
}
