import type { PartitionReplicas } from '../driver/admin.js'
import type { BrokerNeeds } from '../operations/durability.js'
import type { ClusterView, TopicView } from '../operations/topic-view.js'

/** A topic, and where each partition stands. */
export interface ExaminedTopic extends TopicView {
  /** In the order of `replicas`. */
  readonly partitions: readonly { readonly leader: number; readonly isr: readonly number[] }[]
}

/** Replicas that a topic relies on beside those in sync. */
export interface TopicEligibility {
  readonly topic: string
  readonly partitions: readonly PartitionReplicas[]
}

/** A group whose next record, in these partitions, is older than most of what the topic keeps. */
export interface LateGroup {
  readonly group: string
  readonly topic: string
  readonly partitions: readonly number[]
  readonly retentionMs: number
}

/** Who takes what a topic cannot keep: by the file, or by the names. */
export interface SideTopics {
  readonly source: string
  readonly deadLetter: string | null
  readonly delayTopics: readonly { readonly topic: string; readonly source: string; readonly delayMs: number }[]
}

/** All that the rules judge. */
export interface DoctorFacts {
  readonly profile: string
  /** `null`: it asks nothing of topics. */
  readonly needs: BrokerNeeds | null
  /** `null`: it has no transactions. */
  readonly transactionTimeoutMs: number | null
  readonly cluster: ClusterView
  readonly racks: ReadonlyMap<number, string | null>
  /** Settings of one broker; empty where it does not tell. */
  readonly broker: ReadonlyMap<string, string | null>
  readonly topics: readonly ExaminedTopic[]
  /** Of topics that rely on replicas which are not in sync. */
  readonly eligible: readonly TopicEligibility[]
  /** Defined, and not there. */
  readonly missing: readonly string[]
  readonly sides: readonly SideTopics[]
  readonly late: readonly LateGroup[]
}

/** Part of the retention after which a record that nobody has read is in danger. */
export const lateShare = 0.8
