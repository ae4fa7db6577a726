import { DecodeError, HandlerError, TimeoutError } from '../../errors.js'
import type { Backoff } from '../../runtime/backoff.js'
import { exponential } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Logger } from '../../telemetry/logger.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Settlement, Work } from '../partition/work.js'
import { DeadLetterError, type DeadLetterReason, type DeadLetterRoute, type FailedRecord } from './failed-record.js'
import { DeadLetter, Discard } from './fate.js'

export interface FailuresOptions {
  readonly group: string | null
  readonly deadLetter: DeadLetterRoute | null
  readonly runtime: Runtime
  readonly logger: Logger
}

/** What is known about the attempt that failed. */
export interface FailedAttempt {
  readonly attempt: number
  readonly firstFailedAt: number | null
}

const routeBackoff: Backoff = exponential({ initialMs: 100, maxMs: 10_000 })

/** Decides what becomes of a delivery that failed: the dead-letter topic, oblivion where asked for, or the partition stops. */
export class Failures {
  readonly #options: FailuresOptions

  constructor(options: FailuresOptions) {
    this.#options = options
  }

  end(work: Work, attempt: FailedAttempt, error: unknown): Settlement | Promise<Settlement> {
    if (work.partition.isGone) return 'late'
    const many = work.count > 1
    if (error instanceof Discard) return many ? 'split' : this.#discard(work, error)
    if (this.#options.deadLetter === null) {
      return many && error instanceof DeadLetter ? 'split' : { stoppedBy: stopError(work, error) }
    }
    return many ? 'split' : this.#deadLetter(this.#options.deadLetter, work, this.#failedRecord(work, attempt, error))
  }

  #discard({ partition, firstRecord }: Work, error: Discard): Settlement {
    const place = { topic: partition.topic, partition: partition.partition, offset: firstRecord.offset }
    this.#options.logger.info({ ...place, because: error.message }, 'record discarded by its handler')
    return 'discarded'
  }

  /** Until it is acknowledged, the record is in flight and its partition starts nothing new once a write has failed. */
  async #deadLetter(route: DeadLetterRoute, { partition }: Work, failed: FailedRecord): Promise<Settlement> {
    let holding = false
    try {
      for (let attempt = 1; ; attempt++) {
        const error = await tryRoute(route, failed, partition.signal)
        if (partition.isGone) return 'late'
        if (error === null) {
          partition.deadLetterFailures = 0
          return 'dead-lettered'
        }
        if (error instanceof DeadLetterError) return { stoppedBy: error }
        if (!holding) partition.gate.close('dead-letter')
        holding = true
        partition.deadLetterFailures += 1
        await this.#beforeNextTry(partition, failed, attempt, error)
        if (partition.isGone) return 'late'
      }
    } finally {
      if (holding) partition.gate.lift('dead-letter')
    }
  }

  async #beforeNextTry(partition: OwnedPartition, failed: FailedRecord, attempt: number, error: unknown) {
    const { runtime, logger } = this.#options
    const delayMs = routeBackoff(attempt, runtime.random)
    logger.warn(
      { topic: failed.topic, partition: failed.partition, offset: failed.record.offset, attempt, delayMs, error },
      'dead letter not stored; its partition waits and the write is tried again',
    )
    await runtime.clock.sleep(delayMs, partition.signal).catch(() => undefined)
  }

  #failedRecord(work: Work, { attempt, firstFailedAt }: FailedAttempt, error: unknown): FailedRecord {
    const now = this.#options.runtime.clock.wallTime()
    return {
      topic: work.partition.topic,
      partition: work.partition.partition,
      record: work.firstRecord,
      group: this.#options.group,
      reason: reasonOf(error),
      error,
      attempt,
      firstFailedAt: firstFailedAt ?? now,
      lastFailedAt: now,
    }
  }
}

/** `null` when acknowledged, else what went wrong. */
async function tryRoute(route: DeadLetterRoute, failed: FailedRecord, signal: AbortSignal): Promise<unknown> {
  try {
    await route(failed, signal)
    return null
  } catch (error) {
    return error ?? new Error('the dead-letter route rejected without a reason')
  }
}

function reasonOf(error: unknown): DeadLetterReason {
  if (error instanceof DecodeError) return error.code === 'invalid' ? 'invalid' : 'undecodable'
  if (error instanceof DeadLetter) return 'rejected'
  if (error instanceof TimeoutError && error.code === 'handler-timeout') return 'timeout'
  return 'exhausted'
}

function isUnseenSend(cause: unknown): boolean {
  return cause instanceof HandlerError && cause.code === 'send-failed'
}

function stopError({ partition, firstRecord, count }: Work, cause: unknown): Error {
  if (cause instanceof DecodeError) return cause
  const { topic, partition: number } = partition
  const { offset } = firstRecord
  const name = cause instanceof Error ? cause.name : typeof cause
  const how = isUnseenSend(cause) ? 'a send of the handler failed unseen' : `the handler threw ${name}`
  const what = count > 1 ? `a batch of ${count} records from offset ${offset}` : `offset ${offset}`
  return new HandlerError(
    'handler-failed',
    `${how} at ${topic}-${number}, ${what}, and there is no dead-letter topic, so the partition ` +
      'stops here; mend the handler, set deadLetter, or throw Discard to drop a record',
    { topic, partition: number, offset, cause },
  )
}
