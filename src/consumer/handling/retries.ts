import { exponential, fullJitter, type Backoff } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import { split, type Settlement } from '../partition/settlement.js'
import type { Trouble } from '../partition/trouble.js'
import { isProgrammingError } from './failure-class.js'
import { RetryLater } from './fate.js'
import type { Failed, Rung } from './ladder.js'

export interface RetrySettings {
  /** Attempts after the first. */
  readonly retries: number
  readonly backoff: { readonly initialMs: number; readonly maxMs: number }
  /** From the first failure to the start of the last attempt. */
  readonly budgetMs: number
}

export interface RetriesParts {
  /** `false`: what is retryable fails at its first attempt. */
  readonly settings: RetrySettings | false
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

/** Between attempts that spend nothing. */
const freeBackoff: Backoff = exponential({ initialMs: 500, maxMs: 10_000 })

/**
 * Tries again in place. While a delivery waits, its lane waits with it, and its place of `concurrency` is free; a revoke, a
 * stop or a seek ends the wait, and whoever reads the record next handles it.
 *
 * | what failed                     | then |
 * |---------------------------------|------|
 * | `fatal`                         | is not for this rung |
 * | `cancelled`, `unavailable`      | is tried again after a while, as often as it takes; spends nothing |
 * | `RetryLater`                    | is tried again after the time it names, as often as it is thrown |
 * | `retryable`, retries are left   | is tried again after a time that is drawn; spends one |
 * | a batch before its last retry   | is taken apart: the last attempt of each of its records is alone |
 * | `retryable`, none is left       | is not for this rung |
 *
 * A retry is left when fewer than `retries` are spent (of programming errors one), and it would begin within `budgetMs` of
 * the first failure.
 */
export function retryRung(parts: RetriesParts): Rung {
  const retries = new Retries(parts)
  return (failed) => retries.end(failed)
}

class Retries {
  readonly #parts: RetriesParts
  readonly #backoff: Backoff

  constructor(parts: RetriesParts) {
    this.#parts = parts
    this.#backoff = parts.settings === false ? freeBackoff : fullJitter(parts.settings.backoff)
  }

  end(failed: Failed): Settlement | 'not-mine' {
    if (failed.error instanceof RetryLater) return this.#again(failed, failed.error.afterMs)
    switch (failed.class) {
      case 'retryable':
        return this.#retry(failed)
      case 'unavailable':
      case 'cancelled':
        return this.#wait(failed)
      case 'fatal':
        return 'not-mine'
    }
  }

  #retry(failed: Failed): Settlement | 'not-mine' {
    const { settings, runtime } = this.#parts
    if (settings === false) return 'not-mine'
    const trouble = failed.work.trouble as Trouble
    const most = isProgrammingError(failed.error) ? Math.min(1, settings.retries) : settings.retries
    const isBatch = failed.work.count > 1
    const delayMs = Math.round(this.#backoff(trouble.retries + 1, runtime.random))
    const isInBudget = runtime.clock.now() + delayMs <= trouble.countsFrom + settings.budgetMs
    if (isInBudget && trouble.retries < (isBatch ? most - 1 : most)) {
      trouble.retries += 1
      return this.#again(failed, delayMs)
    }
    if (!isBatch || most === 0) return 'not-mine'
    trouble.retries += 1
    return split
  }

  #again(failed: Failed, afterMs: number): Settlement {
    this.#tell(failed, afterMs)
    return { kind: 'again', afterMs }
  }

  #wait(failed: Failed): Settlement {
    const trouble = failed.work.trouble as Trouble
    trouble.waits += 1
    const afterMs = Math.round(freeBackoff(trouble.waits, this.#parts.runtime.random))
    this.#tell(failed, afterMs)
    return { kind: 'again', afterMs, isFree: true }
  }

  #tell({ work, attempt, error }: Failed, delayMs: number): void {
    const { topic, partition } = work.partition
    const { offset } = work.firstRecord
    tell(this.#parts.telemetry, { kind: 'handling-retried', topic, partition, offset, attempt, delayMs, error })
  }
}
