import { DecodeError, TimeoutError } from '../../errors.js'
import { exponential, type Backoff } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import { thrownName } from '../../runtime/thrown.js'
import { errorText } from '../../telemetry/error-text.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { deadLettered, late, split, type Settlement } from '../partition/settlement.js'
import {
  DeadLetterError,
  type DeadLetterPolicy,
  type DeadLetterReason,
  type DeadLetterRoute,
  type FailedRecord,
  type LetterForm,
} from './failed-record.js'
import { FloodBreaker, type BreakerLimits } from './flood-breaker.js'
import type { Failed, Rung } from './ladder.js'

export interface DeadLettersParts {
  readonly group: string | null
  readonly route: DeadLetterRoute
  readonly policy: DeadLetterPolicy
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

const routeBackoff: Backoff = exponential({ initialMs: 100, maxMs: 10_000 })

/** A permission is often replaced in two steps: for so long its lack is waited out. */
const permissionWaitMs = 30_000

/** Puts on the dead-letter topic what came so far; of a batch the records that fail alone. */
export function deadLetterRung(parts: DeadLettersParts): Rung {
  const breakers = new WeakMap<OwnedPartition, FloodBreaker>()
  return (failed) => {
    if (failed.work.count > 1) return split
    const tooMany = flood(breakers, parts.policy.breaker, failed.work.partition)
    return tooMany === null ? deadLetter(parts, failed) : { kind: 'stopped', by: flooded(failed, tooMany) }
  }
}

/** What is too much, in words; counted anew when the partition is taken, sought or started again. */
function flood(
  breakers: WeakMap<OwnedPartition, FloodBreaker>,
  limits: BreakerLimits | null,
  partition: OwnedPartition,
): string | null {
  if (limits === null) return null
  let breaker = breakers.get(partition)
  if (breaker === undefined) breakers.set(partition, (breaker = new FloodBreaker(limits)))
  return breaker.letter(partition.handled)
}

/**
 * | the write        | the record                                  | its partition |
 * |------------------|---------------------------------------------|---------------|
 * | is under way     | waits for it, without a place               | goes on |
 * | failed           | waits, and the write is tried again         | starts nothing new |
 * | was acknowledged | is done                                     | goes on |
 * | can never be     | has failed                                  | stops at it |
 *
 * So a topic that is slow holds up no other partition, and no other key of the same one. A partition that is given up does not wait for a write that has failed before: whoever gets it handles the record again.
 */
async function deadLetter(parts: DeadLettersParts, failed: Failed): Promise<Settlement> {
  const { work } = failed
  const { partition } = work
  const record = failedRecord(parts.group, failed)
  partition.lanes.giveBack(work.inLane)
  partition.lettersUnderWay += 1
  const end = await written(parts, record, partition).finally(() => (partition.lettersUnderWay -= 1))
  if (!('form' in end)) return end
  const { topic, partition: number, reason, attempt } = record
  const { offset } = record.record
  const because = errorText(failed.error)
  const place = { topic, partition: number, offset }
  tell(parts.telemetry, { kind: 'dead-lettered', ...place, reason, because, attempt, form: end.form })
  if (parts.policy.afterwards === 'continue') return deadLettered
  return { kind: 'moved', to: 'dead-letter', thenStop: stoppedBehind(record) }
}

async function written(
  parts: DeadLettersParts,
  record: FailedRecord,
  partition: OwnedPartition,
): Promise<Written | Settlement> {
  const first = await tryRoute(parts.route, record, partition.signal)
  if (partition.isGone) return late
  return 'form' in first ? first : untilWritten(parts, record, partition, first.error)
}

async function untilWritten(
  { route, runtime, telemetry }: DeadLettersParts,
  record: FailedRecord,
  partition: OwnedPartition,
  firstError: unknown,
): Promise<Written | Settlement> {
  const { clock, random } = runtime
  const closed = whenClosed(partition)
  let error = firstError
  let refusedSince: number | null = null
  partition.gate.close('dead-letter')
  try {
    for (let attempt = 1; ; attempt++) {
      refusedSince = isRefused(error) ? (refusedSince ?? clock.now()) : null
      const isWaitedFor = refusedSince !== null && clock.now() < refusedSince + permissionWaitMs
      if (error instanceof DeadLetterError && !isWaitedFor) return { kind: 'stopped', by: error }
      partition.deadLetterFailures += 1
      const delayMs = Math.round(routeBackoff(attempt, random))
      const { topic, partition: number } = record
      const { offset } = record.record
      tell(telemetry, { kind: 'dead-letter-delayed', topic, partition: number, offset, attempt, delayMs, error })
      await clock.sleep(delayMs, partition.lanes.closing).catch(() => undefined) // closed: looked at below
      if (partition.lanes.closing.aborted) return late
      const end = await Promise.race([tryRoute(route, record, partition.signal), closed])
      if (end === 'closed' || partition.isGone) return late
      if ('form' in end) return end
      error = end.error
    }
  } finally {
    partition.gate.lift('dead-letter')
    partition.deadLetterFailures = 0
  }
}

function whenClosed({ lanes: { closing } }: OwnedPartition): Promise<'closed'> {
  return new Promise((resolve) => {
    if (closing.aborted) resolve('closed')
    else closing.addEventListener('abort', () => resolve('closed'), { once: true })
  })
}

function isRefused(error: unknown): boolean {
  return error instanceof DeadLetterError && error.code === 'not-authorized'
}

/** The letter is acknowledged. */
interface Written {
  readonly form: LetterForm
}

async function tryRoute(
  route: DeadLetterRoute,
  failed: FailedRecord,
  signal: AbortSignal,
): Promise<Written | { readonly error: unknown }> {
  try {
    return { form: (await route(failed, signal)) ?? 'whole' }
  } catch (error) {
    return { error }
  }
}

function flooded({ work, error }: Failed, tooMany: string): DeadLetterError {
  const { topic, partition } = work.partition
  const { offset } = work.firstRecord
  return new DeadLetterError(
    'flood',
    `offset ${offset} of ${topic}-${partition} failed (${thrownName(error)}) and would be one dead letter too many: ` +
      `${tooMany} failed; its partition stops here, since so many tell of a reader or a writer that is broken; mend ` +
      'that and restart the partition, or set deadLetter.breaker',
    { topic, partition, offset, cause: error, failure: error },
  )
}

function stoppedBehind({ topic, partition, record: { offset }, error }: FailedRecord): DeadLetterError {
  return new DeadLetterError(
    'stopped-behind',
    `offset ${offset} of ${topic}-${partition} failed (${thrownName(error)}) and is on the dead-letter topic; its partition ` +
      "stops behind it, as deadLetter.afterwards is 'stop'; look at the letter, then restart the partition",
    { topic, partition, offset, cause: error, failure: error },
  )
}

function failedRecord(group: string | null, failed: Failed): FailedRecord {
  const { work, error, attempt, firstFailedAt, lastFailedAt } = failed
  const { topic, partition } = work.partition
  const reason = reasonOf(failed)
  return { topic, partition, record: work.firstRecord, group, reason, error, attempt, firstFailedAt, lastFailedAt }
}

function reasonOf({ error, class: failureClass }: Failed): DeadLetterReason {
  if (error instanceof DecodeError) return error.code === 'invalid' ? 'invalid' : 'undecodable'
  if (failureClass === 'fatal') return 'rejected'
  if (error instanceof TimeoutError && error.code === 'handler-timeout') return 'timeout'
  return 'exhausted'
}
