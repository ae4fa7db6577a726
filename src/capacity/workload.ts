import { ConfigError, type ConfigIssue } from '../errors.js'
import { came } from '../input/came.js'
import { given } from '../input/given.js'
import { flag, optionIssues, wholeNumber, type Rule, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'

/** What handling a message costs. */
export interface HandlerCost {
  /** How long a handler takes for one message, on average. */
  readonly ms: number
  /** Handlers that run at once for one partition: 1 by partition, `concurrency` of a process by key. Default 1. */
  readonly atOnce?: number | undefined
}

/** What one broker can bear; what is left out is not checked. */
export interface BrokerLimits {
  /** Brokers of the cluster. Default 3. */
  readonly count?: number | undefined
  readonly diskBytes?: number | undefined
  /** Of its network, in each direction. */
  readonly bytesPerSecond?: number | undefined
  /** Replicas of partitions. Default 2,000, which is what managed services allow for a broker of middle size. */
  readonly replicas?: number | undefined
}

/** What a topic has to carry. Rates are those of the busiest hour, sizes those that are stored, after compression. */
export interface Workload {
  readonly messagesPerSecond: number
  readonly messageBytes: number
  readonly retentionMs: number
  /** Default 3. */
  readonly replicationFactor?: number | undefined
  /** Groups that read all of it. Default 1. */
  readonly groups?: number | undefined
  /** What is added to the rates for what nobody foresaw: 0.3 to 0.5 is usual. Default 0.4. */
  readonly headroom?: number | undefined
  /** How many times as much it will be before partitions may be added: 2 to 3 for keyed topics. Default 1. */
  readonly growth?: number | undefined
  /** Messages have keys, whose order would begin anew with more partitions. Default true. */
  readonly keyed?: boolean | undefined
  /** Bytes per second that one partition takes; measure it. Default 10,000,000. */
  readonly producedPerPartition?: number | undefined
  /** Bytes per second that are read from one partition; measure it. Default 20,000,000. */
  readonly consumedPerPartition?: number | undefined
  readonly handler?: HandlerCost | undefined
  /** Messages per second that one process handles, as measured. */
  readonly perProcess?: number | undefined
  /** Processes that are planned. Default: as many as are needed, and one to spare. */
  readonly processes?: number | undefined
  /** How long consumers may be down: what has piled up by then is to be made up for. Default one hour. */
  readonly outageMs?: number | undefined
  /** How long records wait for those before them by event time. Default 0. */
  readonly reorderMs?: number | undefined
  readonly brokers?: BrokerLimits | undefined
}

/** With nothing left open. */
type Whole<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> }

export interface ResolvedWorkload extends Whole<Omit<Workload, 'handler' | 'perProcess' | 'processes' | 'brokers'>> {
  readonly handler: Whole<HandlerCost> | null
  readonly perProcess: number | null
  readonly processes: number | null
  readonly brokers: Whole<Pick<BrokerLimits, 'count' | 'replicas'>> & {
    readonly diskBytes: number | null
    readonly bytesPerSecond: number | null
  }
}

/** More of anything is a slip of the pen, and would be no number when multiplied. */
const mostOfAll = 1e15

const workloadRules: Rules<Workload> = {
  messagesPerSecond: above(0),
  messageBytes: above(0),
  retentionMs: above(0),
  replicationFactor: wholeNumber(1, 100),
  groups: wholeNumber(0, 10_000),
  headroom: from(0, 10),
  growth: from(1, 1_000),
  keyed: flag,
  producedPerPartition: above(0),
  consumedPerPartition: above(0),
  handler: { expected: 'an object with ms and atOnce', accepts: isRecord },
  perProcess: above(0),
  processes: wholeNumber(1, 100_000),
  outageMs: from(0),
  reorderMs: from(0),
  brokers: { expected: 'an object with count, diskBytes, bytesPerSecond and replicas', accepts: isRecord },
}

const handlerRules: Rules<HandlerCost> = { ms: above(0), atOnce: wholeNumber(1, 1_000_000) }

const brokerRules: Rules<BrokerLimits> = {
  count: wholeNumber(1, 10_000),
  diskBytes: above(0),
  bytesPerSecond: above(0),
  replicas: wholeNumber(1, 1_000_000),
}

const required = ['messagesPerSecond', 'messageBytes', 'retentionMs'] as const

/** @throws ConfigError with everything that is wrong with it */
export function resolveWorkload(workload: Workload): ResolvedWorkload {
  const issues = issuesOf(workload)
  if (issues.length > 0) throw new ConfigError('planCapacity', issues)
  const { handler, brokers, ...others } = workload
  return {
    replicationFactor: 3,
    groups: 1,
    headroom: 0.4,
    growth: 1,
    keyed: true,
    producedPerPartition: 10e6,
    consumedPerPartition: 20e6,
    perProcess: null,
    processes: null,
    outageMs: 3_600_000,
    reorderMs: 0,
    ...given(others),
    handler: handler === undefined ? null : { atOnce: 1, ...given(handler) },
    brokers: { count: 3, diskBytes: null, bytesPerSecond: null, replicas: 2_000, ...given(brokers ?? {}) },
  } as ResolvedWorkload
}

function issuesOf(workload: Workload): ConfigIssue[] {
  const issues = optionIssues(workload, workloadRules)
  if (!isRecord(workload)) return issues
  const { handler, brokers } = workload
  if (isRecord(handler)) issues.push(...within('handler', handler, handlerRules, ['ms']))
  if (isRecord(brokers)) issues.push(...within('brokers', brokers, brokerRules))
  return [...missing(workload, workloadRules, required), ...issues]
}

function within<Options>(
  name: string,
  options: Readonly<Record<string, unknown>>,
  rules: Rules<Options>,
  needed: readonly (keyof Options & string)[] = [],
): ConfigIssue[] {
  const issues = [...missing(options, rules, needed), ...optionIssues(options, rules)]
  return issues.map((issue) => ({ ...issue, path: `${name}.${issue.path}` }))
}

function missing<Options>(
  options: Readonly<Record<string, unknown>>,
  rules: Rules<Options>,
  names: readonly (keyof Options & string)[],
): ConfigIssue[] {
  return names
    .filter((name) => options[name] === undefined)
    .map((name) => ({ path: name, message: came(undefined), fix: `write ${rules[name].expected}` }))
}

function above(least: number): Rule {
  return {
    expected: `a number above ${least}`,
    accepts: (value) => typeof value === 'number' && value > least && value <= mostOfAll,
  }
}

function from(least: number, most = mostOfAll): Rule {
  return {
    expected: most === mostOfAll ? `a number from ${least}` : `a number from ${least} to ${most}`,
    accepts: (value) => typeof value === 'number' && value >= least && value <= most,
  }
}
