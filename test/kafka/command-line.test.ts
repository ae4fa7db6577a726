import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logLevel } from 'kafkajs'
import { createMessaging, DeadLetter, defineTopic, string, type Messaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import * as raw from '../support/raw-requests.js'
import { runCommand, type Around } from '../support/run-tidemark.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { until } from '../support/waiting.js'

interface Examined {
  readonly findings: readonly { readonly code: string; readonly subject: string }[]
  readonly unseen: readonly unknown[]
}

const driverOf = ({ brokers }: KafkaCluster) => kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING })
const messagingOf = (cluster: KafkaCluster): Messaging =>
  createMessaging({ driver: driverOf(cluster), durability: 'off', logger: 'silent' })
const commandOn = (cluster: KafkaCluster) => (words: string, around?: Around) =>
  runCommand(words, () => driverOf(cluster), around)

/** A folder with this `tidemark.config.json`. */
function configured(config: object): string {
  const directory = temporaryFolder('command-line')
  writeFileSync(join(directory, 'tidemark.config.json'), JSON.stringify(config))
  return directory
}

const rackOf = (id: number) => ({ 'broker.rack': id === 3 ? 'b' : 'a' })

describe('doctor, on a cluster of three brokers where everything is wrong', () => {
  let cluster: KafkaCluster
  let messaging: Messaging

  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 3,
      properties: (id) => ({
        ...rackOf(id),
        'auto.create.topics.enable': 'true',
        'offsets.retention.minutes': 1_440,
        'transaction.state.log.replication.factor': 1,
        'transaction.state.log.min.isr': 1,
      }),
    })
    messaging = messagingOf(cluster)
  })
  afterAll(async () => {
    await messaging?.close()
    await cluster?.stop()
  })

  it('finds each of fourteen things that break the promise of cp, and names the topic', async () => {
    const topics: Readonly<Record<string, Parameters<KafkaCluster['createTopic']>[1]>> = {
      lone: { replicationFactor: 1, configs: { 'min.insync.replicas': 1 } },
      thin: { configs: { 'min.insync.replicas': 1 } },
      stiff: { configs: { 'min.insync.replicas': 3 } },
      unclean: { configs: { 'unclean.leader.election.enable': 'true' } },
      paid: {},
      'paid.dlq': { configs: { 'cleanup.policy': 'compact' } },
      shipped: {},
      'shipped.dlq': { configs: { 'retention.ms': 60_000, 'max.message.bytes': 1_000 } },
      delayed: { partitions: 2 },
      'delayed.retry.billing.10m': {},
      racked: { replicationFactor: 2 },
      late: { configs: { 'retention.ms': 3_600_000 } },
      undead: {},
    }
    for (const [name, options] of Object.entries(topics)) await cluster.createTopic(name, options)
    const [first] = cluster.internalBrokers
    await raw.reassign(first as string, 'racked', 0, [1, 2])
    await until('racked is in one rack', async () => {
      const [state] = await cluster.partitionsOf('racked')
      return state?.replicas.toString() === '1,2' && state.isr.length === 2
    })
    const late = defineTopic({ name: 'late', value: string() })
    const producer = messaging.producer()
    await producer.send(late, 'unread', { timestamp: Date.now() - 3_300_000 })
    await messaging.admin.setOffsets('billing', [{ topic: 'late', partition: 0, offset: 0 }])
    const names = Object.keys(topics).map((name) => ({ name }))
    const directory = configured({ topics: [...names, { name: 'undead.letters', deadLettersOf: 'undead' }] })

    const { exit, value, err } = await commandOn(cluster)('doctor --json', { directory })
    const { findings, unseen } = value as Examined
    const found = findings.map(({ code, subject }) => `${code} ${subject}`).sort()
    expect({ exit, unseen, err, found }).toEqual({
      exit: 1,
      unseen: [],
      err: '',
      found: [
        'acknowledged-by-one thin',
        'auto-creation brokers',
        'dead-letter-compacted paid',
        'dead-letter-forgets shipped',
        'dead-letter-missing undead',
        'dead-letter-too-small shipped',
        'delay-topic-too-narrow delayed',
        'lag-near-retention group billing',
        'no-broker-to-spare racked',
        'no-broker-to-spare stiff',
        'offsets-forgotten brokers',
        'one-rack racked',
        'one-replica lone',
        'topic-missing undead.letters',
        'transactions-one-replica brokers',
        'unclean-election unclean',
      ],
    })
  })
})

