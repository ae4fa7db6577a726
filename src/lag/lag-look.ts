import type { CommittedPartition } from '../connection/requests/offsets.js'
import { PartitionMap } from '../message/partition-map.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Admin } from '../operations/admin.js'
import { thrownText } from '../runtime/thrown.js'
import { visibleTopics, type LeadersOf, type VisibleTopics } from './visible-topics.js'

/** A group to look at. */
export interface WatchedGroup {
  readonly group: string
  /** Their partitions count also where the group has never committed. Default: only where it has. */
  readonly topics?: readonly string[] | undefined
}

/** What a look could not see. */
export type UnseenPartition =
  | {
      readonly topic: string
      /** `null`: the whole topic. */
      readonly partition: number | null
      readonly reason: 'not-there' | 'no-leader'
    }
  /** Its broker did not answer in time, or refused; `partition: null` where this client may not see the topic. */
  | { readonly topic: string; readonly partition: number | null; readonly reason: 'failed'; readonly why: string }

/** The coordinator of a group did not answer in time, or refused: nothing is known of where the group stands. */
export interface UnseenGroup {
  readonly topic: null
  readonly partition: null
  readonly reason: 'failed'
  readonly why: string
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
  readonly unseen: readonly (UnseenPartition | UnseenGroup)[]
  /** The first of what went wrong with `failed` ones among those unseen, else `null`. */
  readonly failure: Error | null
}

type LookedUp = Pick<Admin, 'committedOffsets' | 'describeTopics' | 'listOffsets'>

/** Who does not answer leaves time for the rest of the look. */
const coordinatorsShare = 0.5

/**
 * One look at groups: a request for each group to its coordinator, one for the topics, and two to each broker that leads,
 * however many partitions there are. Ends are asked for after the commits, so a lag may be a little too large and is never
 * too small. A coordinator or a leader that fails takes from sight what it alone knows, and a topic without DESCRIBE itself alone.
 *
 * @param leftMs how long the look may still take
 * @throws what the first one failed with, when nothing at all could be seen
 */
export async function lookAtGroups(
  admin: LookedUp,
  groups: readonly WatchedGroup[],
  leftMs: () => number,
): Promise<readonly SeenGroup[]> {
  const commits = await commitsOf(admin, groups, leftMs() * coordinatorsShare)
  const names = new Set<string>()
  for (const { topics = [] } of groups) for (const topic of topics) names.add(topic)
  for (const { value = [] } of commits) for (const { topic } of value) names.add(topic)
  const topics = await visibleTopics(admin, names, leftMs)
  const placed = groups.map((watched, index) => {
    const committed = commits[index]?.value
    return committed === undefined ? null : placesOf(watched, committed, topics)
  })
  const logs = await logsOf(admin, placed, topics.leaders, leftMs())
  return groups.map(({ group }, index) => {
    const places = placed[index] ?? null
    if (places === null) {
      const { failure } = commits[index] as { readonly failure: Error }
      return { group, partitions: [], unseen: [unseenGroup(failure)], failure }
    }
    const seen: SeenPartition[] = []
    const failed: UnseenPartition[] = []
    let firstFailure: Error | null = places.failure
    for (const { topic, partition, committed } of places.seen) {
      const { value: log, failure } = logs.get(topic, partition) as Attempt<Log>
      if (log !== undefined) seen.push({ topic, partition, committed, start: log.start, end: log.end })
      else {
        failed.push({ topic, partition, reason: 'failed', why: thrownText(failure).message })
        firstFailure ??= failure
      }
    }
    return { group, partitions: seen, unseen: [...places.unseen, ...failed], failure: firstFailure }
  })
}

/** The same for who has no use for a part. */
export async function seeAllOf(
  admin: LookedUp,
  groups: readonly WatchedGroup[],
  leftMs: () => number,
): Promise<readonly SeenGroup[]> {
  const seen = await lookAtGroups(admin, groups, leftMs)
  for (const { failure } of seen) if (failure !== null) throw failure
  return seen
}

/** What came of asking one of several. */
type Attempt<Value> =
  { readonly value: Value; readonly failure: null } | { readonly value?: undefined; readonly failure: Error }

/** @throws the first failure, when all failed */
async function attempts<Value>(asked: readonly Promise<Value>[]): Promise<readonly Attempt<Value>[]> {
  const ends = await Promise.allSettled(asked)
  const all = ends.map((end): Attempt<Value> =>
    end.status === 'fulfilled' ? { value: end.value, failure: null } : { failure: end.reason as Error },
  )
  const [first] = all
  if (first !== undefined && first.failure !== null && all.every(({ failure }) => failure !== null)) throw first.failure
  return all
}

