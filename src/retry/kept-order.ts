import { RetryLater } from '../consumer/handling/fate.js'
import type { Failed, Rung } from '../consumer/handling/ladder.js'
import type { DelayTopicsParts, DelayTopicsRun } from '../consumer/options/delay-topics.js'
import type { Delivery } from '../consumer/partition/delivery.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { discarded, type Settlement } from '../consumer/partition/settlement.js'
import { withAllRetries } from '../consumer/partition/trouble.js'
import type { Work } from '../consumer/partition/work.js'
import { tdHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import { partitionKey } from '../message/topic-partition.js'
import { onAbort } from '../runtime/on-abort.js'
import { tell } from '../telemetry/tell.js'
import type { DelayPlace } from './delay-levels.js'
import { DelayStage } from './delay-stage.js'
import { Ends } from './ends.js'
import { KeyOrder, type ComingBack } from './key-order.js'
import { targetOf, writeDelayed, type Target } from './put-off.js'
import type { RetryLaterSettings } from './settings.js'

/** Long enough that two are never the same. */
const writerLength = 16

/** Its place of `concurrency` was given back; where the key stands is asked again. */
const askedAgain = Object.freeze({ kind: 'again', afterMs: 0, isFree: true }) satisfies Settlement

/** What a partition is of. */
interface Standing {
  readonly place: DelayPlace
  readonly order: KeyOrder
}

/** Records of one key stay in order: what follows one that is put off goes behind it (`key-order.ts` has the tables). */
export class KeptOrder implements DelayTopicsRun {
  readonly #settings: RetryLaterSettings
  readonly #parts: DelayTopicsParts
  readonly #ends: Ends
  readonly #standings = new WeakMap<OwnedPartition, Standing>()
  /** By the partition of the source. */
  readonly #orders = new Map<string, KeyOrder>()
  readonly #hadItsDelay = new WeakSet<Work>()
  #written = 0

  constructor(settings: RetryLaterSettings, parts: DelayTopicsParts) {
    this.#settings = settings
    this.#parts = parts
    this.#ends = new Ends(settings.endsOf, parts.runtime)
  }

  readonly rung: Rung = (failed) => {
    if (failed.class === 'fatal') return 'not-mine'
    const target = targetOf(this.#settings.levels, failed, true)
    if (target === null) return this.#inItsPlace(failed) ?? 'not-mine'
    return this.#putOff(failed.work, target, failed).then((end) => (end === 'too-large' ? 'not-mine' : end))
  }

  takes(failed: Failed): boolean {
    return targetOf(this.#settings.levels, failed, true) !== null
  }

  stage(partition: OwnedPartition): DelayStage | null {
    const place = this.#place(partition)
    const { index } = place
    if (index < 0) return null
    return new DelayStage(this.#parts.runtime.clock, {
      came: (work) => this.#orderOf(place, partition).came(index, work, keyOf(work), retryId(work)),
      tookUp: () => this.#orderOf(place, partition).tookUp(),
    })
  }

  sourceOf({ topic, partition }: OwnedPartition): OwnedPartition | undefined {
    const { source, index } = this.#settings.levels.of(topic)
    return index < 0 ? undefined : this.#parts.partition(source.name, partition)
  }

  around(delivery: Delivery): Delivery {
    return { deliver: (work) => this.#deliver(work, delivery) }
  }

  taken(partition: OwnedPartition): void {
    const place = this.#place(partition)
    const known = this.#orderOf(place, partition)
    const order = known.isOver ? this.#newOrder(place) : known
    this.#orders.set(partitionKey(place.source.name, partition.partition), order)
    this.#standings.set(partition, { place, order })
    if (place.index < 0) {
      order.sourceTaken(partition)
      return
    }
    order.levelTaken(place.index, partition)
    this.#ends.ask(partition, (end) => this.#fence(order, place.index, partition, end))
  }

  ended(work: Work, end: Settlement): void {
    const { place, order } = this.#standing(work.partition)
    if (place.index < 0 || !freesItsKey(end)) return
    const key = keyOf(work)
    if (key === null) return
    this.#confirm(order, order.done(place.index, work.partition, key))
  }

  #deliver(work: Work, delivery: Delivery): Settlement | PromiseLike<Settlement> {
    const { place, order } = this.#standing(work.partition)
    if (!order.knows(place.index)) return this.#wait(work, order.whenMoreIsKnown())
    if (place.index >= 0 && order.isVoid(place.index, work)) return discarded
    if (order.isEmpty) return delivery.deliver(work)
    const key = keyOf(work)
    const stands = key === null ? null : order.behind(place.index, key)
    // What cannot be decoded is never handled: it need not wait.
    if (key === null || stands === null || work.failure !== null) return delivery.deliver(work)
    if (stands.state === 'coming-back') return this.#wait(work, order.whenMoved(stands.index, key))
    const level = place.levels[stands.index]
    if (level === undefined) return delivery.deliver(work)
    return this.#putOff(work, { level, waitMs: 0 }, null) as Promise<Settlement>
  }

  /**
   * What only waited so far, and fails at the last delay, has had none of its own. Nothing stands behind it to which it
   * could go past those that follow it, so it waits where it stands: once, and only where but its key waits with it.
   */
  #inItsPlace({ work, attempt, error }: Failed): Settlement | null {
    const { topic, partition } = work.partition
    const { levels, index } = this.#settings.levels.of(topic)
    const level = levels[index]
    const isFollower = level !== undefined && !hasFailedBefore(work)
    if (!isFollower || error instanceof RetryLater || this.#settings.lanes !== 'key') return null
    if (this.#hadItsDelay.has(work)) return null
    this.#hadItsDelay.add(work)
    if (work.trouble !== null) withAllRetries(work.trouble)
    const { offset } = work.firstRecord
    const { delayMs } = level
    tell(this.#parts.telemetry, { kind: 'handling-retried', topic, partition, offset, attempt, delayMs, error })
    return { kind: 'again', afterMs: delayMs }
  }

  /** @returns `too-large` only of what failed */
  async #putOff(work: Work, target: Target, failed: Failed | null): Promise<Settlement | 'too-large'> {
    const { index } = target.level
    const { order } = this.#standing(work.partition)
    const [key, id] = [keyOf(work), this.#newId(order)]
    order.writes(index, key, id)
    const end = await writeDelayed({ ...this.#settings, ...this.#parts }, work, target, failed, id)
    const isWritten = end !== 'too-large' && end.kind === 'moved'
    if (!isWritten) this.#confirm(order, order.givesUp(index, key, id))
    return end
  }

  /** Without a place, in its lane. */
  async #wait({ partition: { lanes }, inLane }: Work, moved: Promise<void>): Promise<Settlement> {
    lanes.giveBack(inLane)
    if (lanes.closing.aborted) return askedAgain
    await new Promise<void>((resolve) => {
      const leave = onAbort(lanes.closing, resolve)
      void moved.then(() => {
        leave()
        resolve()
      })
    })
    return askedAgain
  }

  /** Until then the next owner would handle it again, after what follows it. */
  #confirm(order: KeyOrder, back: ComingBack | null): void {
    if (back === null) return
    // Never rejects. Not confirmed: the partition was given up, and so is what is known of it.
    void this.#parts.ledger.confirmed(back.partition).then((isConfirmed) => {
      if (isConfirmed) order.confirmed(back)
    })
  }

  /** On record before anything is handled, else the next owner would not know whose records count. */
  #fence(order: KeyOrder, index: number, partition: OwnedPartition, end: number): void {
    if (!order.fence(index, partition, end)) return
    // Never rejects.
    void this.#parts.ledger.confirmed(partition).then((isConfirmed) => {
      if (isConfirmed) order.endKnown(index, partition, end)
    })
  }

  #standing(partition: OwnedPartition): Standing {
    const known = this.#standings.get(partition)
    if (known !== undefined) return known
    const place = this.#place(partition)
    const standing = { place, order: this.#orderOf(place, partition) }
    this.#standings.set(partition, standing)
    return standing
  }

  #place({ topic }: OwnedPartition): DelayPlace {
    return this.#settings.levels.of(topic)
  }

  #orderOf(place: DelayPlace, { partition }: OwnedPartition): KeyOrder {
    const name = partitionKey(place.source.name, partition)
    let order = this.#orders.get(name)
    if (order === undefined) this.#orders.set(name, (order = this.#newOrder(place)))
    return order
  }

  #newOrder({ levels }: DelayPlace): KeyOrder {
    return new KeyOrder(levels.length, this.#parts.runtime.random.uuid().replaceAll('-', '').slice(0, writerLength))
  }

  #newId({ writer }: KeyOrder): string {
    this.#written += 1
    return `${writer}.${this.#written}`
  }
}

/** Behind a letter that stops its partition the key waits there for the restart, what comes of it anew too. */
function freesItsKey(end: Settlement): boolean {
  if (end.kind === 'moved') return end.thenStop === undefined
  return end.kind === 'handled' || end.kind === 'duplicate' || end.kind === 'discarded'
}

function keyOf({ firstRecord }: Work): string | null {
  return firstRecord.key?.toString('latin1') ?? null
}

/** Before it was written where it is read. */
function hasFailedBefore({ firstRecord }: Work): boolean {
  return headerText(firstRecord.headers, tdHeader.attempt) !== undefined
}

function retryId({ firstRecord }: Work): string | undefined {
  return headerText(firstRecord.headers, tdHeader.retryId)
}
