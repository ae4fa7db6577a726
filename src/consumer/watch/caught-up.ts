import type { KnownEnd } from '../../driver/consumer.js'
import { StateError, TimeoutError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Clock } from '../../runtime/clock.js'
import { pause } from '../../runtime/pause.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

export interface CatchingUp {
  readonly clock: Clock
  readonly partitions: () => readonly OwnedPartition[]
  readonly endOf: (partition: TopicPartition) => KnownEnd | null
  /** Topics that are gone: no log of them has an end. */
  readonly deleted: () => ReadonlySet<string>
  /** Is all that is ours among the partitions? */
  readonly isComplete: () => boolean
  /** The state of the consumer in which it will not catch up any more; `null` while it may. */
  readonly over: () => string | null
}

const lookEveryMs = 20
/** Of partitions, in one text. */
const mostNamed = 5

/**
 * Resolves when all that stood in the logs at the call is settled. What is given away meanwhile counts no more; what comes
 * counts with what stands in it then: with an end that was told after the call. Of a topic that was deleted what was fetched
 * counts.
 */
export async function caughtUp(reader: CatchingUp, deadline: number): Promise<void> {
  const { clock } = reader
  const begun = clock.now()
  const ends = new Map<OwnedPartition, number>()
  const isBehind = (partition: OwnedPartition, deleted: ReadonlySet<string>): boolean => {
    if (deleted.has(partition.topic)) return partition.heldRecords > 0 || partition.failed > 0
    const known = reader.endOf(partition)
    if (!ends.has(partition) && known !== null && known.at >= begun) ends.set(partition, known.offset)
    return partition.tracker.committable < (ends.get(partition) ?? Infinity)
  }
  for (;;) {
    const over = reader.over()
    if (over !== null) throw endedBefore(over)
    const deleted = reader.deleted()
    const behind = reader.partitions().filter((partition) => isBehind(partition, deleted))
    if (behind.length === 0 && reader.isComplete()) return
    const leftMs = deadline - clock.now()
    if (leftMs <= 0) throw notCaughtUp(behind, ends)
    await pause(clock, Math.min(lookEveryMs, leftMs))
  }
}

function endedBefore(state: string): StateError {
  return new StateError('stopped', `the consumer is ${state}, so it does not catch up any more; start another one`)
}

function notCaughtUp(behind: readonly OwnedPartition[], ends: ReadonlyMap<OwnedPartition, number>): TimeoutError {
  const named = behind.slice(0, mostNamed).map((one) => {
    const end = ends.get(one)
    const much = end === undefined ? 'no broker has told its end' : `${end - one.tracker.committable} offset(s) behind`
    return `${one.topic}-${one.partition} (${much}${one.stoppedBy === null ? '' : `, stopped by ${one.stoppedBy.code}`})`
  })
  const what =
    named.length === 0
      ? 'it has no assignment, or partitions without a place to start'
      : `${named.join(', ')}${behind.length > mostNamed ? ', …' : ''}`
  const message = `the consumer had not caught up at the deadline: ${what}; allow more time, or look at facts()`
  return new TimeoutError('not-caught-up', message, { retriable: true })
}
