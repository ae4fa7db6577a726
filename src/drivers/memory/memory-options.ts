import { ConfigError } from '../../errors.js'
import { came } from '../../input/came.js'
import { optionIssues, wholeNumber, type Rule, type Rules } from '../../input/option-rules.js'
import { isRecord } from '../../input/shapes.js'
import type { Runtime } from '../../runtime/runtime.js'

/** How a cluster inside the process is made. */
export interface MemoryClusterOptions {
  /** Default 3, numbered from 0. */
  readonly brokers?: number | undefined
  /** Time and chance. Default the system's. */
  readonly runtime?: Runtime | undefined
  /** Round trip between client and broker, or the bounds it is drawn from. Default 0: the next turn of the event loop. */
  readonly latencyMs?: number | readonly [min: number, max: number] | undefined
  /** Default 2, with one broker 1. */
  readonly minInsyncReplicas?: number | undefined
  /** Of topics that do not say. Default 3, or as many as there are brokers. */
  readonly replicationFactor?: number | undefined
  /** Of topics that do not say. Default 1. */
  readonly partitions?: number | undefined
  /** Largest record batch. Default 1 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** Longest metadata text of a committed offset. Default 4096. */
  readonly offsetMetadataMaxBytes?: number | undefined
  /** How long followers take to copy. Default 0: they have a record as soon as their leader has it. */
  readonly replicationDelayMs?: number | undefined
  /** From a broker's death until others take over. Default 0. */
  readonly failoverMs?: number | undefined
  /** How long the first rebalance of an empty group waits for more members. Default 0 (Kafka's is 3000). */
  readonly initialRebalanceDelayMs?: number | undefined
  /** Shortest session timeout that is accepted. Default 6000, as Kafka's. */
  readonly minSessionTimeoutMs?: number | undefined
  /** Silence after which a member of the `consumer` group protocol is out. Default 45000, as Kafka's. */
  readonly consumerSessionTimeoutMs?: number | undefined
  /** How often members of the `consumer` group protocol are told to send heartbeats. Default 5000, as Kafka's. */
  readonly consumerHeartbeatIntervalMs?: number | undefined
  /** From the decision over a transaction until its markers are written. Default 0: they follow the answer. */
  readonly markerDelayMs?: number | undefined
  /** How often transactions that take too long are looked for. Default 10000, as Kafka's. */
  readonly transactionCheckMs?: number | undefined
  /** Longest transaction timeout that is accepted. Default 900000, as Kafka's. */
  readonly maxTransactionTimeoutMs?: number | undefined
  /** What the cluster has agreed on as `transaction.version`. Default 2, as new clusters from Kafka 4.0 on. */
  readonly transactionVersion?: 0 | 1 | 2 | undefined
  /** What the cluster has agreed on as `group.version`: 0 has no `consumer` group protocol. Default 1, as new clusters from Kafka 4.0 on. */
  readonly groupVersion?: 0 | 1 | undefined
  /** Epoch of the first producer of a transactional id. Default 0; ids are used up at 32766. */
  readonly firstProducerEpoch?: number | undefined
  /** `broker.rack` of each broker, in order: a consumer with a `rackId` reads from a replica of its rack. Default: none. */
  readonly racks?: readonly string[] | undefined
  /** What tells this cluster from another one that has a topic of the same name. Default `memory`. */
  readonly clusterId?: string | undefined
}

/** How `createTopic` of a cluster inside the process makes one. Default: as the cluster makes any. */
export interface TopicOptions {
  readonly partitions?: number | undefined
  readonly replicationFactor?: number | undefined
  /** Kafka's topic settings by name. */
  readonly configs?: Readonly<Record<string, string>> | undefined
}

const duration: Rule = { expected: 'milliseconds, of at least 0', accepts: isDuration }

const clusterId: Rule = { expected: 'text', accepts: (value) => typeof value === 'string' && value !== '' }

const transactionVersion: Rule = {
  expected: '0, 1 or 2',
  accepts: (value) => [0, 1, 2].some((level) => level === value),
}

export const runtimeRule: Rule = {
  expected: 'a runtime: { clock, random }',
  accepts: (value) => isRecord(value) && isRecord(value['clock']) && isRecord(value['random']),
}

const clusterRules: Rules<MemoryClusterOptions> = {
  brokers: wholeNumber(1),
  runtime: runtimeRule,
  latencyMs: { expected: 'milliseconds, of at least 0, or [min, max] of them', accepts: isLatency },
  minInsyncReplicas: wholeNumber(1),
  replicationFactor: wholeNumber(1),
  partitions: wholeNumber(1),
  maxMessageBytes: wholeNumber(1),
  offsetMetadataMaxBytes: wholeNumber(0),
  replicationDelayMs: duration,
  failoverMs: duration,
  initialRebalanceDelayMs: duration,
  minSessionTimeoutMs: duration,
  consumerSessionTimeoutMs: wholeNumber(1),
  consumerHeartbeatIntervalMs: wholeNumber(1),
  markerDelayMs: duration,
  transactionCheckMs: wholeNumber(1),
  maxTransactionTimeoutMs: wholeNumber(1),
  transactionVersion,
  groupVersion: { expected: '0 or 1', accepts: (value) => value === 0 || value === 1 },
  firstProducerEpoch: wholeNumber(0),
  racks: { expected: 'a list of names, one for each broker', accepts: isListOfNames },
  clusterId,
}

const topicRules: Rules<TopicOptions> = {
  partitions: wholeNumber(1),
  replicationFactor: wholeNumber(1),
  configs: { expected: "Kafka's topic settings by name, as text", accepts: isRecord },
}

/** @param brokers how many there are unless the options say */
export function requireClusterOptions(options: MemoryClusterOptions, brokers: number): void {
  const issues = optionIssues(options, clusterRules)
  if (issues.length === 0) {
    const { replicationFactor = 1, brokers: present = brokers } = options
    if (replicationFactor > present) {
      const message = `is ${replicationFactor}, and there are ${present} brokers`
      issues.push({ path: 'replicationFactor', message, fix: 'write at most as many, or raise brokers' })
    }
  }
  if (issues.length > 0) throw new ConfigError('createMemoryCluster', issues)
}

export function requireTopicOptions(name: string, options: TopicOptions): void {
  const issues = optionIssues(options, topicRules)
  if (typeof name !== 'string') issues.unshift({ path: 'name', message: came(name), fix: "write the topic's name" })
  if (issues.length > 0) throw new ConfigError('createTopic', issues)
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0
}

function isListOfNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '')
}

function isLatency(value: unknown): boolean {
  if (!Array.isArray(value)) return isDuration(value) && Number.isFinite(value)
  const [min, max]: readonly unknown[] = value
  return value.length === 2 && isDuration(min) && isDuration(max) && min <= max && Number.isFinite(max)
}
