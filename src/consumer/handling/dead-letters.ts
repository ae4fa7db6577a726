import { DecodeError, TimeoutError } from '../../errors.js'
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
import { FloodBreaker } from './flood-breaker.js'
import { keepElsewhere } from './keep-elsewhere.js'
import type { Failed, Rung } from './ladder.js'

export interface DeadLettersParts {
  readonly group: string | null
  readonly route: DeadLetterRoute
  readonly policy: DeadLetterPolicy
  /** Where the records of a partition of a delay topic come from; `undefined` for all others. */
  readonly sourceOf: (partition: OwnedPartition) => OwnedPartition | undefined
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

/** Puts on the dead-letter topic what came so far; of a batch the records that fail alone. */
export function deadLetterRung(parts: DeadLettersParts): Rung {
  const breakers = new WeakMap<OwnedPartition, FloodBreaker>()
  return (failed) => {
    if (failed.work.count > 1) return split
    const tooMany = flood(breakers, parts, failed.work.partition)
    return tooMany === null ? deadLetter(parts, failed) : { kind: 'stopped', by: flooded(failed, tooMany) }
  }
}

/**
 * What is too much, in words; counted anew when the partition is taken, sought or started again. To a delay topic come
 * failures alone, so its letters are counted against what was handled of their source.
 */
function flood(breakers: WeakMap<OwnedPartition, FloodBreaker>, parts: DeadLettersParts, partition: OwnedPartition) {
  const limits = parts.policy.breaker
  if (limits === null) return null
  const source = parts.sourceOf(partition)
  let breaker = breakers.get(partition)
  if (breaker === undefined) {
    breaker = new FloodBreaker(source === undefined ? limits : { ...limits, consecutive: Infinity })
    breakers.set(partition, breaker)
  }
  return breaker.letter(partition.handled + (source?.handled ?? 0))
}

async function deadLetter({ route, policy, runtime, telemetry, group }: DeadLettersParts, failed: Failed) {
  const { work } = failed
  const { partition } = work
  const record = failedRecord(group, failed)
  const { topic, partition: number, reason, attempt } = record
  const place = { topic, partition: number, offset: record.record.offset }
  partition.lettersUnderWay += 1
  const end = await keepElsewhere<LetterForm>({
    work,
    reason: 'dead-letter',
    write: async (signal) => (await route(record, signal)) ?? 'whole',
    refusal: refusalOf,
    onDelayed: (writes, delayMs, error) => {
      partition.deadLetterFailures += 1
      telemetry.metrics.count('tidemark_consumer_dead_letter_failures_total', { topic })
      tell(telemetry, { kind: 'dead-letter-delayed', ...place, attempt: writes, delayMs, error })
    },
    runtime,
  }).finally(() => {
    partition.lettersUnderWay -= 1
    partition.deadLetterFailures = 0
  })
  if (end.kind === 'late') return late
  if (end.kind === 'refused') return { kind: 'stopped', by: end.by as DeadLetterError } satisfies Settlement
  const because = errorText(failed.error)
  tell(telemetry, { kind: 'dead-lettered', ...place, reason, because, attempt, form: end.value })
  if (policy.afterwards === 'continue') return deadLettered
  return { kind: 'moved', to: 'dead-letter', thenStop: stoppedBehind(record) } satisfies Settlement
}

function refusalOf(error: unknown): 'final' | 'forbidden' | null {
  if (!(error instanceof DeadLetterError)) return null
  return error.code === 'not-authorized' ? 'forbidden' : 'final'
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
  const { partition: owned, firstRecord: record } = work
  const { topic, partition } = owned
  const reason = reasonOf(failed)
  return { topic, partition, record, owned, group, reason, error, attempt, firstFailedAt, lastFailedAt }
}

function reasonOf({ error, class: failureClass }: Failed): DeadLetterReason {
  if (error instanceof DecodeError) return error.code === 'invalid' ? 'invalid' : 'undecodable'
  if (failureClass === 'fatal') return 'rejected'
  if (error instanceof TimeoutError && error.code === 'handler-timeout') return 'timeout'
  return 'exhausted'
}
