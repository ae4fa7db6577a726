import { optionProblem, wholeNumber, type Rules } from '../input/option-rules.js'
import { systemClock, type Clock } from '../runtime/clock.js'
import type { DedupeStore } from './dedupe-store.js'

/** How long and how much `memoryDedupe` remembers. */
export interface MemoryDedupeOptions {
  /** How long a mark is kept, ms. A repeat that comes later is handled. Default 10 minutes. */
  readonly keepMs?: number | undefined
  /** Most marks; beyond it the oldest goes, however young. About 150 bytes each. Default 100,000. */
  readonly maxMarks?: number | undefined
}

const rules: Rules<MemoryDedupeOptions> = { keepMs: wholeNumber(1), maxMarks: wholeNumber(1) }

/** Marks in the memory of this process. */
export interface MemoryDedupe extends DedupeStore {
  /** Marks that are kept now. */
  readonly size: number
}

/**
 * A window over what this process handled last. It drops what is sent twice, and what this process reads again after a
 * rebalance. It knows nothing of other processes and is empty after a restart: for effects that must not happen twice mark
 * in the database that has them (`sqlDedupe` of `tidemark/sql`).
 *
 * @throws ConfigError
 * @example
 * messaging.consumer({ group: 'mailer', topics: [orders], dedupe: memoryDedupe(), handle })
 */
export function memoryDedupe(options: MemoryDedupeOptions = {}): MemoryDedupe {
  return memoryDedupeBy(systemClock, options)
}

export function memoryDedupeBy(clock: Pick<Clock, 'now'>, options: MemoryDedupeOptions = {}): MemoryDedupe {
  const problem = optionProblem('memoryDedupe', options, rules)
  if (problem !== null) throw problem
  return new Marks(clock, options.keepMs ?? 600_000, options.maxMarks ?? 100_000)
}

class Marks implements MemoryDedupe {
  readonly isImmediate = true
  /** Until when each is kept, in the order in which they were made. */
  readonly #until = new Map<string, number>()
  readonly #clock: Pick<Clock, 'now'>
  readonly #keepMs: number
  readonly #most: number

  constructor(clock: Pick<Clock, 'now'>, keepMs: number, most: number) {
    this.#clock = clock
    this.#keepMs = keepMs
    this.#most = most
  }

  get size(): number {
    this.#drop()
    return this.#until.size
  }

  known(scope: string, identities: readonly string[]): ReadonlySet<string> {
    const now = this.#clock.now()
    let known: Set<string> | null = null
    for (const identity of identities) {
      const until = this.#until.get(nameOf(scope, identity))
      if (until !== undefined && until > now) (known ??= new Set()).add(identity)
    }
    return known ?? none
  }

  mark(scope: string, identities: readonly string[]): void {
    const until = this.#clock.now() + this.#keepMs
    for (const identity of identities) {
      const name = nameOf(scope, identity)
      const there = this.#until.get(name)
      if (there !== undefined && there > until - this.#keepMs) continue
      this.#until.delete(name)
      this.#until.set(name, until)
    }
    this.#drop()
  }

  /** All are kept for as long, so the oldest go first. */
  #drop(): void {
    const now = this.#clock.now()
    for (const [name, until] of this.#until) {
      if (until > now && this.#until.size <= this.#most) return
      this.#until.delete(name)
    }
  }
}

const none: ReadonlySet<string> = new Set()

function nameOf(scope: string, identity: string): string {
  return `${scope.length}:${scope}${identity}`
}
