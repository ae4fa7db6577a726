import type { ResolvedConsumerOptions } from '../consumer/options/consumer-schema.js'

/** A consumer as its options settle it. */
export interface LintedConsumer {
  /** For people: `consumer "billing"`. */
  readonly subject: string
  /** `null`: it is in no group. */
  readonly membership: Pick<
    ResolvedConsumerOptions,
    'groupProtocol' | 'sessionTimeoutMs' | 'heartbeatIntervalMs' | 'rebalanceTimeoutMs' | 'requestTimeoutMs' | 'drainMs'
  > | null
  readonly topics: readonly string[]
  /** `null` without transactions. */
  readonly transactionTimeoutMs: number | null
  readonly delayTopics: readonly { readonly topic: string; readonly source: string; readonly delayMs: number }[]
  readonly deadLetter: string | null
}

/** A topic as the cluster has it. Settings that it does not tell are missing. */
export interface LintedTopic {
  readonly partitions: number
  readonly configs: ReadonlyMap<string, string | null>
}

/** All that the rules judge. What is `null` or missing is not known, and no rule says anything of it. */
export interface LintFacts {
  readonly closeTimeoutMs: number
  /** After so long from the signal the process is killed: Kubernetes's `terminationGracePeriodSeconds`. */
  readonly graceMs: number | null
  readonly consumers: readonly LintedConsumer[]
  /** Topics that were looked at; `null` for one that does not exist. */
  readonly topics: ReadonlyMap<string, LintedTopic | null>
  /** Settings of a broker, by Kafka's names. */
  readonly broker: ReadonlyMap<string, string | null>
}
