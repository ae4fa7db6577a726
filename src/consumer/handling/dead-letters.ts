import { DecodeError, TimeoutError } from '../../errors.js'
import { exponential, type Backoff } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { deadLettered, late, split, type Settlement } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import { DeadLetterError, type DeadLetterReason, type DeadLetterRoute, type FailedRecord } from './failed-record.js'
import { DeadLetter } from './fate.js'
import type { Failed, Rung } from './ladder.js'

export interface DeadLettersParts {
  readonly group: string | null
  readonly route: DeadLetterRoute
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

const routeBackoff: Backoff = exponential({ initialMs: 100, maxMs: 10_000 })

/** A permission is often replaced in two steps: for so long its lack is waited out. */
const permissionWaitMs = 30_000

/** Puts on the dead-letter topic what came so far; of a batch the records that fail alone. */
export function deadLetterRung(parts: DeadLettersParts): Rung {
  return (failed) => (failed.work.count > 1 ? split : deadLetter(parts, failed))
}

/**
 * | the write        | the record                                  | its partition |
 * |------------------|---------------------------------------------|---------------|
 * | is under way     | runs, in its place of `concurrency`         | goes on |
 * | failed           | waits and is tried again, without a place   | starts nothing new |
 * | was acknowledged | is done                                     | goes on |
 * | can never be     | has failed                                  | stops at it |
 *
 * A partition that is given up does not wait for a write that has failed before: whoever gets it handles the record again.
 */
async function deadLetter(parts: DeadLettersParts, failed: Failed): Promise<Settlement> {
  const { work } = failed
  const { partition } = work
  const record = failedRecord(parts.group, failed)
  const first = await tryRoute(parts.route, record, partition.signal)
  if (partition.isGone) return late
  const end = first === null ? deadLettered : await untilWritten(parts, work, record, first)
  if (end !== deadLettered) return end
  partition.deadLetterFailures = 0
  const { topic, partition: number, reason, attempt } = record
  const { offset } = record.record
  tell(parts.telemetry, { kind: 'dead-lettered', topic, partition: number, offset, reason, attempt })
  return end
}

async function untilWritten(
  { route, runtime, telemetry }: DeadLettersParts,
  work: Work,
  record: FailedRecord,
  firstError: unknown,
): Promise<Settlement> {
  const { partition } = work
  const { clock, random } = runtime
  const waitsUntil = clock.now() + permissionWaitMs
  const closed = whenClosed(partition)
  let error = firstError
  partition.gate.close('dead-letter')
  partition.lanes.giveBack(work.inLane)
  try {
    for (let attempt = 1; ; attempt++) {
      if (isFinal(error, clock.now() >= waitsUntil)) return { kind: 'stopped', by: error }
      partition.deadLetterFailures += 1
      const delayMs = routeBackoff(attempt, random)
      const { topic, partition: number } = record
      const { offset } = record.record
      tell(telemetry, { kind: 'dead-letter-delayed', topic, partition: number, offset, attempt, delayMs, error })
      await clock.sleep(delayMs, partition.lanes.closing).catch(() => undefined) // closed: looked at below
      if (partition.lanes.closing.aborted) return late
      const end = await Promise.race([tryRoute(route, record, partition.signal), closed])
      if (end === 'closed' || partition.isGone) return late
      if (end === null) return deadLettered
      error = end
    }
  } finally {
    partition.gate.lift('dead-letter')
    if (partition.lanes.closing.aborted) partition.deadLetterFailures = 0
  }
}

function whenClosed({ lanes: { closing } }: OwnedPartition): Promise<'closed'> {
  return new Promise((resolve) => {
    if (closing.aborted) resolve('closed')
    else closing.addEventListener('abort', () => resolve('closed'), { once: true })
  })
}

function isFinal(error: unknown, isLongEnough: boolean): error is DeadLetterError {
  return error instanceof DeadLetterError && (error.code !== 'not-authorized' || isLongEnough)
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

function failedRecord(group: string | null, failed: Failed): FailedRecord {
  const { work, error, attempt, firstFailedAt, lastFailedAt } = failed
  const { topic, partition } = work.partition
  const reason = reasonOf(error)
  return { topic, partition, record: work.firstRecord, group, reason, error, attempt, firstFailedAt, lastFailedAt }
}

function reasonOf(error: unknown): DeadLetterReason {
  if (error instanceof DecodeError) return error.code === 'invalid' ? 'invalid' : 'undecodable'
  if (error instanceof DeadLetter) return 'rejected'
  if (error instanceof TimeoutError && error.code === 'handler-timeout') return 'timeout'
  return 'exhausted'
}
