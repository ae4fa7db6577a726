import type { RefusalReason } from './refusal.js'

/** How a redrive stands. In a dry run `redriven` and `parked` are what would be. */
export interface RedriveProgress {
  readonly dryRun: boolean
  /** Letters looked at by this run. */
  readonly read: number
  /** Sent to their origin, and stored. */
  readonly redriven: number
  /** Sent to the parking topic, and stored. */
  readonly parked: number
  /** Passed over since `select` does not mean them. */
  readonly notSelected: number
  /** Meant, and not sent, by reason. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>
  /** Redriven, by the topic they went to. */
  readonly toTopics: Readonly<Record<string, number>>
  /** Redriven, by the reason in their headers; `none` where there is none. */
  readonly byReason: Readonly<Record<string, number>>
  /** Refused as `outside`, by the topic that their headers name; of more than 100 the rest is `other`. */
  readonly outside: Readonly<Record<string, number>>
  /** Sends whose answer was lost: sent again with the same id, so these may stand twice in their topic. */
  readonly inDoubt: number
  /** Offsets up to the end of the run that are not done yet. */
  readonly left: number
  /**
   * What letters wait for, or those that come there will, for example `a leader of orders-2`. `null`: nothing, or nobody
   * knows.
   */
  readonly waitsFor: string | null
  readonly elapsedMs: number
}

/** What a run has done. */
export interface RedriveSummary extends RedriveProgress {
  /** `done`: all that stood in the dead-letter topic at the beginning, but in `unseen` partitions. More may come. */
  readonly ended: 'done' | 'aborted' | 'failed'
  /** Offsets that former runs under the same `group` had done: these are not in `read`. */
  readonly passedBefore: number
  /** Offsets that the dead-letter topic had deleted before this redrive came to them. */
  readonly expired: number
  /** Partitions of the dead-letter topic without a leader when it began: left alone. The same call takes them up later. */
  readonly unseen: readonly number[]
}

/** What became of one letter. */
export type LetterEnd =
  | { readonly kind: 'not-selected' }
  | { readonly kind: 'redriven'; readonly topic: string; readonly reason: string | null }
  | { readonly kind: 'parked' }
  | { readonly kind: 'refused'; readonly why: RefusalReason; readonly topic: string | null }

const mostNames = 100

/** Counts of one run. */
export class Tally {
  readonly #refused = new Map<string, number>()
  readonly #toTopics = new Map<string, number>()
  readonly #byReason = new Map<string, number>()
  readonly #outside = new Map<string, number>()
  #redriven = 0
  #parked = 0
  #notSelected = 0
  #inDoubt = 0
  #read = 0

  get read(): number {
    return this.#read
  }

  add(end: LetterEnd): void {
    this.#read += 1
    switch (end.kind) {
      case 'not-selected':
        this.#notSelected += 1
        break
      case 'parked':
        this.#parked += 1
        break
      case 'redriven':
        this.#redriven += 1
        count(this.#toTopics, end.topic)
        count(this.#byReason, end.reason ?? 'none')
        break
      case 'refused':
        count(this.#refused, end.why)
        if (end.why === 'outside') count(this.#outside, end.topic ?? 'none')
        break
    }
  }

  sentInDoubt(): void {
    this.#inDoubt += 1
  }

  counts(): Omit<RedriveProgress, 'dryRun' | 'left' | 'waitsFor' | 'elapsedMs'> {
    return {
      read: this.#read,
      redriven: this.#redriven,
      parked: this.#parked,
      notSelected: this.#notSelected,
      refused: Object.fromEntries(this.#refused),
      toTopics: Object.fromEntries(this.#toTopics),
      byReason: Object.fromEntries(this.#byReason),
      outside: Object.fromEntries(this.#outside),
      inDoubt: this.#inDoubt,
    }
  }
}

/** Headers are data from outside: any number of names must not fill the memory. */
function count(counts: Map<string, number>, name: string): void {
  const known = counts.has(name) || counts.size < mostNames ? name : 'other'
  counts.set(known, (counts.get(known) ?? 0) + 1)
}
