import type { Threshold } from '../offsets/order-snapshot.js'
import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'

/** All records up to this time were let go before it. */
export interface Marker {
  through: number
  /** Somebody is to be told that it was reached, and was not. */
  isOpen: boolean
}

type Item<Value> = OrderedRecord<Value> | Marker

const compactAt = 1_024

/**
 * What may be handled, in the order in which it is to be: records in time, late ones at the place where they came, and behind
 * each release a marker. Knows up to where all is done.
 */
export class ReadyQueue<Value> {
  #items: Item<Value>[] = []
  /** Items before it are done. */
  #doneTo = 0
  /** Items before it were taken or passed. */
  #takenTo = 0
  #ready = 0
  #last: Item<Value> | null = null
  /** Of the last marker before what is next. */
  #through = -Infinity
  #epoch = 0
  readonly #stopsAtMarkers: boolean

  /** @param stopsAtMarkers what stands behind a marker waits until it was passed */
  constructor(stopsAtMarkers: boolean) {
    this.#stopsAtMarkers = stopsAtMarkers
  }

  /** How often the order began anew. */
  get epoch(): number {
    return this.#epoch
  }

  /** Records not taken yet. */
  get size(): number {
    return this.#ready
  }

  /** Something waits, or was taken and is not done. */
  get isBusy(): boolean {
    return this.#doneTo < this.#items.length
  }

  /** Up to where all is done in this epoch; `null` while nothing is. */
  get threshold(): Threshold | null {
    const last = this.#last
    if (last === null) return null
    if ('through' in last) return { timestamp: last.through, place: null }
    return { timestamp: last.timestamp, place: { ...last.partition.place, offset: last.offset } }
  }

  add(record: OrderedRecord<Value>): void {
    this.#items.push(record)
    this.#ready += 1
  }

  mark(through: number): void {
    const last = this.#items[this.#items.length - 1]
    // Nothing stands between them.
    if (last !== undefined && 'through' in last && this.#takenTo < this.#items.length) last.through = through
    else this.#items.push({ through, isOpen: this.#stopsAtMarkers })
    this.#pass()
  }

  /** The next record, or a marker that is to be passed before; `null` when nothing waits. */
  next(): Item<Value> | null {
    for (; this.#takenTo < this.#items.length; this.#takenTo += 1) {
      const item = this.#items[this.#takenTo] as Item<Value>
      if ('through' in item) {
        if (item.isOpen) return item
        this.#through = item.through
      } else if (item.state === 'waiting') return item
    }
    return null
  }

  /** Somebody was told that it was reached. */
  passed(marker: Marker): void {
    marker.isOpen = false
    this.#pass()
  }

  /** @param of only records of this partition, up to the first of another */
  take(most: number, of: PartitionOrder | null): OrderedRecord<Value>[] {
    const taken: OrderedRecord<Value>[] = []
    while (taken.length < most) {
      const item = this.next()
      if (item === null || 'through' in item || (of !== null && item.partition !== of)) break
      item.state = 'taken'
      item.epoch = this.#epoch
      // What is older was handed out before it.
      item.watermark = item.lateByMs === null ? Math.max(this.#through, item.timestamp - 1) : this.#through
      this.#ready -= 1
      this.#takenTo += 1
      taken.push(item)
    }
    return taken
  }

  done(record: OrderedRecord<Value>): void {
    record.state = 'done'
    this.#pass()
  }

  /** All records that were not taken, in order. */
  waiting(): OrderedRecord<Value>[] {
    return this.#items
      .slice(this.#takenTo)
      .filter((item): item is OrderedRecord<Value> => !('through' in item) && item.state === 'waiting')
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
    this.#through = -Infinity
  }

  #pass(): void {
    for (; this.#doneTo < this.#items.length; this.#doneTo += 1) {
      const item = this.#items[this.#doneTo] as Item<Value>
      if ('through' in item ? item.isOpen : item.state !== 'done') break
      // What came late stands outside of the order.
      if ('through' in item || isInOrder(item)) this.#last = item
    }
    if (this.#takenTo < this.#doneTo) this.next()
    if (this.#doneTo >= compactAt && this.#doneTo * 2 >= this.#items.length) this.#compact()
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
