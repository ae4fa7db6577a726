import type { DriverAdmin, GroupOffset } from '../driver/admin.js'
import type { StartPosition } from '../driver/consumer.js'
import { DriverError } from '../errors.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'

/** Where a group is to go on: at an end of the log, at a time, at an offset, or so many records from where it is. */
export type ResetPosition = StartPosition | { readonly offset: number } | { readonly shiftBy: number }

/** What is to be reset. */
export interface ResetScope {
  /** All their partitions. Default: what the group has committed. */
  readonly topics?: readonly string[] | undefined
  /** These and no others. */
  readonly partitions?: readonly TopicPartition[] | undefined
}

/** One partition of a reset. */
export interface OffsetReset extends GroupOffset {
  /** Where the group is now; `null` where it has committed nothing. */
  readonly from: number | null
  /** First offset that is still there, and the next to be written. */
  readonly earliest: number
  readonly latest: number
}

/** Where each partition would go on, by topic and partition. Never before the first record that is left, nor behind the last. */
export async function resetsOf(
  driver: DriverAdmin,
  groupId: string,
  scope: ResetScope,
  to: ResetPosition,
  deadline: number,
): Promise<readonly OffsetReset[]> {
  const committed = await driver.committedOffsets(groupId, null, deadline, false)
  const places = scope.partitions ?? (await partitionsOf(driver, scope.topics, committed, deadline))
  const sorted = [...places].sort((a, b) =>
    a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
  )
  const at = (position: StartPosition) => driver.listOffsets(sorted, position, 'read-uncommitted', deadline)
  const isStart = typeof to === 'string' || 'timestamp' in to
  const [earliest, latest, wanted] = await Promise.all([at('earliest'), at('latest'), isStart ? at(to) : null])
  const now = new Map(committed.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]))
  return sorted.map(({ topic, partition }, index) => {
    const [first, end] = [earliest[index] as number, latest[index] as number]
    const from = now.get(partitionKey(topic, partition)) ?? null
    const offset =
      wanted === null ? moved(from ?? first, to as { offset: number } | { shiftBy: number }) : wanted[index]
    return {
      topic,
      partition,
      from,
      offset: Math.min(Math.max(offset as number, first), end),
      earliest: first,
      latest: end,
    }
  })
}

function moved(from: number, to: { readonly offset: number } | { readonly shiftBy: number }): number {
  return 'offset' in to ? to.offset : from + to.shiftBy
}

async function partitionsOf(
  driver: DriverAdmin,
  topics: readonly string[] | undefined,
  committed: readonly TopicPartition[],
  deadline: number,
): Promise<readonly TopicPartition[]> {
  if (topics === undefined) return committed
  const described = await driver.describeTopics(topics, deadline)
  const missing = topics.find((topic) => !described.some(({ name }) => name === topic))
  if (missing !== undefined) {
    throw new DriverError('unknown-topic-or-partition', `topic "${missing}" does not exist; correct its name`, {
      topic: missing,
    })
  }
  return described.flatMap(({ name, partitions }) => partitions.map(({ partition }) => ({ topic: name, partition })))
}
