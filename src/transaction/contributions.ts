import type { Joined } from '../consumer/handling/outputs.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { onAbort } from '../runtime/on-abort.js'
import type { HeldRecord } from './held-sends.js'
import type { Purpose } from './refusals.js'

/** Something that is to have its place in a transaction. */
export interface Joining {
  readonly partition: OwnedPartition
  /** Of the first record whose handling sent it. */
  readonly offset: number
  readonly held: readonly HeldRecord[]
  readonly bytes: number
  readonly purpose: Purpose
}

/** One for which no transaction is open. */
export interface Waiting {
  readonly what: Joining
  readonly end: (end: Joined) => void
}

/** What joined one transaction: of which partitions, what of it is not settled yet, and how its sends ended. */
export class Contributions {
  /** Offsets of first records that joined and are not settled, by partition. */
  readonly #unsettled = new Map<OwnedPartition, Set<number>>()
  readonly #partitions = new Set<OwnedPartition>()
  #sends = 0
  #bytes = 0
  #failure: Error | null = null
  #onSettled: (() => void)[] = []
  #onSent: (() => void)[] = []

  get isEmpty(): boolean {
    return this.#partitions.size === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Of the first send that failed. */
  get failure(): Error | null {
    return this.#failure
  }

  has(partition: OwnedPartition): boolean {
    return this.#partitions.has(partition)
  }

  partitions(): readonly OwnedPartition[] {
    return [...this.#partitions]
  }

  /** One that is not ours any more. */
  gone(): OwnedPartition | undefined {
    return this.partitions().find(({ isGone }) => isGone)
  }

  add(partition: OwnedPartition, offset: number, bytes: number): void {
    this.#partitions.add(partition)
    this.#bytes += bytes
    const offsets = this.#unsettled.get(partition)
    if (offsets === undefined) this.#unsettled.set(partition, new Set([offset]))
    else offsets.add(offset)
  }

  settled(partition: OwnedPartition, offset: number): void {
    const offsets = this.#unsettled.get(partition)
    if (offsets?.delete(offset) !== true || offsets.size > 0) return
    this.#unsettled.delete(partition)
    this.#tellSettled()
  }

  sent(sending: Promise<unknown>, onFailed: (error: Error) => void): void {
    this.#sends += 1
    sending.then(this.#ended, (error: Error) => {
      this.#failure ??= error
      onFailed(error)
      this.#ended()
    })
  }

  /** Made once: it is needed for each send. */
  readonly #ended = (): void => {
    this.#sends -= 1
    if (this.#sends === 0) for (const tell of this.#onSent.splice(0)) tell()
  }

  /** Resolves when what joined is settled, or its partition is gone. */
  whenSettled(): Promise<void> {
    const stops: (() => void)[] = []
    for (const partition of this.#unsettled.keys()) {
      if (partition.isGone) this.#unsettled.delete(partition)
      else stops.push(onAbort(partition.signal, () => this.#left(partition)))
    }
    if (this.#unsettled.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onSettled.push(() => {
        for (const stop of stops) stop()
        resolve()
      })
    })
  }

  /** Resolves when every send has ended, well or not. */
  whenSent(): Promise<void> {
    if (this.#sends === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onSent.push(resolve))
  }

  #left(partition: OwnedPartition): void {
    if (this.#unsettled.delete(partition)) this.#tellSettled()
  }

  #tellSettled(): void {
    if (this.#unsettled.size === 0) for (const tell of this.#onSettled.splice(0)) tell()
  }
}
