import { partitionKey } from '../../message/topic-partition.js'
import type { UnseenPartition } from '../../lag/lag-look.js'
import { linkOf } from './frame.js'
import { judgeGroup, type JudgedGroup, type JudgedPartition } from './group-verdict.js'
import { standstillOf } from './partition-verdict.js'
import {
  lagIsKnown,
  type GroupSample,
  type MemberSight,
  type PartitionSight,
  type PlaceSight,
  type Sight,
} from './sight.js'
import { thinned } from './thinned.js'
import { byGravity, type Verdict } from './verdict.js'

/** What of a list is wanted. */
export interface Wanted {
  /** Part of a name. */
  readonly filter?: string | undefined
  /** So many rows. */
  readonly most: number
}

export interface GroupRow {
  readonly group: string
  readonly link: string
  readonly verdict: Verdict
  readonly state: string | null
  readonly type: string | null
  readonly lag: number | null
  readonly lagMs: number | null
  readonly members: number
  readonly partitions: number
  /** Of them nothing could be seen, or nothing was committed: they are in no figure. */
  readonly unknown: number
  readonly trend: readonly number[]
}

export interface GroupsView {
  readonly rows: readonly GroupRow[]
  readonly matching: number
  readonly groups: number
}

export type GroupOrder = 'worst' | 'behind' | 'name'

const trendSamples = 24
const mostSamples = 240

const orders: Readonly<Record<GroupOrder, (one: JudgedGroup, other: JudgedGroup) => number>> = {
  worst: (one, other) => byGravity(one, other) || byLag(one, other),
  behind: (one, other) => byLag(one, other),
  name: (one, other) => (one.sight.group < other.sight.group ? -1 : 1),
}

export function groupsView(sight: Sight, { filter = '', most }: Wanted, order: GroupOrder): GroupsView {
  const matching = sight.groups.filter(({ group }) => has(group, filter))
  const rows = matching.map((one) => judgeGroup(one, sight.at)).sort(orders[order])
  return { rows: rows.slice(0, most).map(groupRow), matching: matching.length, groups: sight.groups.length }
}

function byLag(one: JudgedGroup, other: JudgedGroup): number {
  return (other.sight.lag?.lag ?? -1) - (one.sight.lag?.lag ?? -1)
}

function has(name: string, filter: string): boolean {
  return name.toLowerCase().includes(filter.toLowerCase())
}

function groupRow({ sight: one, verdict }: JudgedGroup): GroupRow {
  const unseen = one.lag?.unseen.length ?? 0
  const never = one.partitions.filter((partition) => !lagIsKnown(partition)).length
  const isKnown = one.lag !== null && one.partitions.length > never
  return {
    group: one.group,
    link: linkOf('group', one.group),
    verdict,
    state: one.description?.state ?? null,
    type: one.description?.type ?? null,
    lag: isKnown ? (one.lag?.lag ?? null) : null,
    lagMs: isKnown ? (one.lag?.lagMs ?? null) : null,
    members: one.members.length,
    partitions: one.partitions.length + unseen,
    unknown: never + unseen,
    trend: isKnown ? one.history.slice(-trendSamples).map(({ lag }) => lag) : [],
  }
}

export interface PartitionRow {
  readonly topic: string
  readonly partition: number
  readonly link: string
  readonly verdict: Verdict
  /** `null`: it was never committed. */
  readonly lag: number | null
  readonly lagMs: number | null
  /** Received by its member and not settled; `null` where no process tells. */
  readonly inFlight: number | null
  readonly waitsFor: string | null
  readonly committed: number | null
  readonly owner: string | null
  readonly standsMs: number | null
  readonly trend: readonly number[]
}

export interface MemberRow extends MemberSight {
  readonly name: string
  readonly oldestHandlerMs: number | null
}

