import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'
import type { Item } from './ready-item.js'

/** What has become ready and waits for what became so before, in a group for each partition. */
export class ReadyGroups<Value> {
  /** All up to this time is here, or went before. */
  through = -Infinity
  readonly #groups = new Map<PartitionOrder, Item<Value>[]>()

  /** The next record; whoever came first keeps its place, however long it waits. */
  get first(): OrderedRecord<Value> | null {
    for (const group of this.#groups.values()) return group.find(isRecord) ?? null
    return null
  }

  add(record: OrderedRecord<Value>): void {
    const { partition } = record
    let group = this.#groups.get(partition)
    if (group === undefined) this.#groups.set(partition, (group = []))
    // What comes behind its time is done when all before it is: that is known by the time that was reached.
    if (record.lateByMs !== null) group.push({ through: this.through, isOpen: false, of: partition })
    group.push(record)
  }

  records(): OrderedRecord<Value>[] {
    return [...this.#groups.values()].flat().filter(isRecord)
  }

  /** Nothing is left. */
  take(): Item<Value>[] {
    const items = [...this.#groups.values()].flat()
    this.#groups.clear()
    return items
  }

  /** Another order begins. */
  clear(): void {
    this.#groups.clear()
    this.through = -Infinity
  }
}

function isRecord<Value>(item: Item<Value>): item is OrderedRecord<Value> {
  return !('through' in item)
}
