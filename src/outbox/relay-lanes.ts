import { deferred } from '../runtime/deferred.js'
import type { OutboxContent, OutboxRow } from './outbox-store.js'

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

interface Lane {
  readonly waiting: (readonly [OutboxRow, OutboxContent])[]
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
 * When one fails, those that wait behind it are let go, and read again later.
 */
export class RelayLanes {
  readonly #parts: RelayLanesParts
  readonly #lanes = new Map<string, Lane>()
  /** From when they are taken until they are let go, or their end is on record. */
  readonly #inHand = new Map<number, OutboxRow>()
  #bytes = 0
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
    return this.#bytes
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

  /** From now on it counts; `start` sends it, or `letGo` forgets it. */
  take(row: OutboxRow): void {
    const name = nameOf(row)
    const lane = this.#lanes.get(name) ?? newLane()
    this.#lanes.set(name, lane)
    lane.last = row.number
    this.#inHand.set(row.number, row)
    this.#bytes += row.sizeBytes
  }

  start(row: OutboxRow, content: OutboxContent): void {
    const lane = this.#lanes.get(nameOf(row)) as Lane
    lane.waiting.push([row, content])
    if (lane.state === 'idle') void this.#work(nameOf(row), lane) // never rejects
  }

  /** Its end is on record, or it is to be read again. */
  letGo(row: OutboxRow): void {
    if (!this.#inHand.delete(row.number)) return
    this.#bytes -= row.sizeBytes
    const name = nameOf(row)
    const lane = this.#lanes.get(name)
    if (lane?.last === row.number) lane.last = null
    this.#forget(name, lane)
    this.#changed()
  }

  /** What waits is let go; what is being sent goes on. */
  close(): void {
    this.#state = 'closed'
    for (const lane of this.#lanes.values()) this.#drop(lane)
  }

  async #work(name: string, lane: Lane): Promise<void> {
    lane.state = 'sending'
    this.#sending += 1
    for (;;) {
      const next = lane.waiting.shift()
      if (next === undefined) break
      const [row, content] = next
      const end = await this.#parts.send(row, content)
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
    for (const [row] of lane.waiting.splice(0)) this.letGo(row)
  }

  #forget(name: string, lane: Lane | undefined): void {
    if (lane === undefined || lane.state === 'sending' || lane.last !== null || lane.failures > 0) return
    this.#lanes.delete(name)
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

/** A row without a key is a lane of its own. */
function nameOf({ lane, number }: OutboxRow): string {
  return lane ?? `#${number}`
}
