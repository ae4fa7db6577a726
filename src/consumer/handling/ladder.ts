import { HandlerError } from '../../errors.js'
import type { Runtime } from '../../runtime/runtime.js'
import { isError } from '../../runtime/thrown.js'
import { late, type Settlement } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import type { Classifier, FailureClass } from './failure-class.js'

/** A delivery whose attempt failed. */
export interface Failed {
  readonly work: Work
  /** Attempts so far, this one and those of consumers before included. */
  readonly attempt: number
  /** Of the first failed attempt of this consumer, ms since the Unix epoch. */
  readonly firstFailedAt: number
  readonly lastFailedAt: number
  readonly error: unknown
  readonly class: FailureClass
  /** When the attempt before failed, by `clock.now()`; `null` when this was the first to fail. */
  readonly failedBeforeAt: number | null
}

/** One step of the ladder: decides what becomes of a failed delivery, or leaves it to the next. Must not throw or reject. */
export type Rung = (failed: Failed) => RungEnd | Promise<RungEnd>

type RungEnd = Settlement | 'not-mine'

/** What is known about the attempt that failed. */
export interface FailedAttempt {
  readonly attempt: number
}

/**
 * What becomes of a delivery that failed. Each rung costs more than the one above it, so the first that takes it decides:
 *
 * | rung        | takes                              | costs |
 * |-------------|------------------------------------|-------|
 * | discard     | what the handler said to drop      | nothing |
 * | retry       | what may succeed at another time   | an attempt, and time in its lane |
 * | retry later | the rest, while there are delays   | its order among its neighbours, or that of its key's time |
 * | dead letter | the rest, where there is a topic   | its order among its neighbours |
 * | stop        | everything                         | its partition, until somebody looks |
 */
export class Ladder {
  readonly #rungs: readonly Rung[]
  readonly #classifier: Classifier
  readonly #runtime: Runtime

  /** @param rungs the last one takes everything */
  constructor(rungs: readonly Rung[], classifier: Classifier, runtime: Runtime) {
    this.#rungs = rungs
    this.#classifier = classifier
    this.#runtime = runtime
  }

  /** Never throws or rejects: a rung that does stops the partition. */
  end(work: Work, { attempt }: FailedAttempt, thrown: unknown): Settlement | Promise<Settlement> {
    if (work.partition.isGone) return late
    const { clock } = this.#runtime
    const [now, lastFailedAt] = [clock.now(), clock.wallTime()]
    const failedBeforeAt = work.trouble?.lastAt ?? null
    work.trouble ??= {
      firstFailedAt: lastFailedAt,
      lastAt: now,
      countsFrom: null,
      retries: 0,
      waits: 0,
      failedInOutageAt: null,
      aloneFrom: null,
      isDoubted: false,
    }
    work.trouble.lastAt = now
    const error = legible(thrown)
    work.partition.lastFailure = error
    const failed: Failed = {
      work,
      attempt,
      firstFailedAt: work.trouble.firstFailedAt,
      lastFailedAt,
      error,
      class: this.#classifier.classOf(error),
      failedBeforeAt,
    }
    return this.#from(0, failed)
  }

  #from(first: number, failed: Failed): Settlement | Promise<Settlement> {
    try {
      for (const [index, rung] of this.#rungs.entries()) {
        if (index < first) continue
        const end = rung(failed)
        if (end instanceof Promise) {
          return end.then((one) => (one === 'not-mine' ? this.#from(index + 1, failed) : one)).catch(broken)
        }
        if (end !== 'not-mine') return end
      }
    } catch (error) {
      return broken(error)
    }
    return broken(undefined)
  }
}

function broken(cause: unknown): Settlement {
  const message = 'a rung of the ladder threw, or none took a failed delivery; please report it'
  return { kind: 'stopped', by: new HandlerError('internal-defect', message, { cause }) }
}

/** A proxy may refuse to say what it is; nothing below could ask it then. */
export function legible(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null || isError(thrown)) return thrown
  try {
    Object.getPrototypeOf(thrown)
    return thrown
  } catch {
    return new HandlerError('unreadable-error', 'the handler threw something that does not say what it is')
  }
}
