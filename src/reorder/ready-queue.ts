import type { Threshold } from '../offsets/order-snapshot.js'
import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'
import { ReadyGroups } from './ready-groups.js'
import type { Item, Marker } from './ready-item.js'
import type { OrderScope } from './reorder-limits.js'

const compactAt = 1_024

/**
 * What may be handled, in the order in which it is to be: records in time, late ones at the place where they came, and behind
 * each release a marker. Knows up to where all is done.
 *
 * Ordered by partition, what becomes ready is gathered while what became ready before is handled; then it stands here, a
 * group for each partition, with one marker behind all of them.
 */
export class ReadyQueue<Value> {
  #items: Item<Value>[] = []
  /** Items before it are done. */
  #doneTo = 0
  /** Items before it were taken or passed. */
  #takenTo = 0
  #ready = 0
  #last: Item<Value> | null = null
  /** Ordered by partition: of each the last that is done behind `#last`, which is a marker then. */
  readonly #lastOf = new Map<PartitionOrder, Item<Value>>()
  /** `null`: one order over all. */
  readonly #groups: ReadyGroups<Value> | null
  /** Of the last marker before what is next. */
  #through = -Infinity
  #epoch = 0
  /** Of the last marker that stands here. */
  #marked = -Infinity
  readonly #stopsAtMarkers: boolean

  /** @param stopsAtMarkers what stands behind a marker waits until it was passed */
  constructor(stopsAtMarkers: boolean, order: OrderScope) {
    this.#stopsAtMarkers = stopsAtMarkers
    this.#groups = order === 'partition' ? new ReadyGroups() : null
  }

  /** How often the order began anew. */
  get epoch(): number {
    return this.#epoch
  }

  /** Records not taken yet. */
  get size(): number {
    return this.#ready
  }

  /** Up to where all of the partition is done in this epoch, or of all partitions; `null` while nothing is. */
  thresholdOf(partition: PartitionOrder): Threshold | null {
    const last = this.#lastOf.get(partition) ?? this.#last
    if (last === null) return null
    if ('through' in last) return { timestamp: last.through, place: null }
    return { timestamp: last.timestamp, place: { ...last.partition.place, offset: last.offset } }
  }

  add(record: OrderedRecord<Value>): void {
    if (this.#groups === null) this.#items.push(record)
    else this.#groups.add(record)
    this.#ready += 1
  }

  mark(through: number): void {
    if (this.#groups !== null) this.#groups.through = through
    if (this.#groups === null || this.#groups.first === null) this.#mark(through)
  }

  #mark(through: number): void {
    this.#marked = through
    const last = this.#items[this.#items.length - 1]
    // Nothing stands between them.
    if (last !== undefined && 'through' in last && last.of === null && this.#takenTo < this.#items.length)
      last.through = through
    else this.#items.push({ through, isOpen: this.#stopsAtMarkers, of: null })
    this.#pass()
  }

  /** The next record, or a marker that is to be passed before; `null` when nothing waits. */
  next(): Item<Value> | null {
    return this.#nextItem() ?? this.#groups?.first ?? null
  }

  #nextItem(): Item<Value> | null {
    for (; this.#takenTo < this.#items.length; this.#takenTo += 1) {
      const item = this.#items[this.#takenTo] as Item<Value>
      if ('through' in item) {
        if (item.isOpen) return item
        if (item.of === null) this.#through = item.through
      } else if (item.state === 'waiting') return item
    }
    return null
  }

  /** Somebody was told that it was reached `through` this time. Meanwhile it may have gone on, which is to be told yet. */
  passed(marker: Marker, through: number): void {
    marker.isOpen = marker.through > through
    this.#pass()
  }

  /** @param of only records of this partition, up to the first of another */
  take(most: number, of: PartitionOrder | null): OrderedRecord<Value>[] {
    const taken: OrderedRecord<Value>[] = []
    while (taken.length < most) {
      const item = this.#nextItem() ?? this.#nextGathered()
      if (item === null || 'through' in item || (of !== null && item.partition !== of)) break
      item.state = 'taken'
      item.epoch = this.#epoch
      // What is older was handed out before it; ordered by partition, of its partition alone.
      const isBehindAll = item.lateByMs === null && this.#groups === null
      item.watermark = isBehindAll ? Math.max(this.#through, item.timestamp - 1) : this.#through
      this.#ready -= 1
      this.#takenTo += 1
      taken.push(item)
    }
    return taken
  }

  /** Nothing waits but what was gathered: its groups stand here from now on. */
  #nextGathered(): Item<Value> | null {
    const groups = this.#groups
    if (groups === null || groups.first === null) return null
    for (const item of groups.take()) this.#items.push(item)
    if (groups.through > this.#marked) this.#mark(groups.through)
    return this.#nextItem()
  }

  done(record: OrderedRecord<Value>): void {
    record.state = 'done'
    this.#pass()
  }

  /** All records that were not taken, in order. */
  waiting(): OrderedRecord<Value>[] {
    const waiting = this.#items
      .slice(this.#takenTo)
      .filter((item): item is OrderedRecord<Value> => !('through' in item) && item.state === 'waiting')
    return this.#groups === null ? waiting : [...waiting, ...this.#groups.records()]
  }

  /** All records that were taken and are not done. */
  taken(): OrderedRecord<Value>[] {
    return this.#items.filter((item): item is OrderedRecord<Value> => !('through' in item) && item.state === 'taken')
  }

  /**
   * Forgets the order so far.
   *
   * @param taken of it what is not done yet, and will be: the new order has come to nowhere before that
   */
  restart(taken: readonly OrderedRecord<Value>[]): void {
    this.#epoch += 1
    this.#items = [...taken]
    for (const record of taken) record.isOfFormerEpoch = true
    this.#doneTo = 0
    this.#takenTo = taken.length
    this.#ready = 0
    this.#last = null
    this.#lastOf.clear()
    this.#groups?.clear()
    this.#marked = -Infinity
    this.#through = -Infinity
  }

  #pass(): void {
    for (; this.#doneTo < this.#items.length; this.#doneTo += 1) {
      const item = this.#items[this.#doneTo] as Item<Value>
      if ('through' in item ? item.isOpen : item.state !== 'done') break
      // What came late stands outside of the order.
      if ('through' in item || isInOrder(item)) this.#isThrough(item)
    }
    if (this.#takenTo < this.#doneTo) this.#nextItem()
    if (this.#doneTo >= compactAt && this.#doneTo * 2 >= this.#items.length) this.#compact()
  }

  #isThrough(item: Item<Value>): void {
    if (this.#groups === null) this.#last = item
    else if (!('through' in item)) this.#lastOf.set(item.partition, item)
    else if (item.of !== null) this.#lastOf.set(item.of, item)
    else {
      this.#last = item
      this.#lastOf.clear()
    }
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#doneTo)
    this.#takenTo -= this.#doneTo
    this.#doneTo = 0
  }
}

function isInOrder({ state, lateByMs, isOfFormerEpoch }: OrderedRecord<unknown>): boolean {
  return state === 'done' && lateByMs === null && !isOfFormerEpoch
}
