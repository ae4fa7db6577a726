import { exponential, fullJitter, type Backoff } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import { split, type Settlement } from '../partition/settlement.js'
import { withAllRetries, type Trouble } from '../partition/trouble.js'
import { isProgrammingError } from './failure-class.js'
import { laterMs, RetryLater } from './fate.js'
import type { Failed, Rung } from './ladder.js'
import type { Outages } from './outages.js'

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
  readonly outages: Outages
  /** Whether what its handler wants to be tried again later is for a rung below. */
  readonly goesLater: (failed: Failed) => boolean
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

/** Between attempts that spend nothing. */
const freeBackoff: Backoff = exponential({ initialMs: 500, maxMs: 10_000 })

/** Long enough for others to show whether they succeed. */
const doubtBackoff: Backoff = exponential({ initialMs: 1_000, maxMs: 1_000 })

/** Its place in the line for a probe. */
const whenProbed = Object.freeze({ kind: 'again', afterMs: 0, isFree: true }) satisfies Settlement

/**
 * Tries again in place. While a delivery waits, its lane waits with it, and its place of `concurrency` is free; a revoke, a
 * stop or a seek ends the wait, and whoever reads the record next handles it.
 *
 * | what failed                     | then |
 * |---------------------------------|------|
 * | `fatal`                         | is not for this rung |
 * | `cancelled`                     | is tried again after a while, as often as it takes; spends nothing |
 * | `unavailable`, or `retryable` in an outage | waits for a probe; spends nothing (`outages.ts`); with `outage: false` what is `retryable` spends its retries there too |
 * | `RetryLater`                    | is not for this rung where a delay topic takes it, else is tried again after the time it names |
 * | `retryable`, retries are left   | is tried again after a time that is drawn; spends one |
 * | a batch before its last retry   | is taken apart: the last attempt of each of its records is alone |
 * | `retryable`, none is left       | is not for this rung, unless it may be an outage: then it is tried again; spends nothing |
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
    if (failed.error instanceof RetryLater) return this.#later(failed, failed.error)
    switch (failed.class) {
      case 'retryable':
        return this.#retry(failed)
      case 'unavailable':
        return this.#parts.outages.judgeUnavailable(failed) === 'outage' ? whenProbed : this.#wait(failed)
      case 'cancelled':
        return this.#wait(failed)
      case 'fatal':
        return 'not-mine'
    }
  }

  #retry(failed: Failed): Settlement | 'not-mine' {
    const { settings, runtime, outages } = this.#parts
    if (settings === false) return 'not-mine'
    if (outages.guesses && outages.isIn(failed.work.partition)) return this.#inOutage(failed)
    const trouble = troubleOf(failed)
    const now = runtime.clock.now()
    trouble.countsFrom ??= now
    trouble.aloneFrom ??= now
    const most = isProgrammingError(failed.error) ? Math.min(1, settings.retries) : settings.retries
    const isBatch = failed.work.count > 1
    const delayMs = Math.round(this.#backoff(trouble.retries + 1, runtime.random))
    const isInBudget = now + delayMs <= trouble.countsFrom + settings.budgetMs
    if (isInBudget && trouble.retries < (isBatch ? most - 1 : most)) {
      trouble.retries += 1
      return this.#again(failed, delayMs)
    }
    if (isBatch && most > 0) {
      trouble.retries += 1
      return split
    }
    return this.#usedUp(failed)
  }

  #usedUp(failed: Failed): Settlement | 'not-mine' {
    switch (this.#parts.outages.judge(failed)) {
      case 'to-blame':
        return 'not-mine'
      case 'doubted':
        return this.#freely(failed, doubtBackoff(1, this.#parts.runtime.random))
      case 'outage':
        return whenProbed
    }
  }

  #inOutage(failed: Failed): Settlement | 'not-mine' {
    const { outages } = this.#parts
    if (!outages.mayGiveUp(failed)) return whenProbed
    if (failed.work.count > 1) return split
    outages.givesUp(failed)
    return 'not-mine'
  }

  #later(failed: Failed, later: RetryLater): Settlement | 'not-mine' {
    return this.#parts.goesLater(failed) ? 'not-mine' : this.#again(failed, laterMs(later, failed.attempt))
  }

  #again(failed: Failed, afterMs: number): Settlement {
    this.#tell(failed, afterMs)
    return { kind: 'again', afterMs }
  }

  #wait(failed: Failed): Settlement {
    const trouble = failed.work.trouble as Trouble
    trouble.waits += 1
    return this.#freely(failed, freeBackoff(trouble.waits, this.#parts.runtime.random))
  }

  #freely(failed: Failed, waitMs: number): Settlement {
    const afterMs = Math.round(waitMs)
    this.#tell(failed, afterMs)
    return { kind: 'again', afterMs, isFree: true }
  }

  #tell({ work, attempt, error }: Failed, delayMs: number): void {
    const { topic, partition } = work.partition
    const { offset } = work.firstRecord
    tell(this.#parts.telemetry, { kind: 'handling-retried', topic, partition, offset, attempt, delayMs, error })
  }
}

/** What failed before an outage ended has all its retries again. */
function troubleOf({ work, failedBeforeAt }: Failed): Trouble {
  const trouble = work.trouble as Trouble
  if (failedBeforeAt === null || failedBeforeAt >= work.partition.outageEndedAt) return trouble
  withAllRetries(trouble)
  trouble.failedInOutageAt = failedBeforeAt
  return trouble
}
