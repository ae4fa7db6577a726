import { partitionKey, type TopicPartition } from '../../../../message/topic-partition.js'
import {
  compareText,
  eagerSubscription,
  emptyAssignment,
  inJavaOrder,
  partitionsOf,
  subscribedTopics,
  type Assignor,
  type AssignorMember,
  type GroupAssignment,
  type HeldBefore,
} from './assignor.js'
import { decodeHeldBefore, encodeHeldBefore } from './held-before.js'

/**
 * Balanced within one partition, and as few partitions as possible change hands. Eager members own nothing while they
 * join, so what each held travels in its user data; two claims to one partition are settled by the higher generation.
 */
export const sticky: Assignor = {
  name: 'sticky',
  protocolName: 'tidemark-sticky',
  kind: 'eager',
  subscription: (topics, { last, generationId }) =>
    eagerSubscription(topics, encodeHeldBefore({ generationId, partitions: last })),
  assign: (members, partitionCounts) =>
    divideSticky(members, partitionCounts, ({ userData }) => decodeHeldBefore(userData)),
}

/** @param heldBy what a member had, and may keep as far as that is fair */
export function divideSticky(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
  heldBy: (member: AssignorMember) => HeldBefore,
): GroupAssignment {
  const ordered = inJavaOrder(members)
  const partitions = subscribedTopics(members, partitionCounts).flatMap((topic) =>
    partitionsOf(topic, partitionCounts.get(topic) ?? 0),
  )
  const owners = previousOwners(ordered, partitions, heldBy)
  return subscriptionsAreEqual(ordered)
    ? assignByQuota(ordered, partitions, owners)
    : assignByLoad(ordered, partitions, owners)
}

/** The rightful owner of each partition that had one and may keep it. */
function previousOwners(
  ordered: readonly AssignorMember[],
  partitions: readonly TopicPartition[],
  heldBy: (member: AssignorMember) => HeldBefore,
): ReadonlyMap<string, string> {
  const exists = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)))
  const claims = new Map<string, { memberId: string; generationId: number }>()
  for (const member of ordered) {
    const owned = heldBy(member)
    for (const { topic, partition } of owned.partitions) {
      const key = partitionKey(topic, partition)
      if (!exists.has(key) || !member.topics.includes(topic)) continue
      const rival = claims.get(key)
      if (rival && rival.generationId >= owned.generationId) continue
      claims.set(key, { memberId: member.memberId, generationId: owned.generationId })
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]))
}

function subscriptionsAreEqual(members: readonly AssignorMember[]): boolean {
  const subscription = (member: AssignorMember) => [...new Set(member.topics)].sort(compareText).join('\n')
  return new Set(members.map(subscription)).size <= 1
}

/**
 * Equal subscriptions: everyone gets the floor of the average, and the members that held most get the one more, because
 * that keeps the sum of what stays as large as it can be.
 */
function assignByQuota(
  ordered: readonly AssignorMember[],
  partitions: readonly TopicPartition[],
  owners: ReadonlyMap<string, string>,
): GroupAssignment {
  const assignment = emptyAssignment(ordered)
  const held = new Map<string, number>(ordered.map((member) => [member.memberId, 0]))
  for (const owner of owners.values()) held.set(owner, (held.get(owner) ?? 0) + 1)

  const share = Math.floor(partitions.length / ordered.length)
  const withOneMore = partitions.length % ordered.length
  const byHeld = [...ordered].sort((left, right) => (held.get(right.memberId) ?? 0) - (held.get(left.memberId) ?? 0))
  const quota = new Map(byHeld.map((member, index) => [member.memberId, share + (index < withOneMore ? 1 : 0)]))

  const homeless: TopicPartition[] = []
  for (const partition of partitions) {
    const owner = owners.get(partitionKey(partition.topic, partition.partition))
    const kept = owner === undefined ? undefined : assignment.get(owner)
    if (owner !== undefined && kept && kept.length < (quota.get(owner) ?? 0)) kept.push(partition)
    else homeless.push(partition)
  }
  for (const member of ordered) {
    const mine = assignment.get(member.memberId) ?? []
    const missing = (quota.get(member.memberId) ?? 0) - mine.length
    mine.push(...homeless.splice(0, missing))
  }
  return assignment
}

