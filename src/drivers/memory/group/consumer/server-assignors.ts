import type { PartitionById } from '../../../../connection/requests/consumer-groups.js'
import { keyById, noPartitions, partitionSet, type PartitionSet } from './partition-set.js'

/** Who can be given what, in the order in which members joined. */
export interface Subscriber {
  readonly memberId: string
  /** By topic, in the order of their names. */
  readonly topics: readonly (readonly PartitionById[])[]
  /** By the division before. */
  readonly before: PartitionSet
}

export type Division = ReadonlyMap<string, PartitionSet>

type ServerAssignor = (subscribers: readonly Subscriber[]) => Division

/** Those of a broker, by their names; the first is a group's when nobody wants another. */
export const serverAssignors: ReadonlyMap<string, ServerAssignor> = new Map([
  ['uniform', uniform],
  ['range', range],
])

export const defaultServerAssignor = 'uniform'

interface Share extends Subscriber {
  readonly wants: PartitionSet
  readonly given: Map<string, PartitionById>
}

/** As equal in number as subscriptions allow; what a member had before stays with it as far as that goes. */
function uniform(subscribers: readonly Subscriber[]): Division {
  const wanted = new Map<string, PartitionSet>()
  const shares = subscribers.map((each): Share => ({ ...each, wants: wantsOf(each, wanted), given: new Map() }))
  const all = new Map([...wanted.values()].flatMap((wants) => [...wants]))
  const taken = new Set<string>()
  const most = Math.ceil(all.size / Math.max(1, shares.length))
  for (const { before, wants, given } of shares) {
    for (const [key, at] of before) {
      if (given.size >= most || taken.has(key) || !wants.has(key)) continue
      given.set(key, at)
      taken.add(key)
    }
  }
  for (const [key, at] of all) {
    if (taken.has(key)) continue
    const least = leastOf(shares.filter(({ wants }) => wants.has(key)))
    least?.given.set(key, at)
  }
  level(shares)
  return new Map(shares.map(({ memberId, given }) => [memberId, given]))
}

/** Those that subscribe to the same share one set: there may be hundreds of them, and thousands of partitions. */
function wantsOf({ topics }: Subscriber, wanted: Map<string, PartitionSet>): PartitionSet {
  const name = topics.map(([first]) => first?.topicId).join()
  let wants = wanted.get(name)
  if (wants === undefined) {
    wants = partitionSet(topics.flat())
    wanted.set(name, wants)
  }
  return wants
}

/** Moves one partition after the other from who has most of it to who has least, until no move makes it more equal. */
function level(shares: readonly Share[]): void {
  for (;;) {
    const move = bestMove(shares)
    if (move === null) return
    move.from.given.delete(move.key)
    move.to.given.set(move.key, move.at)
  }
}

function bestMove(shares: readonly Share[]) {
  const least = leastOf(shares)?.given.size ?? 0
  for (const from of [...shares].sort((a, b) => b.given.size - a.given.size)) {
    if (from.given.size < least + 2) return null
    for (const [key, at] of [...from.given].reverse()) {
      const to = leastOf(shares.filter((share) => share.wants.has(key)))
      if (to !== undefined && to.given.size + 2 <= from.given.size) return { key, at, from, to }
    }
  }
  return null
}

function leastOf(shares: readonly Share[]): Share | undefined {
  let least = shares[0]
  for (const share of shares) if (share.given.size < least!.given.size) least = share
  return least
}

/** Of each topic a run of partitions to each of its subscribers. */
function range(subscribers: readonly Subscriber[]): Division {
  const division = new Map(subscribers.map(({ memberId }) => [memberId, new Map<string, PartitionById>()]))
  const topics = new Map(subscribers.flatMap((each) => each.topics.map((topic) => [topic[0]?.topicId, topic])))
  for (const [topicId, partitions] of topics) {
    const takers = subscribers.filter((each) => each.topics.some(([first]) => first?.topicId === topicId))
    for (const [index, { memberId }] of takers.entries()) {
      const from = Math.floor((index * partitions.length) / takers.length)
      const to = Math.floor(((index + 1) * partitions.length) / takers.length)
      for (const at of partitions.slice(from, to)) division.get(memberId)?.set(keyById(at), at)
    }
  }
  return division
}

/** What is meant for a member that the division does not know. */
export function meantFor(division: Division, memberId: string): PartitionSet {
  return division.get(memberId) ?? noPartitions
}