async function commitsOf(
  admin: LookedUp,
  groups: readonly WatchedGroup[],
  timeoutMs: number,
): Promise<readonly Attempt<readonly CommittedPartition[]>[]> {
  // A transaction that hangs is when its group is looked at.
  return attempts(groups.map(({ group }) => admin.committedOffsets(group, null, { timeoutMs, requireStable: false })))
}

interface Log {
  readonly start: number
  readonly end: number
}

/** Where logs begin and end. Each leader is asked on its own, so that one that fails keeps no other from being seen. */
async function logsOf(
  admin: LookedUp,
  placed: readonly (Places | null)[],
  leaders: VisibleTopics['leaders'],
  timeoutMs: number,
): Promise<PartitionMap<Attempt<Log>>> {
  const byLeader = new Map<number, TopicPartition[]>()
  const isAsked = new PartitionMap<true>()
  // Many groups may read the same.
  for (const places of placed) {
    for (const { topic, partition } of places?.seen ?? []) {
      if (isAsked.get(topic, partition)) continue
      isAsked.set(topic, partition, true)
      const leader = leaders.get(topic)?.get(partition) as number
      const mates = byLeader.get(leader)
      if (mates === undefined) byLeader.set(leader, [{ topic, partition }])
      else mates.push({ topic, partition })
    }
  }
  const ofLeaders = [...byLeader.values()]
  const asked = await attempts(
    ofLeaders.map((partitions) =>
      Promise.all([
        admin.listOffsets(partitions, 'earliest', { timeoutMs }),
        admin.listOffsets(partitions, 'latest', { timeoutMs }),
      ]),
    ),
  )
  const logs = new PartitionMap<Attempt<Log>>()
  for (const [at, { value, failure }] of asked.entries()) {
    for (const [index, { topic, partition }] of (ofLeaders[at] ?? []).entries()) {
      const log: Attempt<Log> =
        value === undefined
          ? { failure }
          : { value: { start: value[0][index] as number, end: value[1][index] as number }, failure: null }
      logs.set(topic, partition, log)
    }
  }
  return logs
}

function unseenGroup(failure: unknown): UnseenGroup {
  return { topic: null, partition: null, reason: 'failed', why: thrownText(failure).message }
}

interface Places {
  /** Each once. */
  readonly seen: readonly (TopicPartition & { readonly committed: number | null })[]
  readonly unseen: readonly UnseenPartition[]
  /** Of the first topic that may not be seen. */
  readonly failure: Error | null
}

/** The partitions of a group that can be looked at, and those that cannot. */
function placesOf(
  { topics: wanted = [] }: WatchedGroup,
  committed: readonly CommittedPartition[],
  { leaders: topics, forbidden }: VisibleTopics,
): Places {
  const seen: (TopicPartition & { readonly committed: number | null })[] = []
  const unseen: UnseenPartition[] = []
  const unseenTopics = new Map<string, UnseenPartition>()
  let failure: Error | null = null
  const placeTopic = (topic: string): LeadersOf | null => {
    const refused = forbidden.get(topic)
    const leaders = topics.get(topic)
    if (refused !== undefined) {
      failure ??= refused
      unseenTopics.set(topic, { topic, partition: null, reason: 'failed', why: refused.message })
    } else if (leaders === undefined) unseenTopics.set(topic, { topic, partition: null, reason: 'not-there' })
    return leaders ?? null
  }
  const isPlaced = new PartitionMap<true>()
  const place = (leader: number | undefined, topic: string, partition: number, offset: number | null): void => {
    if (isPlaced.get(topic, partition)) return
    isPlaced.set(topic, partition, true)
    if (leader === undefined) unseen.push({ topic, partition, reason: 'not-there' })
    else if (leader < 0) unseen.push({ topic, partition, reason: 'no-leader' })
    else seen.push({ topic, partition, committed: offset })
  }
  for (const { topic, partition, offset } of committed) {
    const leaders = placeTopic(topic)
    if (leaders !== null) place(leaders.get(partition), topic, partition, offset)
  }
  for (const topic of wanted) {
    const leaders = placeTopic(topic)
    if (leaders?.size === 0) unseenTopics.set(topic, { topic, partition: null, reason: 'no-leader' })
    for (const [partition, leader] of leaders ?? []) place(leader, topic, partition, null)
  }
  return { seen, unseen: [...unseenTopics.values(), ...unseen], failure }
}