/**
 * Different subscriptions: keep what was held, give the rest to the least loaded reader, then shift partitions along
 * chains of members from a loaded one to one with at least two fewer, until there is no such chain. Without such a chain
 * the loads are as even as the subscriptions allow (Harvey, Ladner, Lovász, Tamir: "Semi-matchings for bipartite graphs
 * and load balancing").
 */
function assignByLoad(
  ordered: readonly AssignorMember[],
  partitions: readonly TopicPartition[],
  owners: ReadonlyMap<string, string>,
): GroupAssignment {
  const assignment = emptyAssignment(ordered)
  const load = (member: AssignorMember) => assignment.get(member.memberId)?.length ?? 0
  const homeless: TopicPartition[] = []
  for (const partition of partitions) {
    const owner = owners.get(partitionKey(partition.topic, partition.partition))
    if (owner === undefined) homeless.push(partition)
    else assignment.get(owner)?.push(partition)
  }
  const readersOf = new Map<string, AssignorMember[]>()
  for (const member of ordered) {
    for (const topic of new Set(member.topics)) {
      const readers = readersOf.get(topic)
      if (readers) readers.push(member)
      else readersOf.set(topic, [member])
    }
  }
  for (const partition of homeless) {
    const readers = readersOf.get(partition.topic) ?? []
    const least = readers.reduce((best, reader) => (load(reader) < load(best) ? reader : best))
    assignment.get(least.memberId)?.push(partition)
  }
  for (;;) {
    const chain = findChain(ordered, readersOf, assignment)
    if (!chain) return assignment
    shiftAlong(chain, assignment, owners)
  }
}

/** A way from a loaded member to one with at least two fewer; each step names a topic whose partition moves on. */
interface Chain {
  readonly members: readonly AssignorMember[]
  readonly topics: readonly string[]
}

function findChain(
  ordered: readonly AssignorMember[],
  readersOf: ReadonlyMap<string, readonly AssignorMember[]>,
  assignment: GroupAssignment,
): Chain | undefined {
  const load = (member: AssignorMember) => assignment.get(member.memberId)?.length ?? 0
  const byLoad = [...ordered].sort((left, right) => load(right) - load(left))
  const held = new Map(
    ordered.map((member) => [member, new Set(assignment.get(member.memberId)?.map(({ topic }) => topic))]),
  )
  const least = byLoad.at(-1)
  for (const from of byLoad) {
    if (least === undefined || load(from) - 2 < load(least)) return undefined
    const cameFrom = new Map<AssignorMember, { member: AssignorMember; topic: string }>()
    const queue: AssignorMember[] = [from]
    // Whoever holds a topic leads to all its readers, so the first one has led to them.
    const passed = new Set<string>()
    for (let at = 0; at < queue.length; at += 1) {
      const member = queue[at]!
      if (load(member) <= load(from) - 2) return chainTo(member, from, cameFrom)
      for (const topic of held.get(member) ?? []) {
        if (passed.has(topic)) continue
        passed.add(topic)
        for (const next of readersOf.get(topic) ?? []) {
          if (next === from || cameFrom.has(next)) continue
          cameFrom.set(next, { member, topic })
          queue.push(next)
        }
      }
    }
  }
  return undefined
}

function chainTo(
  last: AssignorMember,
  first: AssignorMember,
  cameFrom: ReadonlyMap<AssignorMember, { member: AssignorMember; topic: string }>,
): Chain {
  const members = [last]
  const topics: string[] = []
  for (let member = last; member !== first;) {
    const step = cameFrom.get(member)
    if (!step) break
    members.unshift(step.member)
    topics.unshift(step.topic)
    member = step.member
  }
  return { members, topics }
}

function shiftAlong(chain: Chain, assignment: GroupAssignment, owners: ReadonlyMap<string, string>): void {
  for (const [index, topic] of chain.topics.entries()) {
    const giver = chain.members[index]?.memberId ?? ''
    const taker = chain.members[index + 1]?.memberId ?? ''
    const given = assignment.get(giver) ?? []
    const movable = given.filter((partition) => partition.topic === topic)
    const owner = (partition: TopicPartition) => owners.get(partitionKey(partition.topic, partition.partition))
    // Best is one that goes home, then one that was not the giver's before; only then something is torn away.
    const choice =
      movable.find((partition) => owner(partition) === taker) ??
      movable.find((partition) => owner(partition) !== giver) ??
      movable.at(-1)
    if (!choice) return
    given.splice(given.indexOf(choice), 1)
    assignment.get(taker)?.push(choice)
  }
}
