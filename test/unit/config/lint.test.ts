import { createMessaging, defineTopic, string } from 'tidemark'
import { lintSettings } from 'tidemark/health'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import type { LintFacts, LintedConsumer, LintedTopic } from '../../../src/config/lint-facts.js'
import { lint } from '../../../src/config/lint.js'
import { lintRules, type LintCode } from '../../../src/config/lint-rules.js'
import { open, simulated } from '../consumer/simulated.js'

const topic = (partitions: number, configs: Readonly<Record<string, string>> = {}): LintedTopic => ({
  partitions,
  replicas: 3,
  configs: new Map(Object.entries({ 'cleanup.policy': 'delete', ...configs })),
})

const membership = {
  groupProtocol: 'classic' as const,
  groupInstanceId: null,
  assignors: ['cooperative-sticky' as const],
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 1_000,
  rebalanceTimeoutMs: 60_000,
  requestTimeoutMs: 5_000,
  drainMs: 30_000,
}

const consumer: LintedConsumer = {
  subject: 'consumer "g"',
  group: 'g',
  membership,
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

const options = (changed: Partial<LintedConsumer['membership']>): LintFacts => ({
  ...sound,
  consumers: [{ ...consumer, membership: { ...membership, ...changed } }],
})
const transaction = (transactionTimeoutMs: number): LintFacts => ({
  ...sound,
  consumers: [{ ...consumer, transactionTimeoutMs }],
})
const beside = (changed: Partial<LintedConsumer['membership']>, other: Partial<LintedConsumer> = {}): LintFacts => ({
  ...sound,
  consumers: [
    { ...consumer, membership: { ...membership, groupInstanceId: 'one', ...changed } },
    { ...consumer, membership: { ...membership, groupInstanceId: 'two' }, ...other },
  ],
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
    breaks: [options({ rebalanceTimeoutMs: 51_666 })],
    keeps: [options({ rebalanceTimeoutMs: 51_667 })],
  },
  'transaction-over-broker': { breaks: [transaction(900_001)], keeps: [transaction(900_000)] },
  'close-over-grace': {
    breaks: [{ ...sound, closeTimeoutMs: 25_501 }],
    keeps: [
      { ...sound, closeTimeoutMs: 25_500 },
      { ...sound, closeTimeoutMs: 25_501, graceMs: null },
    ],
  },
  'drain-over-close': {
    breaks: [options({ drainMs: 30_001 }), { ...options({ drainMs: 35_000 }), closeTimeoutMs: 34_999, graceMs: null }],
    keeps: [options({ drainMs: 30_000 }), { ...options({ drainMs: 35_000 }), closeTimeoutMs: 35_000, graceMs: null }],
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
  'delay-topic-too-small': {
    breaks: [having({ 'orders.retry': topic(6, { 'max.message.bytes': '999999' }) })],
    keeps: [having({ 'orders.retry': topic(6, { 'max.message.bytes': '1000000' }) })],
  },
  'delay-topic-not-writable': {
    breaks: [having({ 'orders.retry': topic(6, { 'min.insync.replicas': '4' }) })],
    keeps: [
      having({ 'orders.retry': topic(6, { 'min.insync.replicas': '3' }) }),
      having({ 'orders.retry': { ...topic(6, { 'min.insync.replicas': '4' }), replicas: null } }),
    ],
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
  'dead-letter-not-writable': {
    breaks: [having({ 'orders.dlq': topic(6, { 'min.insync.replicas': '4' }) })],
    keeps: [having({ 'orders.dlq': topic(6, { 'min.insync.replicas': '3' }) })],
  },
  'instance-id-twice': {
    breaks: [beside({ groupInstanceId: 'two' }), beside({ groupInstanceId: 'two', groupProtocol: 'consumer' })],
    keeps: [
      beside({}),
      beside({ groupInstanceId: 'two' }, { subject: 'consumer "h"', group: 'h', delayTopics: [] }),
      { ...sound, consumers: [consumer, consumer] },
    ],
  },
  'no-common-assignor': {
    breaks: [beside({ assignors: ['range'] })],
    keeps: [
      beside({ assignors: ['range', 'cooperative-sticky'] }),
      beside({ assignors: ['range'], groupProtocol: 'consumer' }),
      beside({ assignors: ['range'] }, { subject: 'consumer "h"', group: 'h', delayTopics: [] }),
    ],
  },
  'delay-topics-shared': {
    breaks: [],
    keeps: [beside({})],
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

it('says to both groups that they put off records on the same topic', () => {
  const found = lint(beside({}, { subject: 'consumer "h"', group: 'h' }))
  expect(found.map(({ code, subject }) => `${code} of ${subject}`)).toEqual([
    'delay-topics-shared of consumer "g"',
    'delay-topics-shared of consumer "h"',
  ])
})

it('says nothing of the defaults on a cluster as Kafka is set, nor of what is not known', () => {
  expect(lint(sound)).toEqual([])
  const unknown: LintFacts = { ...options({ sessionTimeoutMs: 5_000, requestTimeoutMs: 1_000 }), broker: new Map() }
  expect(lint({ ...unknown, topics: new Map() })).toEqual([])
})

it('says whose settings they are, what came, and what to do', () => {
  expect(lint({ ...options({ drainMs: 50_000 }), closeTimeoutMs: 50_000, graceMs: null })).toEqual([
    {
      code: 'drain-over-rebalance',
      severity: 'warning',
      subject: 'consumer "g"',
      reason: 'drainMs is 50000, and a rebalance of 60000 ms leaves 35000 for it',
      fix: 'write drainMs: 35000, or raise rebalanceTimeoutMs',
    },
  ])
})

const orders = defineTopic({ name: 'orders', value: string() })

it('a start tells settings that do not go together once, and goes on', () =>
  simulated(async ({ cluster, process }) => {
    cluster.createTopic('orders')
    const told: object[] = []
    const onEvent = (event: { readonly kind: string }) => void (event.kind === 'settings-conflict' && told.push(event))
    const messaging = open(process('one'), { onEvent })
    const own = { group: 'g', topics: [orders], drainMs: 50_000, handle: () => undefined }
    for (const consumer of [messaging.consumer(own), messaging.consumer(own)]) {
      await consumer.start()
      await consumer.stop()
    }
    expect(told).toMatchObject([
      {
        code: 'drain-over-rebalance',
        severity: 'warning',
        subject: 'consumer "g"',
        fix: expect.stringContaining('drainMs'),
      },
      { code: 'drain-over-close' },
    ])
    await messaging.close()
  }))

it('lintSettings looks at consumers before their start, their topics, the brokers and the grace of the process', async () => {
  const cluster = createMemoryCluster({ brokers: 1 })
  cluster.createTopic('orders')
  const driver = memory({ cluster })
  await using messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
  messaging.consumer({
    group: 'g',
    topics: [orders],
    sessionTimeoutMs: 4_000_000,
    deadLetter: 'orders.dlq',
    handle: () => undefined,
  })
  const { findings, unseen } = await lintSettings(messaging, { graceMs: 10_000 })
  expect(findings.map(({ code, subject }) => `${code} of ${subject}`)).toEqual([
    'session-outside-broker of consumer "g"',
    'close-over-grace of messaging',
    'dead-letter-missing of consumer "g"',
  ])
  expect(unseen).toEqual([])
  await expect(lintSettings(messaging, { graceMs: -1 })).rejects.toThrow('graceMs')
})

it('lintSettings says what it could not look at, and judges nothing of it', async () => {
  const cluster = createMemoryCluster({ brokers: 1 })
  cluster.createTopic('orders')
  const driver = memory({ cluster })
  await using messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
  messaging.consumer({ group: 'g', topics: [orders], deadLetter: 'orders.dlq', handle: () => undefined })
  const { findings, unseen } = await lintSettings(messaging, { timeoutMs: 0 })
  expect(findings).toEqual([])
  expect(unseen.map(({ what }) => what).sort()).toEqual(['brokers', 'topics'])
})
