import type { ResolvedConsumerOptions } from '../consumer/options/consumer-schema.js'

/** A consumer as its options settle it. */
export interface LintedConsumer {
  /** For people, and one for each group: `consumer "billing"`. */
  readonly subject: string
  readonly group: string | null
  /** `null`: it is in no group. */
  readonly membership: Pick<
    ResolvedConsumerOptions,
    | 'groupProtocol'
    | 'groupInstanceId'
    | 'assignors'
    | 'sessionTimeoutMs'
    | 'heartbeatIntervalMs'
    | 'rebalanceTimeoutMs'
    | 'requestTimeoutMs'
    | 'drainMs'
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
  /** Of the partition that has fewest; `null` when it is not known, or somebody else judges it. */
  readonly replicas: number | null
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

/** `error`: it cannot work. `warning`: it works until something goes wrong. */
export type LintSeverity = 'error' | 'warning'

interface Found {
  /** Whose settings. */
  readonly subject: string
  readonly reason: string
  readonly fix: string
}

export interface LintRule {
  readonly severity: LintSeverity
  readonly find: (facts: LintFacts) => readonly Found[]
}
