import type { Stage } from '../consumer/intake/stage.js'
import type { Work } from '../consumer/partition/work.js'
import { tdHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import type { ReceivedRecord } from '../message/record.js'
import type { Clock } from '../runtime/clock.js'

interface Waiting {
  readonly work: Work
  /** By `clock.now()`. */
  readonly dueAt: number
  readonly key: string | null
}

/** Told of what passes. */
export interface DelayStageWatch {
  came(work: Work): void
  /** All that has come so far was taken up. */
  tookUp(): void
}

/**
 * Keeps records of a delay topic back until it is their time, earliest first; records of one key stay in the order of the
 * log: one that waits behind another is due no sooner. What it holds is bounded by the marks of the consumer.
 */
export class DelayStage implements Stage {
  readonly mostRecords = Infinity
  readonly #clock: Clock
  readonly #watch: DelayStageWatch | null
  /** By time, those of the same time as they came. */
  #waiting: Waiting[] = []
  /** When the last of a key that waits is due. */
  readonly #lastOfKey = new Map<string, number>()

  constructor(clock: Clock, watch: DelayStageWatch | null) {
    this.#clock = clock
    this.#watch = watch
  }

  push(work: Work): void {
    this.#watch?.came(work)
    const key = work.firstRecord.key?.toString('latin1') ?? null
    const before = key === null ? -Infinity : (this.#lastOfKey.get(key) ?? -Infinity)
    const dueAt = Math.max(before, dueTime(work.firstRecord, this.#clock))
    if (key !== null) this.#lastOfKey.set(key, dueAt)
    let index = this.#waiting.length
    while (index > 0 && (this.#waiting[index - 1] as Waiting).dueAt > dueAt) index -= 1
    this.#waiting.splice(index, 0, { work, dueAt, key })
  }

  ready(now: number): readonly Work[] {
    this.#watch?.tookUp()
    let count = 0
    while (count < this.#waiting.length && (this.#waiting[count] as Waiting).dueAt <= now) count += 1
    if (count === 0) return []
    const due = this.#waiting.splice(0, count)
    for (const { key, dueAt } of due) {
      if (key !== null && this.#lastOfKey.get(key) === dueAt) this.#lastOfKey.delete(key)
    }
    return due.map(({ work }) => work)
  }

  nextAt(): number | null {
    return this.#waiting[0]?.dueAt ?? null
  }

  drop(): void {
    this.#waiting = []
    this.#lastOfKey.clear()
  }
}

/**
 * The clocks of two machines differ: a record never waits longer, from when it is met, than whoever wrote it meant it to.
 * One that does not say when it may be tried is due.
 */
function dueTime({ headers, timestamp }: ReceivedRecord, clock: Clock): number {
  const notBefore = Date.parse(headerText(headers, tdHeader.notBefore) ?? '')
  const now = clock.now()
  if (Number.isNaN(notBefore)) return now
  return now + Math.max(0, Math.min(notBefore - clock.wallTime(), notBefore - timestamp))
}
