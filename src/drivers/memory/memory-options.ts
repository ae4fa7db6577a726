import { ConfigError } from '../../errors.js'
import { came } from '../../input/came.js'
import {
  optionIssues,
  optionProblem,
  wholeNumber,
  withMethods,
  type Rule,
  type Rules,
} from '../../input/option-rules.js'
import { isRecord } from '../../input/shapes.js'
import type { MemoryClusterOptions, TopicOptions } from './memory-cluster.js'
import type { MemoryOptions } from './memory.js'

const duration: Rule = { expected: 'milliseconds, of at least 0', accepts: isDuration }

const runtime: Rule = {
  expected: 'a runtime: { clock, random }',
  accepts: (value) => isRecord(value) && isRecord(value['clock']) && isRecord(value['random']),
}

const memoryRules: Rules<MemoryOptions> = {
  cluster: withMethods('what createMemoryCluster returned', ['connectionFactory', 'createTopic']),
  runtime,
}

const clusterRules: Rules<MemoryClusterOptions> = {
  brokers: wholeNumber(1),
  runtime,
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
}

const topicRules: Rules<TopicOptions> = {
  partitions: wholeNumber(1),
  replicationFactor: wholeNumber(1),
  configs: { expected: "Kafka's topic settings by name, as text", accepts: isRecord },
}

export function requireMemoryOptions(options: MemoryOptions): void {
  const problem = optionProblem('memory', options, memoryRules)
  if (problem !== null) throw problem
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

function isLatency(value: unknown): boolean {
  if (!Array.isArray(value)) return isDuration(value) && Number.isFinite(value)
  const [min, max]: readonly unknown[] = value
  return value.length === 2 && isDuration(min) && isDuration(max) && min <= max && Number.isFinite(max)
}
