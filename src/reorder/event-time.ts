import { TidemarkError } from '../errors.js'
import { came } from '../input/came.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { PartitionOrder } from './partition-order.js'
import type { WatermarkRules } from './watermark-strategy.js'

/** What time a record is ordered by. `clamped`: another than its own, which tells nothing of what is to come. */
export type EventTime =
  | { readonly kind: 'clamped' | 'late'; readonly timestamp: number }
  /** The one that it came with. Most are so: no object is made for it. */
  | { readonly kind: 'own' }
  /** Without a time, and dropped. */
  | { readonly kind: 'none' }

const none: EventTime = Object.freeze({ kind: 'none' })
const own: EventTime = Object.freeze({ kind: 'own' })

/**
 * @param time the record's own; whatever was written there. `null`: nobody can tell
 * @param wallTime what the wall clock shows
 * @throws TidemarkError `invalid-timestamp` or `future-timestamp` where the strategy says `fail`
 */
export function eventTimeOf(
  { invalid, future, timestampOf }: WatermarkRules,
  partition: PartitionOrder,
  offset: number,
  time: number | null,
  wallTime: number,
): EventTime {
  // It has its turn soon, and tells nothing of the time of others.
  if (time === null) return clamped(partition, 0)
  if (!Number.isSafeInteger(time) || time < 0) {
    if (invalid === 'fail')
      throw timeProblem('invalid-timestamp', partition.place, offset, noTime(time, timestampOf !== null))
    return invalid === 'skip' ? none : clamped(partition, wallTime)
  }
  if (future === null || time <= wallTime + future.maxFutureMs) return own
  if (future.policy === 'late') return { kind: 'late', timestamp: time }
  if (future.policy === 'partition-time') return clamped(partition, wallTime)
  throw timeProblem('future-timestamp', partition.place, offset, {
    problem: `it is ${time - wallTime} ms ahead of the clock of this process`,
    fix: 'mend its writer, or that clock, or choose another policy with withFutureGuard',
  })
}

/** @param time what a function of the user gave may be anything; its content is never told */
function noTime(time: unknown, isAssigned: boolean): { readonly problem: string; readonly fix: string } {
  const expects = Number.isSafeInteger(time) ? '' : ', where a whole number of ms since the Unix epoch is wanted'
  const mend = isAssigned ? 'mend the function given to withTimestampAssigner' : 'mend its writer'
  const problem = `its time ${came(time)}${expects}`
  return { problem, fix: `${mend}, or choose another policy with withInvalidTimestamp` }
}

function clamped({ maxTimestamp }: PartitionOrder, otherwise: number): EventTime {
  return { kind: 'clamped', timestamp: maxTimestamp === -Infinity ? otherwise : maxTimestamp }
}

function timeProblem(
  code: string,
  { topic, partition }: TopicPartition,
  offset: number,
  { problem, fix }: { readonly problem: string; readonly fix: string },
): TidemarkError {
  return new TidemarkError(
    code,
    `offset ${offset} of ${partitionKey(topic, partition)} cannot be ordered by time: ${problem}; ${fix}`,
    { topic, partition, offset },
  )
}
