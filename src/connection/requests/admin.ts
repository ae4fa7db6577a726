import type { Throttled, WithError } from './answer.js'

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
  readonly resources: readonly { readonly type: 'topic' | 'broker'; readonly name: string }[]
}
export interface DescribeConfigsAnswer extends Throttled {
  readonly resources: readonly (NamedError & {
    readonly type: 'topic' | 'broker'
    readonly entries: readonly { readonly name: string; readonly value: string | null; readonly isDefault: boolean }[]
  })[]
}
