import type { DescribedMember, GroupDescription } from '../../driver/admin.js'
import type { GroupLag, PartitionLag } from '../../lag/lag-report.js'
import type { LetterTopic } from '../../letters/letter-topics.js'

/**
 * All that was seen of a cluster at one look. The model makes views of it, by pure functions: what is not in here is not
 * known, and is told as not known.
 */
export interface Sight {
  /** Wall time of the look. */
  readonly at: number
  /** Since when the console has watched: of what is older nobody can tell. */
  readonly watchedSince: number
  readonly cluster: ClusterSight | null
  readonly groups: readonly GroupSight[]
  readonly letterTopics: readonly LetterTopic[]
  readonly cost: Cost
  /** Why the last look failed; what is shown is then older. */
  readonly failure: string | null
  /** Members that were asked for their facts, and why some did not answer. */
  readonly processes: readonly ProcessSight[]
}

export interface ClusterSight {
  readonly clusterId: string | null
  /** Those that are up. */
  readonly brokers: readonly number[]
  /** Brokers that replicas are on, and that are not up. */
  readonly down: readonly number[]
  /** Who leads which partition and keeps it, by `partitionKey`. */
  readonly places: ReadonlyMap<string, PlaceSight>
  /** Partitions of all topics that have no leader, or a replica that is not in sync. */
  readonly withoutLeader: number
  readonly underReplicated: number
}

export interface PlaceSight {
  /** `null`: none. */
  readonly leader: number | null
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

export interface GroupSight {
  readonly group: string
  readonly description: Pick<GroupDescription, 'state' | 'type' | 'epoch' | 'coordinator'> | null
  readonly members: readonly MemberSight[]
  /** `null`: its lag could not be seen, and `unseenWhy` says why. */
  readonly lag: GroupLag | null
  readonly unseenWhy: string | null
  readonly partitions: readonly PartitionSight[]
  /** One sample a look, the newest last. */
  readonly history: readonly GroupSample[]
}

export interface GroupSample {
  readonly at: number
  readonly lag: number
  /** `null`: not known then. */
  readonly lagMs: number | null
}

export interface MemberSight extends Pick<DescribedMember, 'memberId' | 'groupInstanceId' | 'clientId' | 'clientHost'> {
  readonly partitions: number
  readonly facts: MemberFacts | null
}

export interface PartitionSight extends PartitionLag {
  /** Since when its committed offset has not moved although there was lag; `null` while it moves. */
  readonly standsSince: number | null
  /** Its commit had stood already when the console first looked. */
  readonly stoodBefore: boolean
  /** Member that it is assigned to; `null`: nobody. */
  readonly owner: string | null
  readonly facts: PartitionFactsSight | null
  /** Lags of the last looks, the newest last. */
  readonly lags: readonly number[]
}

/** How far it is behind: by its own word, or by what is committed. */
export function lagIsKnown({ committed, facts }: Pick<PartitionSight, 'committed' | 'facts'>): boolean {
  return committed !== null || facts !== null
}

/** What only the process of a member knows of itself. */
export interface MemberFacts {
  readonly inFlight: number
  readonly running: number
  readonly oldestHandlerStartedAt: number | null
}

export interface PartitionFactsSight {
  readonly state: string
  /** Next offset to settle: the record that it is at. */
  readonly settled: number
  readonly position: number
  readonly unsettled: number
  readonly running: number
  readonly queued: number
  readonly waitsFor: string | null
  readonly stalledMs: number
  /** Code of the error that stopped it. */
  readonly stoppedBy: string | null
  readonly pausedBy: readonly string[]
  readonly deadLetterFailures: number
}

export interface ProcessSight {
  readonly address: string
  /** `null`: it answered. */
  readonly failure: string | null
}

export interface Cost {
  /** Of the last look, ms. */
  readonly tookMs: number
  /** Until the next one, ms. */
  readonly everyMs: number
}
