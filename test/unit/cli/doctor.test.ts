import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMessaging } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import type { DoctorFacts } from '../../../src/doctor/facts.js'
import { diagnose } from '../../../src/doctor/rules.js'
import { profiles } from '../../../src/config/profiles.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { put } from '../consumer/simulated.js'
import { tidemark } from './command-line.js'

const healthy: DoctorFacts = {
  profile: 'cp',
  needs: profiles.cp.brokerNeeds,
  transactionTimeoutMs: null,
  cluster: { brokers: [0, 1, 2, 3], address: 'kafka:9092' },
  racks: new Map([
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
    [3, 'a'],
  ]),
  broker: new Map([
    ['auto.create.topics.enable', 'false'],
    ['offsets.retention.minutes', '10080'],
    ['offsets.topic.replication.factor', '3'],
    ['transaction.state.log.replication.factor', '3'],
  ]),
  topics: [],
  eligible: [],
  missing: [],
  sides: [],
  late: [],
}

const usual = { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false', 'retention.ms': '604800000' }

function topic(
  name: string,
  {
    replicas = [[0, 1, 2]],
    configs = {} as Readonly<Record<string, string>>,
    isr = undefined as number[] | undefined,
    leader = 0,
  } = {},
) {
  return {
    name,
    replicas,
    partitions: replicas.map((brokers) => ({ leader, isr: isr ?? brokers })),
    configs: new Map(Object.entries({ ...usual, ...configs })),
  }
}

const orders0 = { topic: 'orders', partition: 0, leader: -1, isr: [], eligible: [], lastKnown: [] }

const delayed = { topic: 'orders.retry.billing.10m', source: 'orders', delayMs: 600_000 }
const withDeadLetters = (configs: Readonly<Record<string, string>>) => ({
  topics: [topic('orders', { configs: { 'max.message.bytes': '2000' } }), topic('orders.dlq', { configs })],
  sides: [{ source: 'orders', deadLetter: 'orders.dlq', delayTopics: [] }],
})

it('finds nothing where nothing is wrong', () => {
  const topics = [topic('orders'), topic('orders.dlq'), topic(delayed.topic)]
  const sides = [{ source: 'orders', deadLetter: 'orders.dlq', delayTopics: [delayed] }]
  expect(diagnose({ ...healthy, topics, sides })).toEqual([])
})

it.each<[code: string, facts: Partial<DoctorFacts>]>([
  ['topic-missing', { missing: ['orders'] }],
  ['no-leader', { topics: [topic('orders', { leader: -1 })] }],
  ['under-replicated', { topics: [topic('orders', { isr: [0, 1] })] }],
  ['relies-on-eligible', { eligible: [{ topic: 'orders', partitions: [{ ...orders0, eligible: [2] }] }] }],
  ['last-leader-needed', { eligible: [{ topic: 'orders', partitions: [{ ...orders0, lastKnown: [1] }] }] }],
  ['one-replica', { topics: [topic('orders', { replicas: [[0]], configs: { 'min.insync.replicas': '1' } })] }],
  ['not-writable', { topics: [topic('orders', { configs: { 'min.insync.replicas': '4' } })] }],
  ['acknowledged-by-one', { topics: [topic('orders', { configs: { 'min.insync.replicas': '1' } })] }],
  ['no-broker-to-spare', { topics: [topic('orders', { configs: { 'min.insync.replicas': '3' } })] }],
  ['unclean-election', { topics: [topic('orders', { configs: { 'unclean.leader.election.enable': 'true' } })] }],
  [
    'one-rack',
    {
      topics: [
        topic('orders', {
          replicas: [
            [0, 1, 2],
            [0, 3],
          ],
        }),
      ],
      needs: null,
    },
  ],
  ['flushes-often', { topics: [topic('orders', { configs: { 'flush.messages': '1' } })] }],
  ['dead-letter-compacted', withDeadLetters({ 'cleanup.policy': 'compact', 'max.message.bytes': '2000' })],
  ['dead-letter-forgets', withDeadLetters({ 'retention.ms': '1000', 'max.message.bytes': '2000' })],
  ['dead-letter-too-small', withDeadLetters({ 'max.message.bytes': '1000' })],
  [
    'dead-letter-missing',
    {
      topics: [topic('orders')],
      sides: [{ source: 'orders', deadLetter: 'orders.dlq', delayTopics: [] }],
      missing: ['orders.dlq'],
    },
  ],
  [
    'delay-topic-too-narrow',
    {
      topics: [
        topic('orders', {
          replicas: [
            [0, 1, 2],
            [0, 1, 2],
          ],
        }),
        topic(delayed.topic),
      ],
      sides: [{ source: 'orders', deadLetter: null, delayTopics: [delayed] }],
    },
  ],
  [
    'transaction-over-broker',
    { transactionTimeoutMs: 10_000, broker: new Map([['transaction.max.timeout.ms', '9999']]) },
  ],
  ['lag-near-retention', { late: [{ group: 'billing', topic: 'orders', partitions: [0], retentionMs: 1_000 }] }],
  ['auto-creation', { broker: new Map([['auto.create.topics.enable', 'true']]) }],
  ['offsets-forgotten', { broker: new Map([['offsets.retention.minutes', '1440']]) }],
  ['offsets-one-replica', { broker: new Map([['offsets.topic.replication.factor', '1']]) }],
  ['transactions-one-replica', { broker: new Map([['transaction.state.log.replication.factor', '1']]) }],
])('finds %s, says why, and what mends it', (code, facts) => {
  const found = diagnose({ ...healthy, ...facts }).filter(({ code: one }) => one !== 'topic-missing' || one === code)
  expect(found.map((one) => one.code)).toEqual([code])
  expect(found[0]?.reason).not.toBe('')
  expect(found[0]?.fix).not.toBe('')
})

it('looks at a cluster: topics of the file, their dead letters, and groups that will lose records', async () => {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders', { configs: { 'min.insync.replicas': '1', 'retention.ms': '1000' } })
  put(cluster, ['old'], 'orders')
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  await messaging.admin.setOffsets('billing', [{ topic: 'orders', partition: 0, offset: 0 }])
  await messaging.close()
  const directory = temporaryFolder('cli-doctor')
  const topics = [{ name: 'orders' }, { name: 'orders.dead', deadLettersOf: 'orders' }]
  writeFileSync(join(directory, 'tidemark.config.json'), JSON.stringify({ topics }))
  const { exit, out, value } = await tidemark(cluster, 'doctor --json', { directory })
  expect(exit).toBe(1)
  const { findings } = value as { readonly findings: readonly { readonly code: string }[] }
  expect(findings.map(({ code }) => code)).toEqual([
    'topic-missing',
    'acknowledged-by-one',
    'dead-letter-missing',
    'lag-near-retention',
  ])
  expect(out).toContain('kafka-configs.sh')
  await cluster.close()
})

it('says that nothing was found, of all topics where none is named', async () => {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders')
  const { exit, out } = await tidemark(cluster, 'doctor')
  expect([exit, out]).toEqual([0, 'Looked at 1 topic(s) under profile cp: nothing found.\n'])
  expect((await tidemark(cluster, 'doctor refunds')).out).toContain('error topic-missing refunds\n')
  await cluster.close()
})

it('says of a cluster of one broker that nothing outlives its disk, where it finds nothing else', async () => {
  const cluster = createMemoryCluster({ brokers: 1 })
  cluster.createTopic('orders')
  const { out, exit } = await tidemark(cluster, 'doctor orders')
  expect(out).toMatch(/nothing found\.\n+The cluster has one broker: what it acknowledges is lost with its disk\.\n$/)
  expect(exit).toBe(0)
  await cluster.close()
})
