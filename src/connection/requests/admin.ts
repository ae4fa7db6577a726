import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'

/** A topic to be created. */
export interface NewTopic {
  readonly name: string
  /** -1 takes the broker's default. */
  readonly partitions: number
  /** -1 takes the broker's default. */
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}
export interface NamedError extends WithError {
  readonly name: string
  readonly errorMessage: string | null
}
export interface CreateTopicsRequest {
  readonly api: 'createTopics'
  readonly topics: readonly NewTopic[]
  readonly timeoutMs: number
  readonly validateOnly: boolean
}
export interface CreateTopicsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface DeleteTopicsRequest {
  readonly api: 'deleteTopics'
  readonly topics: readonly string[]
  readonly timeoutMs: number
}
export interface DeleteTopicsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface CreatePartitionsRequest {
  readonly api: 'createPartitions'
  readonly topics: readonly { readonly name: string; readonly count: number }[]
  readonly timeoutMs: number
}
export interface CreatePartitionsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface DescribeConfigsRequest {
  readonly api: 'describeConfigs'
  readonly resources: readonly { readonly type: ResourceType; readonly name: string }[]
}
export interface DescribeConfigsAnswer extends Throttled {
  readonly resources: readonly (NamedError & {
    readonly type: ResourceType
    readonly entries: readonly { readonly name: string; readonly value: string | null; readonly isDefault: boolean }[]
  })[]
}
export interface DeleteRecordsRequest {
  readonly api: 'deleteRecords'
  /** At the leader of each; `before` is the first offset that stays, -1 the high watermark. */
  readonly partitions: readonly (TopicPartition & { readonly before: number })[]
  readonly timeoutMs: number
}
export interface DeleteRecordsAnswer extends Throttled {
  readonly partitions: readonly (TopicPartition & WithError & { readonly logStartOffset: number })[]
}
/** What has a configuration. */
export type ResourceType = 'topic' | 'broker' | 'group'
export interface AlterConfigsRequest {
  readonly api: 'incrementalAlterConfigs'
  readonly type: ResourceType
  readonly name: string
  /** `null`: as nobody had set it. */
  readonly changes: readonly { readonly name: string; readonly value: string | null }[]
  readonly validateOnly: boolean
}
export interface AlterConfigsAnswer extends Throttled {
  readonly resources: readonly NamedError[]
}
export interface ElectLeadersRequest {
  readonly api: 'electLeaders'
  /** The first replica of each, if it is in sync. */
  readonly partitions: readonly TopicPartition[]
  readonly timeoutMs: number
}
export interface ElectLeadersAnswer extends Throttled, WithError {
  readonly partitions: readonly (TopicPartition & WithError)[]
}
