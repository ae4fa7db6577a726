import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { Admin } from '../operations/admin.js'

/** A group to look at. */
export interface WatchedGroup {
  readonly group: string
  /** Their partitions count also where the group has never committed. Default: only where it has. */
  readonly topics?: readonly string[] | undefined
}

/** What a look could not see. */
export interface UnseenPartition {
  readonly topic: string
  /** `null`: the whole topic. */
  readonly partition: number | null
  readonly reason: 'not-there' | 'no-leader'
}

export interface SeenPartition extends TopicPartition {
  readonly committed: number | null
  readonly start: number
  readonly end: number
}

/** One group at one look. */
export interface SeenGroup {
  readonly group: string
  readonly partitions: readonly SeenPartition[]
  readonly unseen: readonly UnseenPartition[]
}

type LookedUp = Pick<Admin, 'committedOffsets' | 'describeTopics' | 'listOffsets'>

/**
 * One look at groups: a request for each group to its coordinator, one for the topics, and two to each broker that leads,
 * however many partitions there are. Ends are asked for after the commits, so a lag may be a little too large and is never
 * too small.
 *
 * @param leftMs how long the look may still take
 */
export async function lookAtGroups(
  admin: LookedUp,
  groups: readonly WatchedGroup[],
  leftMs: () => number,
): Promise<readonly SeenGroup[]> {
  const commits = await Promise.all(
    groups.map(async ({ group }) => {
      // A transaction that hangs is when its group is looked at.
      const committed = await admin.committedOffsets(group, null, { timeoutMs: leftMs(), requireStable: false })
      return new Map(committed.map((one) => [partitionKey(one.topic, one.partition), one]))
    }),
  )
  const names = new Set<string>()
  for (const { topics = [] } of groups) for (const topic of topics) names.add(topic)
  for (const ofGroup of commits) for (const { topic } of ofGroup.values()) names.add(topic)
  const described = names.size === 0 ? [] : await admin.describeTopics([...names], { timeoutMs: leftMs() })
  const topics = new Map(
    described.map(({ name, partitions }) => [name, new Map(partitions.map((one) => [one.partition, one.leader]))]),
  )
  const placed = groups.map((watched, index) => placesOf(watched, commits[index]?.values() ?? [], topics))
  const all = new Map(placed.flatMap(({ seen }) => [...seen]))
  const places = [...all.values()]
  const [starts, ends] = await Promise.all([
    admin.listOffsets(places, 'earliest', { timeoutMs: leftMs() }),
    admin.listOffsets(places, 'latest', { timeoutMs: leftMs() }),
  ])
  const logs = new Map<string, { readonly start: number; readonly end: number }>()
  let position = 0
  for (const key of all.keys()) {
    logs.set(key, { start: starts[position] as number, end: ends[position] as number })
    position += 1
  }
  return placed.map(({ seen, unseen }, index) => ({
    group: (groups[index] as WatchedGroup).group,
    partitions: Array.from(seen, ([key, { topic, partition }]) => {
      const { start, end } = logs.get(key) as { readonly start: number; readonly end: number }
      return { topic, partition, committed: commits[index]?.get(key)?.offset ?? null, start, end }
    }),
    unseen,
  }))
}

/** The leader of each partition, by topic; -1 while there is none. */
type Leaders = ReadonlyMap<string, ReadonlyMap<number, number>>

/** The partitions of a group that can be looked at, by key, and those that cannot. */
function placesOf(
  { topics: wanted = [] }: WatchedGroup,
  committed: Iterable<TopicPartition>,
  topics: Leaders,
): { readonly seen: ReadonlyMap<string, TopicPartition>; readonly unseen: readonly UnseenPartition[] } {
  const seen = new Map<string, TopicPartition>()
  const unseenTopics = new Map<string, UnseenPartition>()
  const unseen = new Map<string, UnseenPartition>()
  const place = (topic: string, partition: number): void => {
    const leaders = topics.get(topic)
    const leader = leaders?.get(partition)
    const key = partitionKey(topic, partition)
    if (leaders === undefined) unseenTopics.set(topic, { topic, partition: null, reason: 'not-there' })
    else if (leader === undefined) unseen.set(key, { topic, partition, reason: 'not-there' })
    else if (leader < 0) unseen.set(key, { topic, partition, reason: 'no-leader' })
    else seen.set(key, { topic, partition })
  }
  for (const { topic, partition } of committed) place(topic, partition)
  for (const topic of wanted) {
    const leaders = topics.get(topic)
    if (leaders === undefined) unseenTopics.set(topic, { topic, partition: null, reason: 'not-there' })
    else if (leaders.size === 0) unseenTopics.set(topic, { topic, partition: null, reason: 'no-leader' })
    for (const partition of leaders?.keys() ?? []) place(topic, partition)
  }
  return { seen, unseen: [...unseenTopics.values(), ...unseen.values()] }
}
