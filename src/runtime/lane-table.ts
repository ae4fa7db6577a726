/** What a lane is for its table, which sets all but the key. */
export interface InTable<Lane> {
  readonly key: Uint8Array | null
  hash: number
  nextInSlot: Lane | null
}

const leastSlots = 64

/** Of longer keys only so much of either end counts for the slot. */
const hashedBytes = 32

/**
 * Lanes by the bytes of their keys, linked in their slots. Lanes come and go with every record: a `Map` makes its table anew
 * each time, each of those keeps the next one from the collector once it is old, and it wants the key as text. Few lanes
 * are here at a time, so a slot that many keys were made to share stays short.
 */
export class LaneTable<Lane extends InTable<Lane>> {
  #slots: (Lane | null)[] = emptySlots(leastSlots)
  #size = 0

  get size(): number {
    return this.#size
  }

  find(key: Uint8Array): Lane | null {
    const hash = hashOf(key)
    let lane = this.#slots[hash & (this.#slots.length - 1)] as Lane | null
    while (lane !== null && !(lane.hash === hash && areEqual(lane.key as Uint8Array, key))) lane = lane.nextInSlot
    return lane
  }

  /** A lane whose key is not in here. */
  add(lane: Lane): void {
    if (this.#size >= this.#slots.length) this.#grow()
    lane.hash = hashOf(lane.key as Uint8Array)
    this.#put(lane)
    this.#size += 1
  }

  /** A lane that is in here. */
  delete(lane: Lane): void {
    const slot = lane.hash & (this.#slots.length - 1)
    const first = this.#slots[slot] as Lane
    if (first === lane) this.#slots[slot] = lane.nextInSlot
    else before(first, lane).nextInSlot = lane.nextInSlot
    lane.nextInSlot = null
    this.#size -= 1
    if (this.#size === 0 && this.#slots.length > leastSlots) this.#slots = emptySlots(leastSlots)
  }

  /** All of them leave; `each` is told. */
  clear(each: (lane: Lane) => void): void {
    for (const lane of this.#all()) {
      lane.nextInSlot = null
      each(lane)
    }
    this.#slots = emptySlots(leastSlots)
    this.#size = 0
  }

  #put(lane: Lane): void {
    const slot = lane.hash & (this.#slots.length - 1)
    lane.nextInSlot = this.#slots[slot] as Lane | null
    this.#slots[slot] = lane
  }

  #grow(): void {
    const lanes = this.#all()
    this.#slots = emptySlots(this.#slots.length * 4)
    for (const lane of lanes) this.#put(lane)
  }

  #all(): Lane[] {
    const lanes: Lane[] = []
    for (const first of this.#slots) for (let lane = first; lane !== null; lane = lane.nextInSlot) lanes.push(lane)
    return lanes
  }
}

/** One by one: V8 makes a dictionary of a large array that is asked for by its length. */
function emptySlots(count: number): null[] {
  const slots: null[] = []
  while (slots.length < count) slots.push(null)
  return slots
}

/** Of those in a slot, the one that stands right before. */
function before<Lane extends InTable<Lane>>(first: Lane, lane: Lane): Lane {
  let one = first
  while (one.nextInSlot !== lane) one = one.nextInSlot as Lane
  return one
}

/** FNV-1a. */
function hashOf(key: Uint8Array): number {
  const { length } = key
  let hash = 0x811c9dc5 ^ length
  const end = Math.min(length, hashedBytes)
  for (let at = 0; at < end; at++) hash = Math.imul(hash ^ (key[at] as number), 0x01000193)
  for (let at = Math.max(end, length - hashedBytes); at < length; at++)
    hash = Math.imul(hash ^ (key[at] as number), 0x01000193)
  return hash ^ (hash >>> 15)
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  const { length } = left
  if (length !== right.length) return false
  for (let at = 0; at < length; at++) if (left[at] !== right[at]) return false
  return true
}
