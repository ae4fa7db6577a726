import { expect, it } from 'vitest'
import type { LintFacts, LintedConsumer, LintedTopic } from '../../../src/config/lint-facts.js'
import { lint } from '../../../src/config/lint.js'
import { lintRules, type LintCode } from '../../../src/config/lint-rules.js'

const topic = (partitions: number, configs: Readonly<Record<string, string>> = {}): LintedTopic => ({
  partitions,
  configs: new Map(Object.entries({ 'cleanup.policy': 'delete', ...configs })),
})

const consumer: LintedConsumer = {
  subject: 'consumer "g"',
  options: {
    groupProtocol: 'classic',
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 1_000,
    rebalanceTimeoutMs: 60_000,
    requestTimeoutMs: 5_000,
    drainMs: 30_000,
  },
  topics: ['orders'],
  transactionTimeoutMs: 10_000,
  delayTopics: [{ topic: 'orders.retry', source: 'orders', delayMs: 60_000 }],
  deadLetter: 'orders.dlq',
}

const week = String(7 * 86_400_000)
const topics: Readonly<Record<string, LintedTopic | null>> = {
  orders: topic(6, { 'retention.ms': week, 'max.message.bytes': '1000000' }),
  'orders.retry': topic(6, { 'retention.ms': week }),
  'orders.dlq': topic(6, { 'retention.ms': '-1', 'max.message.bytes': '1100000' }),
}

/** Defaults, on a cluster as Kafka is set by itself. */
const sound: LintFacts = {
  closeTimeoutMs: 25_000,
  graceMs: 30_000,
  consumers: [consumer],
  topics: new Map(Object.entries(topics)),
  broker: new Map([
    ['group.min.session.timeout.ms', '6000'],
    ['group.max.session.timeout.ms', '1800000'],
    ['transaction.max.timeout.ms', '900000'],
  ]),
}

const options = (changed: Partial<LintedConsumer['options']>): LintFacts => ({
  ...sound,
  consumers: [{ ...consumer, options: { ...consumer.options, ...changed } }],
})
const transaction = (transactionTimeoutMs: number): LintFacts => ({
  ...sound,
  consumers: [{ ...consumer, transactionTimeoutMs }],
})
const having = (changed: Readonly<Record<string, LintedTopic | null>>): LintFacts => ({
  ...sound,
  topics: new Map(Object.entries({ ...topics, ...changed })),
})

/** For each rule what just does not work, and what just does. */
const bounds: Readonly<
  Record<LintCode, { readonly breaks: readonly LintFacts[]; readonly keeps: readonly LintFacts[] }>
> = {
  'session-outside-broker': {
    breaks: [options({ sessionTimeoutMs: 5_999, requestTimeoutMs: 4_000 }), options({ sessionTimeoutMs: 1_800_001 })],
    keeps: [
      options({ sessionTimeoutMs: 6_000 }),
      options({ sessionTimeoutMs: 1_800_000 }),
      options({ sessionTimeoutMs: 5_999, groupProtocol: 'consumer' }),
    ],
  },
  'rebalance-before-heartbeat': {
    breaks: [options({ rebalanceTimeoutMs: 1_000, drainMs: 0 })],
    keeps: [options({ rebalanceTimeoutMs: 1_001, drainMs: 0 })],
  },
  'request-over-session': {
    breaks: [options({ requestTimeoutMs: 44_001 })],
    keeps: [options({ requestTimeoutMs: 44_000 }), options({ requestTimeoutMs: 44_001, groupProtocol: 'consumer' })],
  },
  'drain-over-rebalance': {
    breaks: [options({ drainMs: 35_001 })],
    keeps: [options({ drainMs: 35_000 })],
  },
  'transaction-over-broker': { breaks: [transaction(900_001)], keeps: [transaction(900_000)] },
  'close-over-grace': {
    breaks: [{ ...sound, closeTimeoutMs: 25_501 }],
    keeps: [
      { ...sound, closeTimeoutMs: 25_500 },
      { ...sound, closeTimeoutMs: 25_501, graceMs: null },
    ],
  },
  'delay-topic-missing': { breaks: [having({ 'orders.retry': null })], keeps: [] },
  'delay-topic-compacted': {
    breaks: [having({ 'orders.retry': topic(6, { 'cleanup.policy': 'compact,delete' }) })],
    keeps: [],
  },
  'delay-topic-too-narrow': {
    breaks: [having({ 'orders.retry': topic(5) })],
    keeps: [having({ 'orders.retry': topic(7) }), having({ 'orders.retry': topic(5), orders: null })],
  },
  'delay-over-retention': {
    breaks: [having({ 'orders.retry': topic(6, { 'retention.ms': '119999' }) })],
    keeps: [
      having({ 'orders.retry': topic(6, { 'retention.ms': '120000' }) }),
      having({ 'orders.retry': topic(6, { 'retention.ms': '-1' }) }),
    ],
  },
  'dead-letter-missing': { breaks: [having({ 'orders.dlq': null })], keeps: [] },
  'dead-letter-compacted': {
    breaks: [having({ 'orders.dlq': topic(6, { 'cleanup.policy': 'compact' }) })],
    keeps: [],
  },
  'dead-letter-forgets': {
    breaks: [
      having({ 'orders.dlq': topic(6, { 'retention.ms': '86400000' }) }),
      having({ 'orders.dlq': topic(6, { 'retention.ms': week }), orders: topic(6, { 'retention.ms': '-1' }) }),
    ],
    keeps: [having({ 'orders.dlq': topic(6, { 'retention.ms': week }) })],
  },
  'dead-letter-too-small': {
    breaks: [having({ 'orders.dlq': topic(6, { 'max.message.bytes': '999999' }) })],
    keeps: [having({ 'orders.dlq': topic(6, { 'max.message.bytes': '1000000' }) })],
  },
}

it.each(Object.keys(lintRules) as LintCode[])(
  '%s is found where it does not work, and not where it just does',
  (code) => {
    const { breaks, keeps } = bounds[code]
    const codesOf = (facts: LintFacts) => lint(facts).map((finding) => finding.code)
    expect(breaks.map(codesOf)).toEqual(breaks.map(() => [code]))
    expect(keeps.map(codesOf)).toEqual(keeps.map(() => []))
  },
)

it('says nothing of the defaults on a cluster as Kafka is set, nor of what is not known', () => {
  expect(lint(sound)).toEqual([])
  const unknown: LintFacts = { ...options({ sessionTimeoutMs: 5_000, requestTimeoutMs: 1_000 }), broker: new Map() }
  expect(lint({ ...unknown, topics: new Map() })).toEqual([])
})

it('says whose settings they are, what came, and what to do', () => {
  expect(lint(options({ drainMs: 50_000 }))).toEqual([
    {
      code: 'drain-over-rebalance',
      severity: 'warning',
      subject: 'consumer "g"',
      reason: 'drainMs is 50000, and a rebalance of 60000 ms leaves 35000 for it',
      fix: 'write drainMs: 35000, or raise rebalanceTimeoutMs',
    },
  ])
})
