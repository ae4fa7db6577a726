import type { Threshold } from './order-key.js'
import type { OrderedRecord } from './ordered-record.js'

/** All records up to this time were let go before it. */
interface Marker {
  readonly through: number
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
  /** Items before it were taken, passed or dropped. */
  #takenTo = 0
  #ready = 0
  #last: Item<Value> | null = null

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
    this.#items.push({ through })
    this.#pass()
  }

  take(most: number): OrderedRecord<Value>[] {
    const taken: OrderedRecord<Value>[] = []
    for (; taken.length < most && this.#takenTo < this.#items.length; this.#takenTo += 1) {
      const item = this.#items[this.#takenTo] as Item<Value>
      if ('through' in item || item.state !== 'waiting') continue
      item.state = 'taken'
      this.#ready -= 1
      taken.push(item)
    }
    return taken
  }

  done(record: OrderedRecord<Value>): void {
    record.state = 'done'
    this.#pass()
  }

  /** Its partition was given up. */
  drop(record: OrderedRecord<Value>): void {
    if (record.state === 'waiting') this.#ready -= 1
    record.state = 'dropped'
    this.#pass()
  }

  /** All records that were not taken, in order. */
  waiting(): OrderedRecord<Value>[] {
    return this.#items
      .slice(this.#takenTo)
      .filter((item): item is OrderedRecord<Value> => !('through' in item) && item.state === 'waiting')
  }

  /** Forgets the order so far. What was taken may still be told done, which then moves nothing. */
  restart(): void {
    this.#items = []
    this.#doneTo = 0
    this.#takenTo = 0
    this.#ready = 0
    this.#last = null
  }

  #pass(): void {
    for (; this.#doneTo < this.#items.length; this.#doneTo += 1) {
      const item = this.#items[this.#doneTo] as Item<Value>
      if (!('through' in item) && item.state !== 'done' && item.state !== 'dropped') break
      // What was dropped or came late stands outside of the order.
      if ('through' in item || (item.state === 'done' && item.lateByMs === null)) this.#last = item
    }
    if (this.#takenTo < this.#doneTo) this.#takenTo = this.#doneTo
    if (this.#doneTo >= compactAt && this.#doneTo * 2 >= this.#items.length) this.#compact()
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#doneTo)
    this.#takenTo -= this.#doneTo
    this.#doneTo = 0
  }
}
