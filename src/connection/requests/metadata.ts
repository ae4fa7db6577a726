import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled } from './answer.js'

/** A broker, as the cluster tells its clients. */
export interface Broker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}
/** The brokers that the controller takes for living, and which of them it is; one that is down is missing. */
export interface ClusterDescription {
  /** `null` where brokers do not tell. */
  readonly clusterId: string | null
  /** -1 while there is none. */
  readonly controllerId: number
  readonly brokers: readonly Broker[]
}
export interface MetadataRequest {
  readonly api: 'metadata'
  /** `null` asks for every topic, an empty list for the brokers alone. Never creates a topic. */
  readonly topics: readonly string[] | null
}
/** Who leads and copies a partition; brokers by number. `errorCode` is Kafka's, 0 for none. */
export interface PartitionMetadata {
  readonly errorCode: number
  readonly partition: number
  /** -1 while there is no leader. */
  readonly leader: number
  /** -1 when the broker does not tell. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}
/** A topic and its partitions. `errorCode` is Kafka's, 0 for none. */
export interface TopicMetadata {
  readonly errorCode: number
  readonly name: string
  /** Another one for every topic that was ever made, as Kafka prints it; `null` from brokers before Kafka 2.8. */
  readonly topicId: string | null
  readonly isInternal: boolean
  readonly partitions: readonly PartitionMetadata[]
}
/** Partitions in pages, with who may lead them without a loss when nobody is in sync (KIP-966). Kafka 3.8 and newer. */
export interface DescribeTopicPartitionsRequest {
  readonly api: 'describeTopicPartitions'
  /** By name: brokers answer in the order of names, whatever is asked for. */
  readonly topics: readonly string[]
  /** Most partitions in one answer. */
  readonly limit: number
  /** Where the page before ended; `null` for the first. */
  readonly cursor: TopicPartition | null
}
export interface ReplicasOfPartition extends PartitionMetadata {
  /** Not in sync, and yet they have all that was acknowledged. */
  readonly eligible: readonly number[]
  /** Who was in sync last, where nobody is eligible any more. */
  readonly lastKnown: readonly number[]
}
export interface DescribeTopicPartitionsAnswer extends Throttled {
  readonly topics: readonly {
    readonly errorCode: number
    readonly name: string
    readonly partitions: readonly ReplicasOfPartition[]
  }[]
  /** `null`: that was the last page. */
  readonly nextCursor: TopicPartition | null
}
/** Who leads a partition, as told by a broker that does not; may be older or newer than what metadata told. */
export interface LeaderHint {
  readonly leader: number
  readonly leaderEpoch: number
}
export interface MetadataAnswer extends Throttled, ClusterDescription {
  readonly topics: readonly TopicMetadata[]
}