describe('the command, on a healthy cluster of three brokers', () => {
  let cluster: KafkaCluster
  let messaging: Messaging
  let transactional: Messaging
  let tidemark: ReturnType<typeof commandOn>
  const orders = defineTopic({ name: 'orders', value: string(), partitions: 2 })
  const letters = defineTopic({ name: 'orders.dlq', value: string(), deadLettersOf: orders })

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3, properties: (id) => ({ 'broker.rack': `rack-${id}` }) })
    messaging = messagingOf(cluster)
    transactional = createMessaging({ driver: driverOf(cluster), profile: 'transactional', logger: 'silent' })
    tidemark = commandOn(cluster)
    await cluster.createTopic('orders', { partitions: 2 })
    await cluster.createTopic('orders.dlq', { partitions: 2 })
    await cluster.createTopic('orders.retry.billing.10m', { partitions: 2 })
    const producer = messaging.producer()
    for (const [at, key] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      await producer.send(orders, `order ${at}`, { key })
    }
    const consumer = messaging.consumer({
      group: 'billing',
      topics: [orders],
      deadLetter: { topic: letters, breaker: false },
      handle: () => {
        throw new DeadLetter('no such customer')
      },
    })
    await consumer.start()
    await until('all five are dead letters', () => consumer.lag() === 0, { timeoutMs: 60_000 })
    await consumer.stop()
  })
  afterAll(async () => {
    await transactional?.close()
    await messaging?.close()
    await cluster?.stop()
  })

  it('doctor finds nothing', async () => {
    const { exit, out, err } = await tidemark('doctor')
    expect([exit, err, out]).toEqual([0, '', 'Looked at 3 topic(s) under profile cp: nothing found.\n'])
  })

  it('tells groups, their lag, and where they would go on, and sets and deletes what somebody said yes to', async () => {
    const list = await tidemark('group list --json')
    expect(list.value).toMatchObject([{ groupId: 'billing', state: 'Empty' }])
    expect((await tidemark('lag billing')).out).toMatch(/\nbilling +0 /)
    expect((await tidemark('group reset billing --to earliest --dry-run')).out).toMatch(
      /orders +0 +\d+ +0 +-?\d+ +0 +\d+\n/,
    )
    expect((await tidemark('group reset billing --to earliest --yes')).exit).toBe(0)
    const described = await tidemark('group describe billing nobody --json')
    expect([described.exit, described.value]).toMatchObject([
      1,
      { groups: [{ groupId: 'billing' }], unknown: ['nobody'] },
    ])
    const { value } = await tidemark('lag billing --json')
    expect(value).toMatchObject([{ group: 'billing', lag: 5, partitions: [{ committed: 0 }, { committed: 0 }] }])
    const reader = messaging.consumer({ group: 'auditing', topics: [orders], handle: () => undefined })
    await reader.start()
    const refused = await tidemark('group delete auditing --yes')
    expect([refused.exit, refused.err]).toEqual([4, expect.stringMatching(/member/)])
    await reader.stop()
    expect((await tidemark('group delete auditing --yes')).out).toBe('Deleted auditing.\n')
  })

  it('changes the settings of a group that are named, and gives them back to what all groups have', async () => {
    const name = 'consumer.session.timeout.ms'
    const isOf = async () => {
      const { value } = await tidemark('group config paying --json')
      const { settings } = value as { readonly settings: readonly { readonly name: string; readonly is: string }[] }
      return settings.find((one) => one.name === name)?.is
    }
    const usual = await isOf()
    expect(usual).toMatch(/^\d+$/)
    const set = await tidemark(`group config paying --set ${name}=51000 --yes --json`)
    expect(set).toMatchObject({ exit: 0, value: { done: true, settings: [{ name, is: usual, becomes: '51000' }] } })
    await until('it is set', async () => (await isOf()) === '51000')
    expect((await tidemark(`group config paying --unset ${name} --yes`)).exit).toBe(0)
    await until('it is as before', async () => (await isOf()) === usual)
    expect(await tidemark('group config paying --set no.such.setting=1 --yes')).toMatchObject({ exit: 4 })
  })

  it('counts dead letters, sends them back, and purges them', async () => {
    expect((await tidemark('dlq list --json')).value).toMatchObject([{ partitions: 2, letters: 5, unseen: [] }])
    const stats = await tidemark('dlq stats orders.dlq --json')
    expect(stats.value).toMatchObject({ letters: 5, byReason: { rejected: 5 }, byOrigin: { orders: 5 } })
    const peeked = await tidemark('dlq peek orders.dlq --show 2 --values --json')
    expect(peeked.value).toMatchObject([{ group: 'billing' }, { value: expect.stringMatching(/^order \d$/) }])
    const redrive = await tidemark('dlq redrive orders.dlq --allow orders --group again --yes --json')
    expect([redrive.exit, redrive.value]).toMatchObject([0, { redriven: 5, ended: 'done' }])
    expect((await tidemark('dlq purge orders.dlq')).exit).toBe(2)
    expect((await tidemark('dlq purge orders.dlq --yes --json')).value).toMatchObject({ done: true, letters: 5 })
    expect((await tidemark('dlq stats orders.dlq')).exit).toBe(0)
  })

  it('shows records, and names a transaction that holds up readers', async () => {
    const { out } = await tidemark('tail orders --lines 2')
    expect(out.split('\n').filter((line) => line.includes(' order '))).toHaveLength(4)
    const [open, list] = await transactional.transaction('open-one', async (transaction) => {
      await transaction.send(orders, 'held up', { key: 'a' })
      return [
        await tidemark('transactions open orders --json'),
        await tidemark('transactions list --state Ongoing --json'),
      ]
    })
    expect(open.value).toMatchObject([{ topic: 'orders', transactionalId: 'open-one', hangs: false }])
    expect(list.value).toMatchObject([{ transactionalId: 'open-one', state: 'Ongoing' }])
    await until('nothing is open', async () => (await tidemark('transactions open orders --json')).out === '[]\n')
  })

  it('makes topics as they are defined, adds partitions, and raises settings', async () => {
    const directory = configured({
      topics: [
        { name: 'orders', partitions: 4, configs: { 'retention.ms': 1_209_600_000 } },
        { name: 'refunds', partitions: 3 },
        { name: 'refunds.dlq', deadLettersOf: 'refunds' },
      ],
    })
    expect((await tidemark('topics plan', { directory })).exit).toBe(1)
    const { exit, err } = await tidemark('topics apply --yes', { directory })
    expect([exit, err.split('\n')]).toEqual([
      0,
      ['made refunds, refunds.dlq', 'orders has 4 partitions', 'orders has retention.ms=1209600000', ''],
    ])
    await until('nothing is left to do', async () => (await tidemark('topics plan', { directory })).exit === 0)
    expect((await cluster.partitionsOf('refunds.dlq')).map(({ replicas }) => replicas.length)).toEqual([3, 3, 3])
  })

  it('names what stays as it is when a broker is lost, and who else has all that was acknowledged', async () => {
    const [first] = cluster.internalBrokers
    await cluster.createTopic('lone', { partitions: 3, replicationFactor: 1 })
    await cluster.createTopic('pair', { replicationFactor: 2, configs: { 'min.insync.replicas': 2 } })
    await raw.reassign(first as string, 'pair', 0, [1, 3])
    await until('pair is on 1 and 3', async () => {
      const [state] = await cluster.partitionsOf('pair')
      return state?.replicas.toString() === '1,3' && state.isr.length === 2
    })
    const lone = (await cluster.partitionsOf('lone')).map(({ leader }, partition) => ({ leader, partition }))
    const [lost] = lone.filter(({ leader }) => leader === 3)
    const offsets = lone.map(({ partition }) => ({ topic: 'lone', partition, offset: 0 }))
    await messaging.admin.setOffsets('resting', offsets)
    await cluster.node(3).kill()
    await until('lone has lost a leader', async () =>
      (await cluster.partitionsOf('lone')).some(({ leader }) => leader < 0),
    )
    const { exit, value } = await tidemark('group reset resting --to latest --yes --json')
    const unseen = [{ topic: 'lone', partition: lost?.partition, reason: 'no-leader' }]
    expect([exit, value]).toMatchObject([1, { done: true, resets: [{}, {}], unseen }])
    await until('pair relies on 3', async () => {
      const { value: told } = await tidemark('doctor pair --json')
      const { findings } = told as Examined
      return findings.some(({ code, subject }) => code === 'relies-on-eligible' && subject === 'pair')
    })
  })
})