export interface GroupView {
  readonly group: string
  readonly verdict: Verdict
  readonly state: string | null
  readonly type: string | null
  readonly epoch: number | null
  readonly coordinator: number | null
  readonly lag: number | null
  readonly lagMs: number | null
  readonly drainMs: number | null
  readonly members: readonly MemberRow[]
  /** So many of those that match, the worst first. */
  readonly rows: readonly PartitionRow[]
  readonly matching: number
  readonly partitions: number
  /** So many of them are in no figure. */
  readonly unknown: number
  /** What could not be looked at, and why. */
  readonly unseen: readonly UnseenPartition[]
  /** Of all partitions: what bars are drawn against. */
  readonly mostLag: number
  readonly history: readonly GroupSample[]
}

/** `null`: nobody knows that group. */
export function groupView(sight: Sight, name: string, { filter = '', most }: Wanted): GroupView | null {
  const found = sight.groups.find(({ group }) => group === name)
  if (found === undefined) return null
  const { sight: one, verdict, partitions } = judgeGroup(found, sight.at)
  const matching = partitions.filter(({ sight: { topic, partition } }) => has(partitionKey(topic, partition), filter))
  const unseen = (one.lag?.unseen ?? []).filter((part) => part.topic !== null)
  const { lag, lagMs, unknown } = groupRow({ sight: one, verdict, partitions })
  return {
    group: name,
    verdict,
    state: one.description?.state ?? null,
    type: one.description?.type ?? null,
    epoch: one.description?.epoch ?? null,
    coordinator: one.description?.coordinator ?? null,
    lag,
    lagMs,
    drainMs: one.lag?.drainMs ?? null,
    members: one.members.map((member) => memberRow(member, sight.at)),
    rows: matching.slice(0, most).map((judged) => partitionRow(name, judged, sight.at)),
    matching: matching.length,
    partitions: partitions.length + unseen.length,
    unknown,
    unseen,
    mostLag: partitions.reduce((most, { sight }) => (lagIsKnown(sight) ? Math.max(most, sight.lag) : most), 0),
    history: thinned(one.history, mostSamples),
  }
}

export function memberName({
  groupInstanceId,
  clientId,
  memberId,
}: Pick<MemberSight, 'groupInstanceId' | 'clientId' | 'memberId'>): string {
  return groupInstanceId ?? (clientId === '' ? memberId : clientId)
}

function memberRow(member: MemberSight, now: number): MemberRow {
  const startedAt = member.facts?.oldestHandlerStartedAt ?? null
  return {
    ...member,
    name: memberName(member),
    oldestHandlerMs: startedAt === null ? null : Math.max(0, now - startedAt),
  }
}

function partitionRow(group: string, { sight: one, verdict }: JudgedPartition, now: number): PartitionRow {
  return {
    topic: one.topic,
    partition: one.partition,
    link: linkOf('partition', group, one.topic, one.partition),
    verdict,
    lag: lagIsKnown(one) ? one.lag : null,
    lagMs: one.lagMs,
    inFlight: one.facts?.unsettled ?? null,
    waitsFor: one.facts?.waitsFor ?? null,
    committed: one.committed,
    owner: one.owner,
    standsMs: standstillOf(one, now)?.forMs ?? null,
    trend: lagIsKnown(one) ? one.lags : [],
  }
}

export interface PartitionView {
  readonly group: string
  readonly verdict: Verdict
  readonly sight: PartitionSight
  readonly standsMs: number | null
  readonly atLeast: boolean
  /** Where the record is that it is at; `null` where it has done all, or nobody knows. */
  readonly at: number | null
  /** `null`: brokers do not tell. */
  readonly place: PlaceSight | null
}

/** `null`: the group has no such partition. */
export function partitionView(sight: Sight, name: string, topic: string, partition: number): PartitionView | null {
  const found = sight.groups.find(({ group }) => group === name)
  const judged =
    found &&
    judgeGroup(found, sight.at).partitions.find(({ sight: one }) => one.topic === topic && one.partition === partition)
  if (judged === undefined) return null
  const still = standstillOf(judged.sight, sight.at)
  const at = judged.sight.facts?.settled ?? judged.sight.committed
  return {
    group: name,
    verdict: judged.verdict,
    sight: judged.sight,
    standsMs: still?.forMs ?? null,
    atLeast: still?.atLeast ?? false,
    at: at === null || at >= judged.sight.end ? null : at,
    place: sight.cluster?.places.get(partitionKey(topic, partition)) ?? null,
  }
}
