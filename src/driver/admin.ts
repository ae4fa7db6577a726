import type { NewTopic } from '../connection/requests/admin.js'
import type { IsolationLevel } from '../connection/requests/fetch.js'
import type { ClusterDescription, TopicMetadata } from '../connection/requests/metadata.js'
import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { StartPosition } from './consumer.js'

/** Every method is bounded by `deadline` (by `clock.now()`) and rejects with a `DriverError` that names the topic or group. */
export interface DriverAdmin {
  /** Creates what is missing; resolves to the names created. Existing topics are left as they are. */
  createTopics(topics: readonly NewTopic[], deadline: number): Promise<readonly string[]>
  deleteTopics(topics: readonly string[], deadline: number): Promise<void>
  createPartitions(topic: string, count: number, deadline: number): Promise<void>
  describeCluster(deadline: number): Promise<ClusterDescription>
  /** Topics that do not exist are left out. `null` lists all. */
  describeTopics(topics: readonly string[] | null, deadline: number): Promise<readonly TopicMetadata[]>
  /** Configuration of a topic or broker by name. */
  describeConfig(type: 'topic' | 'broker', name: string, deadline: number): Promise<ReadonlyMap<string, string | null>>
  /** One offset each, in order; a time after the last record gives the end. */
  listOffsets(
    partitions: readonly TopicPartition[],
    position: StartPosition,
    isolation: IsolationLevel,
    deadline: number,
  ): Promise<readonly number[]>
  /** What a group has committed; `null` = all its partitions. Partitions without a commit are left out. */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    deadline: number,
  ): Promise<readonly CommittedPartition[]>
  close(): Promise<void>
}
