import { laterMs, RetryLater } from '../consumer/handling/fate.js'
import { keepElsewhere } from '../consumer/handling/keep-elsewhere.js'
import type { Failed } from '../consumer/handling/ladder.js'
import { late, putOff, type Settlement } from '../consumer/partition/settlement.js'
import type { Work } from '../consumer/partition/work.js'
import { HandlerError, type TidemarkError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { refusalOf } from '../producer/refusal.js'
import type { Runtime } from '../runtime/runtime.js'
import { thrownName } from '../runtime/thrown.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import type { DelayLevel, DelayLevels } from './delay-levels.js'
import { delayedRecord, type Failure } from './delayed-record.js'

/**
 * Stores a record with acks=all and idempotence whatever the profile; resolves when it is acknowledged. Or makes it part of
 * the transaction that `work` is done in.
 */
export type PublishDelayed = (topic: string, partition: number, record: OutgoingRecord, work: Work) => Promise<void>

export interface PutOffParts {
  readonly group: string | null
  readonly levels: DelayLevels
  readonly publish: PublishDelayed
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

/** Where the record goes, and how long it waits there. */
export interface Target {
  readonly level: DelayLevel
  readonly waitMs: number
}

/**
 * Where a record that failed goes next; `null` when nowhere.
 *
 * | failed with      | goes to | not before |
 * |------------------|---------|------------|
 * | `RetryLater(ms)` | the first delay of at least `ms`, else the last: of those behind it when keys keep their order, else of all | `ms` |
 * | anything else    | the next delay | that delay |
 */
export function targetOf(levels: DelayLevels, { work, error, attempt }: Failed, keepsKeys: boolean): Target | null {
  const { levels: all, index } = levels.of(work.partition.topic)
  if (!(error instanceof RetryLater)) {
    const level = all[index + 1]
    return level === undefined ? null : { level, waitMs: level.delayMs }
  }
  const open = keepsKeys ? all.slice(index + 1) : all
  const level = open.find(({ delayMs }) => delayMs >= error.afterMs) ?? open.at(-1)
  return level === undefined ? null : { level, waitMs: laterMs(error, attempt) }
}

/**
 * Writes the record to its delay topic before its offset may pass.
 *
 * @param id names this writing
 * @returns `too-large` when it does not fit there
 */
export async function writeDelayed(
  { group, levels, publish, runtime, telemetry }: PutOffParts,
  work: Work,
  { level, waitMs }: Target,
  failed: Failed | null,
  id: string | null,
): Promise<Settlement | 'too-large'> {
  const { partition, firstRecord } = work
  const { topic, partition: number } = partition
  const place = { topic, partition: number, offset: firstRecord.offset, to: level.topic }
  const isBack = levels.of(topic).index >= 0
  const failure: Failure | null = failed
  const notBefore = runtime.clock.wallTime() + waitMs
  const end = await keepElsewhere<void>({
    work,
    reason: 'delay-topic',
    write: () => {
      const now = runtime.clock.wallTime()
      return publish(level.topic, number, delayedRecord({ work, isBack, group, failure, notBefore, id, now }), work)
    },
    refusal: (error) => {
      const refusal = refusalOf(error)
      return refusal === 'not-authorized' ? 'forbidden' : refusal === null ? null : 'final'
    },
    onDelayed: (attempt, delayMs, error) =>
      tell(telemetry, { kind: 'put-off-delayed', ...place, attempt, delayMs, error }),
    runtime,
  })
  if (end.kind === 'late') return late
  if (end.kind === 'refused') {
    if (failed !== null && refusalOf(end.by) === 'too-large') return 'too-large'
    return { kind: 'stopped', by: refused(place, end.by as TidemarkError, failed) }
  }
  if (failed !== null) {
    const { attempt, error } = failed
    tell(telemetry, { kind: 'put-off', ...place, attempt, delayMs: waitMs, error })
  }
  return putOff
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly to: string
}

function refused({ topic, partition, offset, to }: Place, cause: TidemarkError, failed: Failed | null): HandlerError {
  const why = failed === null ? 'waits for another of its key' : `failed (${thrownName(failed.error)})`
  return new HandlerError(
    'delay-topic-refused',
    `offset ${offset} of ${topic}-${partition} ${why}, and ${to} does not take it (${cause.code}), so the ` +
      `partition stops here; look at the configs and permissions of ${to}, then restart the partition`,
    { topic, partition, offset, cause },
  )
}
