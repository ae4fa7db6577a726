import type { Clock } from '../runtime/clock.js'
import type { Backoff } from '../runtime/backoff.js'
import { deferred } from '../runtime/deferred.js'
import { pause } from '../runtime/pause.js'
import type { Random } from '../runtime/random.js'
import type { OutboxRow, OutboxStore } from './outbox-store.js'
import { inTime } from './store-call.js'

export interface SentMarksParts {
  readonly store: Pick<OutboxStore, 'sent'>
  readonly clock: Clock
  readonly random: Random
  readonly backoff: Backoff
  /** One call of the store. */
  readonly timeoutMs: number
  /** That they are stored is on record. */
  readonly onRecord: (rows: readonly OutboxRow[]) => void
  readonly onUnreachable: (error: unknown) => void
}

/** Most rows of one call. */
const atOnce = 500
/** What is stored within it shares one, and one transaction. */
const gatherMs = 5

/**
 * Puts on record which rows are stored, many at a time, as often as it takes. A process that dies before it is on record
 * leaves rows that the next relay sends again, with their ids.
 */
export class SentMarks {
  readonly #parts: SentMarksParts
  #rows: OutboxRow[] = []
  #state: 'idle' | 'working' | 'given-up' = 'idle'
  #idle = deferred<void>()

  constructor(parts: SentMarksParts) {
    this.#parts = parts
  }

  add(row: OutboxRow): void {
    if (this.#state === 'given-up') return
    this.#rows.push(row)
    if (this.#state === 'idle') void this.#work() // never rejects
  }

  /** Resolves when all is on record, or it was given up. */
  whenIdle(): Promise<void> {
    return this.#state === 'working' ? this.#idle.promise : Promise.resolve()
  }

  giveUp(): void {
    this.#state = 'given-up'
    this.#idle.resolve()
  }

  async #work(): Promise<void> {
    this.#state = 'working'
    const { clock, random, backoff, onRecord, onUnreachable } = this.#parts
    let failures = 0
    await pause(clock, gatherMs)
    while (this.#rows.length > 0 && !this.#isGivenUp()) {
      const rows = this.#rows.slice(0, atOnce)
      try {
        await this.#put(rows)
        this.#rows.splice(0, rows.length)
        failures = 0
        onRecord(rows)
      } catch (error) {
        failures += 1
        onUnreachable(error)
        await pause(clock, backoff(failures, random))
      }
    }
    if (this.#isGivenUp()) return
    this.#state = 'idle'
    this.#idle.resolve()
    this.#idle = deferred<void>()
  }

  #put(rows: readonly OutboxRow[]): Promise<void> {
    const { store, clock, timeoutMs } = this.#parts
    return inTime(store.sent(rows.map(({ number }) => number)), clock, timeoutMs)
  }

  /** May change while it waits. */
  #isGivenUp(): boolean {
    return this.#state === 'given-up'
  }
}
