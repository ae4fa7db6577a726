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

/** Offsets of one partition that joined and are not settled. Mostly one at a time, for which nothing is allocated. */
class OpenOffsets {
  #one = -1
  #others: Set<number> | null = null

  get isEmpty(): boolean {
    return this.#one < 0 && (this.#others === null || this.#others.size === 0)
  }

  add(offset: number): void {
    if (this.#one === offset || this.#others?.has(offset) === true) return
    if (this.#one < 0) this.#one = offset
    else (this.#others ??= new Set()).add(offset)
  }

  /** @returns whether it was one of them. */
  delete(offset: number): boolean {
    if (this.#one !== offset) return this.#others?.delete(offset) === true
    this.#one = -1
    return true
  }

  clear(): void {
    this.#one = -1
    this.#others = null
  }
}

/** What joined one transaction: of which partitions, what of it is not settled yet, and how its sends ended. */
export class Contributions {
  /** With the offsets of first records that joined and are not settled. */
  readonly #partitions = new Map<OwnedPartition, OpenOffsets>()
  /** Partitions that have some. */
  #unsettled = 0
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
    return [...this.#partitions.keys()]
  }

  /** One that is not ours any more. */
  gone(): OwnedPartition | undefined {
    return this.partitions().find(({ isGone }) => isGone)
  }

  add(partition: OwnedPartition, offset: number, bytes: number): void {
    this.#bytes += bytes
    let offsets = this.#partitions.get(partition)
    if (offsets === undefined) this.#partitions.set(partition, (offsets = new OpenOffsets()))
    if (offsets.isEmpty) this.#unsettled += 1
    offsets.add(offset)
  }

  settled(partition: OwnedPartition, offset: number): void {
    const offsets = this.#partitions.get(partition)
    if (offsets?.delete(offset) === true && offsets.isEmpty) this.#allSettledOfOne()
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
    for (const [partition, offsets] of this.#partitions) {
      if (partition.isGone) this.#left(offsets)
      else if (!offsets.isEmpty) stops.push(onAbort(partition.signal, () => this.#left(offsets)))
    }
    if (this.#unsettled === 0) return Promise.resolve()
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

  #left(offsets: OpenOffsets): void {
    if (offsets.isEmpty) return
    offsets.clear()
    this.#allSettledOfOne()
  }

  #allSettledOfOne(): void {
    this.#unsettled -= 1
    if (this.#unsettled === 0) for (const tell of this.#onSettled.splice(0)) tell()
  }
}
