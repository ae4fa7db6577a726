import { judgeGroup, type JudgedPartition } from './group-verdict.js'
import { standstillOf } from './partition-verdict.js'
import type { GroupSample, MemberSight, PartitionSight, Sight } from './sight.js'
import { byGravity, type Verdict } from './verdict.js'

export interface GroupRow {
  readonly group: string
  readonly verdict: Verdict
  readonly state: string | null
  readonly type: string | null
  readonly lag: number | null
  readonly lagMs: number | null
  readonly members: number
  readonly partitions: number
  readonly trend: readonly number[]
}

const trendSamples = 60

/** All groups, the worst first. */
export function groupRows(sight: Sight): readonly GroupRow[] {
  return sight.groups
    .map((one) => judgeGroup(one, sight.at))
    .sort((one, other) => byGravity(one, other) || (other.sight.lag?.lag ?? -1) - (one.sight.lag?.lag ?? -1))
    .map(({ sight: one, verdict }) => ({
      group: one.group,
      verdict,
      state: one.description?.state ?? null,
      type: one.description?.type ?? null,
      lag: one.lag?.lag ?? null,
      lagMs: one.lag?.lagMs ?? null,
      members: one.members.length,
      partitions: one.partitions.length,
      trend: one.history.slice(-trendSamples).map(({ lag }) => lag),
    }))
}

export interface PartitionRow {
  readonly topic: string
  readonly partition: number
  readonly verdict: Verdict
  readonly lag: number
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
  /** So many of them, the worst first. */
  readonly rows: readonly PartitionRow[]
  readonly partitions: number
  /** Of all partitions: what bars are drawn against. */
  readonly mostLag: number
  readonly history: readonly GroupSample[]
}

/** More are not sent at once: nobody reads a thousand rows. */
const mostRows = 60

/** `null`: nobody knows that group. */
export function groupView(sight: Sight, name: string): GroupView | null {
  const found = sight.groups.find(({ group }) => group === name)
  if (found === undefined) return null
  const { sight: one, verdict, partitions } = judgeGroup(found, sight.at)
  return {
    group: name,
    verdict,
    state: one.description?.state ?? null,
    type: one.description?.type ?? null,
    epoch: one.description?.epoch ?? null,
    coordinator: one.description?.coordinator ?? null,
    lag: one.lag?.lag ?? null,
    lagMs: one.lag?.lagMs ?? null,
    drainMs: one.lag?.drainMs ?? null,
    members: one.members.map((member) => memberRow(member, sight.at)),
    rows: partitions.slice(0, mostRows).map((judged) => partitionRow(judged, sight.at)),
    partitions: partitions.length,
    mostLag: partitions.reduce((most, { sight: { lag } }) => Math.max(most, lag), 0),
    history: one.history,
  }
}

export function memberName({ groupInstanceId, clientId, memberId }: MemberSight): string {
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

function partitionRow({ sight: one, verdict }: JudgedPartition, now: number): PartitionRow {
  return {
    topic: one.topic,
    partition: one.partition,
    verdict,
    lag: one.lag,
    lagMs: one.lagMs,
    inFlight: one.facts?.unsettled ?? null,
    waitsFor: one.facts?.waitsFor ?? null,
    committed: one.committed,
    owner: one.owner,
    standsMs: standstillOf(one, now)?.forMs ?? null,
    trend: one.lags,
  }
}

export interface PartitionView {
  readonly group: string
  readonly verdict: Verdict
  readonly sight: PartitionSight
  readonly standsMs: number | null
  readonly atLeast: boolean
  /** Where the record is that it is at. */
  readonly at: number | null
}

/** `null`: the group has no such partition. */
export function partitionView(sight: Sight, name: string, topic: string, partition: number): PartitionView | null {
  const found = sight.groups.find(({ group }) => group === name)
  const judged =
    found &&
    judgeGroup(found, sight.at).partitions.find(({ sight: one }) => one.topic === topic && one.partition === partition)
  if (judged === undefined) return null
  const still = standstillOf(judged.sight, sight.at)
  return {
    group: name,
    verdict: judged.verdict,
    sight: judged.sight,
    standsMs: still?.forMs ?? null,
    atLeast: still?.atLeast ?? false,
    at: judged.sight.facts?.settled ?? judged.sight.committed,
  }
}
