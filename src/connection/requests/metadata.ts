import type { Throttled } from './answer.js'

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
export interface TopicMetadata {
  readonly errorCode: number
  readonly name: string
  /** Another one for every topic that was ever made, as Kafka prints it; `null` from brokers before Kafka 2.8. */
  readonly topicId: string | null
  readonly isInternal: boolean
  readonly partitions: readonly PartitionMetadata[]
}
/** Who leads a partition, as told by a broker that does not; may be older or newer than what metadata told. */
export interface LeaderHint {
  readonly leader: number
  readonly leaderEpoch: number
}
export interface MetadataAnswer extends Throttled, ClusterDescription {
  readonly topics: readonly TopicMetadata[]
}
