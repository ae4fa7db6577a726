import { ConfigError, TidemarkError } from '../../errors.js'
import { came } from '../../input/came.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { isFate, markFate } from './any-copy.js'

/**
 * Thrown by a handler: this record can never be handled, put it on the dead-letter topic now, without further attempts.
 * Without a dead-letter topic the partition stops at it.
 */
export class DeadLetter extends TidemarkError {
  override readonly name = 'DeadLetter'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is DeadLetter {
    return isFate(this, DeadLetter, value)
  }
  static {
    markFate(this, 'DeadLetter')
  }
  /** @param because for the header `td-error-message`; must not hold keys or values. */
  constructor(because: string, cause?: unknown) {
    super('dead-letter', because, { cause })
  }
}

/** Thrown by a handler: drop this record. It counts as done and is counted as discarded. */
export class Discard extends TidemarkError {
  override readonly name = 'Discard'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is Discard {
    return isFate(this, Discard, value)
  }
  static {
    markFate(this, 'Discard')
  }
  /** @param because for the log; must not hold keys or values. */
  constructor(because: string, cause?: unknown) {
    super('discard', because, { cause })
  }
}

/**
 * Thrown by a handler: what it depends on is down, so no record of this partition can be handled now. The partition pauses
 * at once and tries one delivery at a time, at rising distances up to 10 s, until one succeeds. No attempt is spent, and the
 * record never becomes a dead letter for it. Thrown by `reorder.onWatermark`, all partitions wait until that succeeds.
 *
 * @example
 * catch (error) { throw isConnectionLost(error) ? new Unavailable('the database is down', error) : error }
 */
export class Unavailable extends TidemarkError {
  override readonly name = 'Unavailable'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is Unavailable {
    return isFate(this, Unavailable, value)
  }
  static {
    markFate(this, 'Unavailable')
  }
  /** @param because for the log; must not hold keys or values. An error alone is taken for the cause. */
  constructor(because: string | Error, cause?: unknown) {
    const isText = typeof because === 'string'
    super('unavailable', isText ? because : 'what the handler depends on is not available', {
      cause: isText ? cause : because,
      retriable: true,
    })
  }
}

/** More is a moment that was taken for a time to wait. */
const mostLaterMs = 365 * 86_400_000

/**
 * Thrown by a handler: try this record again after so long. With `retryLater` it waits on a delay topic. Else, and where no
 * delay is left, it waits in its place, so the rest of its partition (or key) waits with it, without a place of `concurrency`. Neither `retry.retries` nor `retry.budgetMs` bounds it, but attempts that ask for less than 100 ms come up to 100 ms apart: look at
 * `context.attempt`, which counts on, and throw `DeadLetter` when it is enough.
 */
export class RetryLater extends TidemarkError {
  override readonly name = 'RetryLater'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is RetryLater {
    return isFate(this, RetryLater, value)
  }
  static {
    markFate(this, 'RetryLater')
  }
  /**
   * @param afterMs from now on, at most 365 days
   * @param because for the log; must not hold keys or values.
   * @throws ConfigError when it is no number of milliseconds from 0 on, or longer: a moment was given for a time to wait
   */
  constructor(
    readonly afterMs: number,
    because = 'the handler asked for another attempt later',
    cause?: unknown,
  ) {
    super('retry-later', because, { cause, retriable: true })
    if (Number.isFinite(afterMs) && afterMs >= 0 && afterMs <= mostLaterMs) return
    const fix = 'write how many milliseconds from now on, from 0 to 365 days; a moment is none'
    throw new ConfigError('RetryLater', [{ path: 'afterMs', message: came(afterMs), fix }])
  }
}

/** Attempts that follow each other faster keep a processor busy, or a topic, and change nothing. */
const leastLaterMs = 100

/** How long it waits: as asked for, but an attempt that is not the first of its like waits for a while in any case. */
export function laterMs({ afterMs }: RetryLater, attempt: number): number {
  return Math.ceil(Math.max(afterMs, Math.min(leastLaterMs, 2 ** Math.min(attempt - 1, 10) - 1)))
}

/**
 * The transaction of a handler cannot keep its marks, since somebody else keeps them, or is about to: its record is looked at
 * again after a while, and dropped if it was handled. No attempt is spent.
 */
export class MarkedMeanwhile extends TidemarkError {
  override readonly name = 'MarkedMeanwhile'
  constructor(cause: unknown) {
    const message =
      'another handler marks the same record as handled; its transaction decides, so this one is rolled back'
    super('marked-meanwhile', message, { cause, retriable: true })
  }
}

/**
 * Of the transaction of `sqlPositions`: another process took the partition since, or this one never did. Nothing of the
 * transaction is stored. The partition pauses, as for `Unavailable`: no attempt is spent, and no dead letter is written, until
 * it is taken away, or is assigned and taken anew.
 */
export class FencedWriter extends TidemarkError {
  override readonly name = 'FencedWriter'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is FencedWriter {
    return isFate(this, FencedWriter, value)
  }
  static {
    markFate(this, 'FencedWriter')
  }
  constructor(group: string, { topic, partition }: TopicPartition) {
    const message =
      `${group} may not write for ${topic}-${partition}: another process took the partition since, or this one has not taken ` +
      'it; nothing of the transaction was stored. Take partitions in onAssigned'
    super('fenced-writer', message, { topic, partition, retriable: true })
  }
}

/**
 * Thrown by `handleBatch`: what lies before this message is done, and this one failed. It and what follows are tried again
 * from here, as `retry` says of the one that failed; when that one is given up, what follows goes on without it.
 *
 * Of messages that are handled side by side some before it may still be under way: wait for all of them
 * (`Promise.allSettled`), then name the first that failed.
 *
 * @example
 * for (const [index, message] of messages.entries()) {
 *   try { await store(message) } catch (error) { throw new BatchFailure(index, error) }
 * }
 */
export class BatchFailure extends TidemarkError {
  override readonly name = 'BatchFailure'
  /** Also of one that another copy of the package made, in this process. */
  static override [Symbol.hasInstance](value: unknown): value is BatchFailure {
    return isFate(this, BatchFailure, value)
  }
  static {
    markFate(this, 'BatchFailure')
  }
  /** `null` where the message was given. */
  readonly index: number | null
  /**
   * @param at the index in the batch of the first message that is not done, or that message
   * @param cause why; `DeadLetter`, `Discard`, `Unavailable` and `RetryLater` decide here too
   * @throws ConfigError when it is neither an index from 0 nor a message
   */
  constructor(at: number | (TopicPartition & { readonly offset: number }), cause: unknown) {
    const isIndex = typeof at === 'number'
    const place = isIndex ? {} : { topic: at?.topic, partition: at?.partition, offset: at?.offset }
    super('batch-failure', 'a batch failed at one of its messages', { ...place, cause, retriable: true })
    this.index = isIndex ? at : null
    if (Number.isSafeInteger(isIndex ? at : at?.offset) && ((isIndex ? at : at?.offset) as number) >= 0) return
    const fix = 'write the index in the batch of the message that failed, from 0, or give that message'
    throw new ConfigError('BatchFailure', [{ path: 'at', message: came(at), fix }])
  }
}
