import { deferred } from '../runtime/deferred.js'
import type { OutboxContent, OutboxRow } from './outbox-store.js'
import { RelayRoom, type Room } from './relay-room.js'

/** How the sending of a row ended. `failed`: not stored, or nobody knows. */
export type RowEnd = 'stored' | 'held' | 'failed'

export interface RelayLanesParts {
  readonly now: () => number
  /** Never rejects. */
  readonly send: (row: OutboxRow, content: OutboxContent) => Promise<RowEnd>
  /** Kafka has it. */
  readonly onStored: (row: OutboxRow) => void
  /** How long a lane rests after so many failures in a row, ms. */
  readonly restMs: (failures: number) => number
}

interface Taken {
  readonly row: OutboxRow
  content: OutboxContent | 'on-its-way'
}

interface Lane {
  /** Taken and not being sent yet, in order; none goes before the one in front of it, whichever content comes first. */
  readonly waiting: Taken[]
  /** The highest row that it took; what follows it may be taken. */
  last: number | null
  failures: number
  restsUntil: number
  state: 'idle' | 'sending'
}

/**
 * Rows on their way, in order within each lane: a row is sent when the one before it is stored.
 *
 * | a row of a lane | taken |
 * |-----------------|-------|
 * | none before it is left in the table             | yes |
 * | the one before it is the last that was taken     | yes: it waits behind that one |
 * | any other is before it (held, resting, not seen) | no: when that one is gone |
 * | the lane rests after a failure                   | no: after that |
 *
 * When one fails, those that were taken behind it are let go and read again later, those too whose content is on its way.
 */
export class RelayLanes {
  readonly #parts: RelayLanesParts
  readonly #lanes = new Map<string, Lane>()
  /** From when they are taken until they are let go, or their end is on record. */
  readonly #inHand = new Map<number, Taken>()
  readonly #room = new RelayRoom()
  #sending = 0
  #change = deferred<void>()
  #state: 'open' | 'closed' = 'open'

  constructor(parts: RelayLanesParts) {
    this.#parts = parts
  }

  get inHand(): number {
    return this.#inHand.size
  }

  get bytes(): number {
    return this.#room.bytes
  }

  /** Lanes that are being sent. */
  get sending(): number {
    return this.#sending
  }

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    return this.#change.promise
  }

  mayTake(row: OutboxRow): boolean {
    if (this.#state === 'closed' || this.#inHand.has(row.number)) return false
    const lane = this.#lanes.get(nameOf(row))
    if (lane !== undefined && lane.restsUntil > this.#parts.now()) return false
    return row.previous === null || row.previous === lane?.last
  }

  roomFor(topic: string): Room {
    return this.#room.for(topic)
  }

  /** Did its last send fail, or does nothing of it end? */
  isFailing(topic: string): boolean {
    return this.#room.isFailing(topic)
  }

  /** Nothing of it ends. */
  standsStill(topic: string): void {
    this.#room.is(topic, 'failing')
  }

  /** From now on it counts; `start` sends it, or `letGo` forgets it. */
  take(row: OutboxRow): void {
    const name = nameOf(row)
    const lane = this.#lanes.get(name) ?? newLane()
    this.#lanes.set(name, lane)
    const taken: Taken = { row, content: 'on-its-way' }
    lane.last = row.number
    lane.waiting.push(taken)
    this.#inHand.set(row.number, taken)
    this.#room.add(row)
  }

  start(row: OutboxRow, content: OutboxContent): void {
    const taken = this.#inHand.get(row.number)
    if (taken === undefined) return // let go meanwhile: one before it was not sent
    taken.content = content
    const lane = this.#lanes.get(nameOf(row)) as Lane
    if (lane.state === 'idle') void this.#work(nameOf(row), lane) // never rejects
  }

  /** Its end is on record, or it is to be read again. */
  letGo(row: OutboxRow): void {
    const taken = this.#inHand.get(row.number)
    if (taken === undefined) return
    this.#inHand.delete(row.number)
    this.#room.remove(row)
    const name = nameOf(row)
    const lane = this.#lanes.get(name)
    if (lane !== undefined && taken.content === 'on-its-way') without(lane.waiting, taken)
    if (lane?.last === row.number) lane.last = null
    this.#forget(name, lane)
    this.#changed()
  }

  /** What waits is let go; what is being sent goes on. */
  close(): void {
    this.#state = 'closed'
    for (const lane of this.#lanes.values()) this.#drop(lane)
    this.#changed()
  }

  async #work(name: string, lane: Lane): Promise<void> {
    lane.state = 'sending'
    this.#sending += 1
    for (;;) {
      const [next] = lane.waiting
      if (next === undefined || next.content === 'on-its-way') break
      lane.waiting.shift()
      const { row, content } = next
      const end = await this.#parts.send(row, content)
      if (end !== 'held') this.#room.is(row.topic, end === 'stored' ? 'well' : 'failing')
      if (end === 'stored') {
        lane.failures = 0
        this.#parts.onStored(row)
        continue
      }
      this.#drop(lane)
      lane.last = null
      if (end === 'failed') {
        lane.failures += 1
        lane.restsUntil = this.#parts.now() + this.#parts.restMs(lane.failures)
      }
      this.letGo(row)
    }
    lane.state = 'idle'
    this.#sending -= 1
    this.#forget(name, lane)
    this.#changed()
  }

  #drop(lane: Lane): void {
    for (const { row } of lane.waiting.splice(0)) this.letGo(row)
  }

  #forget(name: string, lane: Lane | undefined): void {
    if (lane === undefined || lane.state === 'sending' || lane.waiting.length > 0) return
    if (lane.last === null && lane.failures === 0) this.#lanes.delete(name)
  }

  #changed(): void {
    const { resolve } = this.#change
    this.#change = deferred<void>()
    resolve()
  }
}

function newLane(): Lane {
  return { waiting: [], last: null, failures: 0, restsUntil: -Infinity, state: 'idle' }
}

function without<Item>(items: Item[], item: Item): void {
  const at = items.indexOf(item)
  if (at >= 0) items.splice(at, 1)
}

/** A row without a key is a lane of its own. */
function nameOf({ lane, number }: OutboxRow): string {
  return lane ?? `#${number}`
}
