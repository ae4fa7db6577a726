import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { brokerCode } from '../../src/connection/broker-error.js'
import type { Connection, ConnectionFactory } from '../../src/connection/connection.js'
import type { ConsumerGroupHeartbeatRequest } from '../../src/connection/requests/consumer-groups.js'
import { kafkajsConnections } from '../../src/drivers/kafkajs/connections.js'
import { createMessaging, defineTopic, string, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { pattern } from '../../src/pattern.js'
import { createProtocolDriver } from '../../src/protocol/driver.js'
import { systemRuntime } from '../../src/runtime/runtime.js'
import { freePorts } from '../support/free-ports.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { connectedProducer, store } from '../support/test-records.js'
import { tidemarkMember } from '../support/tidemark-member.js'
import { until } from '../support/waiting.js'
import { typedClient, untilReady } from './connection/typed-client.js'

const open = (brokers: readonly string[] | (() => string[])) =>
  createMessaging({
    driver: kafkajs({ brokers: typeof brokers === 'function' ? brokers : [...brokers], logLevel: logLevel.NOTHING }),
    durability: 'off',
    logger: 'silent',
  })

/** The same connections; `events` gets what is asked of whom, and what answers say of leaders, in the order in which it happened. */
function noting(factory: ConnectionFactory, events: string[]): ConnectionFactory {
  return {
    name: factory.name,
    open(...given) {
      const connection = factory.open(...given)
      const noted: Connection = {
        lastSign: (node, lane) => connection.lastSign(node, lane),
        close: () => connection.close(),
        async request(node, lane, request, deadline, signal, onTaken) {
          if (request.api === 'consumerGroupHeartbeat' && request.subscribedTopics !== null) {
            events.push(`subscribed ${request.subscribedTopics.join()} /${request.subscribedTopicRegex}/`)
          }
          if (request.api === 'produce' || request.api === 'fetch') events.push(`${request.api} at ${node}`)
          const answer = await connection.request(node, lane, request, deadline, signal, onTaken)
          if (request.api === 'metadata') events.push('metadata told')
          for (const each of 'partitions' in answer ? answer.partitions : []) {
            if ('currentLeader' in each && each.currentLeader !== undefined) {
              events.push(`${request.api} told ${(each.currentLeader as { leader: number }).leader}`)
            }
          }
          return answer
        },
      }
      return noted
    },
  }
}

describe('topics by pattern', () => {
  let cluster: KafkaCluster
  let writer: Messaging

  beforeAll(async () => {
    cluster = await startCluster({
      properties: {
        'group.consumer.min.heartbeat.interval.ms': 1_000,
        'group.consumer.heartbeat.interval.ms': 1_000,
      },
    })
    writer = open(cluster.brokers)
  })
  afterAll(async () => {
    await writer?.close()
    await cluster?.stop()
  })

  it.each(['classic', 'consumer'] as const)(
    'those that are made later are read from their beginning by the members of a group, %s, and none that only begins so',
    async (groupProtocol) => {
      const named = (name: string) => defineTopic({ name: `${groupProtocol}.${name}`, value: string() })
      const [first, second, third] = [named('orders.a'), named('orders.b'), named('orders.c')]
      const others = ['orders.x', 'orders', 'other.orders.d'].map(named)
      for (const { name } of [first, ...others]) await cluster.createTopic(name, { partitions: 2 })
      const handled: string[] = []
      const members = [open(cluster.brokers), open(cluster.brokers)]
      const consumers = members.map((messaging) =>
        messaging.consumer({
          group: `${groupProtocol}-orders`,
          groupProtocol,
          from: 'latest',
          metadataMaxAgeMs: 2_000,
          // No broker's RE2J takes what looks ahead.
          topics: pattern(new RegExp(`${groupProtocol}\\.(?!orders\\.x)orders\\..+`, 'i'), { value: string() }),
          handle: ({ topic, value }) => void handled.push(`${topic} ${value}`),
        }),
      )
      const seen = () => JSON.stringify({ handled, facts: consumers.map((each) => each.facts()) })
      for (const consumer of consumers) await consumer.start()
      const producer = writer.producer()
      const values = Array.from({ length: 20 }, (_, at) => `${at}`)
      const expected: string[] = []
      for (const topic of [second, third]) {
        await cluster.createTopic(topic.name, { partitions: 2 })
        for (const other of others) await producer.send(other, 'not for us')
        for (const value of values) {
          await producer.send(topic, value)
          expected.push(`${topic.name} ${value}`)
        }
        await until(`${topic.name} is read`, () => handled.length >= expected.length, { seen })
        expect([...handled].sort()).toEqual([...expected].sort())
      }
      for (const consumer of consumers) {
        expect(consumer.facts()).toMatchObject({ state: 'running', unavailableTopics: [] })
      }
      await producer.close()
      for (const messaging of members) await messaging.close()
    },
    120_000,
  )

  it('that brokers evaluate: they alone tell of new topics, and match whole names as is done here', async () => {
    const named = (name: string) => defineTopic({ name: `whole.${name}`, value: string() })
    const first = named('a')
    const later = ['a1', 'b.2', 'b-3', '_x', 'Z'].map(named)
    const others = ['b', 'xa', 'a1.dlt', 'b.22', 'z', 'Z.'].map(named)
    await cluster.createTopic(first.name)
    const names = [
      pattern(/whole\.(?<letter>a)\d?/, { value: string() }),
      pattern(/whole\.b[.-]\d|whole\._[\w-]+/, { value: string() }),
      pattern(/^whole\b.\u005a$/, { value: string() }),
    ]
    const told: string[] = []
    const handled: string[] = []
    const connections = () => kafkajsConnections({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    const members = [0, 1].map(() =>
      createMessaging({
        driver: createProtocolDriver(noting(connections(), told), systemRuntime),
        durability: 'off',
        logger: 'silent',
      }),
    )
    const consumers = members.map((messaging) =>
      messaging.consumer({
        ...{ group: 'whole', groupProtocol: 'consumer', from: 'latest' },
        // Nothing is found by it while this test runs.
        metadataMaxAgeMs: 600_000,
        topics: names.flat(),
        handle: ({ topic, value }) => void handled.push(`${topic} ${value}`),
      }),
    )
    for (const consumer of consumers) await consumer.start()
    for (const { name } of [...later, ...others]) await cluster.createTopic(name)
    const producer = writer.producer()
    for (const topic of [first, ...later, ...others]) await producer.send(topic, 'v')
    const expected = [first, ...later].map(({ name }) => `${name} v`).sort()
    const seen = () => JSON.stringify({ handled, told, facts: consumers.map((each) => each.facts()) })
    await until('all that match are read', () => handled.length >= expected.length, { seen })
    expect([...handled].sort()).toEqual(expected)
    const subscribed = told.filter((event) => event.startsWith('subscribed '))
    expect(subscribed.length).toBeGreaterThan(1)
    expect(new Set(subscribed).size, seen()).toBe(1)
    expect(subscribed[0]).toMatch(/^subscribed whole\.a \/\(.*\)\/$/)
    await producer.close()
    for (const messaging of members) await messaging.close()
  }, 120_000)

  it('that RE2 cannot take are refused by brokers with the code that is waited for', async () => {
    const client = await typedClient(cluster)
    const join: ConsumerGroupHeartbeatRequest = {
      ...{ api: 'consumerGroupHeartbeat', groupId: 're2', memberId: 'one', memberEpoch: 0, groupInstanceId: null },
      ...{ rackId: null, rebalanceTimeoutMs: 10_000, subscribedTopics: [], serverAssignor: null, partitions: [] },
      subscribedTopicRegex: '',
    }
    for (const regex of ['(?=a)a', '(?<!a)b', String.raw`(a)\1`, 'a{1001}']) {
      const answer = await untilReady(() => client.ask({ ...join, subscribedTopicRegex: regex }))
      expect([regex, answer.errorCode]).toEqual([regex, brokerCode.INVALID_REGULAR_EXPRESSION])
    }
    expect(await client.ask(join)).toMatchObject({ errorCode: 0, memberId: 'one' })
    await client.ask({ ...join, memberEpoch: -1, rebalanceTimeoutMs: -1, subscribedTopics: null, partitions: null })
    await client.connection.close()
  }, 60_000)
})

describe('a leader that moves in order', () => {
  it('names the next one in its refusal, who is asked before metadata tell', async () => {
    const cluster = await startCluster({ nodes: 3 })
    const topic = 'moved'
    await cluster.createTopic(topic, { replicationFactor: 3 })
    await cluster.waitForFullIsr(topic)
    const leader = await cluster.leaderOf(topic, 0)
    const next = leader === 1 ? 2 : 1
    const events: string[] = []
    const connections = () => kafkajsConnections({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    const driver = createProtocolDriver(noting(connections(), events), systemRuntime)
    const producer = await connectedProducer(driver, [topic])
    await store(producer, { topic, partition: 0 }, ['before'])
    events.length = 0
    await cluster.moveLeader(topic, 0, next)
    await store(producer, { topic, partition: 0 }, ['after'])
    const asked = events.slice(0, events.indexOf(`produce at ${next}`) + 1)
    expect(asked, JSON.stringify(events)).toEqual([
      `produce at ${leader}`,
      `produce told ${next}`,
      `produce at ${next}`,
    ])

    const readers: string[] = []
    const reading = createProtocolDriver(noting(connections(), readers), systemRuntime)
    const member = tidemarkMember(reading, { groupId: topic, topics: [topic] })
    await member.start()
    await until('what was stored is read', () => member.records.length === 2)
    readers.length = 0
    await cluster.moveLeader(topic, 0, leader)
    await store(producer, { topic, partition: 0 }, ['later'])
    await until('it is read', () => member.records.length === 3, { seen: () => JSON.stringify(readers) })
    expect(readers).toContain(`fetch told ${leader}`)
    expect(member.records.map(({ value }) => value)).toEqual(['before', 'after', 'later'])
    expect(member.problems).toEqual([])
    await member.stop()
    await producer.close()
    await cluster.stop()
  }, 120_000)
})

describe('a cluster whose brokers have all moved', () => {
  it('is found again at the configured addresses, by producer and consumer as they run', async () => {
    const cluster = await startCluster()
    const [before = ''] = cluster.brokers
    let bootstrap = before
    const topic = defineTopic({ name: 'moved-away', value: string() })
    await cluster.createTopic(topic.name)
    const messaging = open(() => [bootstrap])
    const handled: string[] = []
    const handle = ({ value }: { readonly value: string }) => void handled.push(value)
    const consumer = messaging.consumer({ group: 'moved-away', topics: [topic], handle })
    await consumer.start()
    const producer = messaging.producer()
    await producer.send(topic, 'before')
    const seen = () => JSON.stringify({ handled, facts: consumer.facts() })
    await until('it is handled', () => handled.length === 1, { seen })

    await cluster.node(1).stop()
    const [port = 0] = await freePorts(1)
    const after = `127.0.0.1:${port}`
    const properties = join(dirname(cluster.dataFolder(1)), 'node.properties')
    const text = await readFile(properties, 'utf8')
    expect(text).toContain(before)
    await writeFile(properties, text.replaceAll(before, after))
    bootstrap = after
    cluster.node(1).start()
    expect(await producer.send(topic, 'after')).toMatchObject({ offset: 1 })
    await until('what came later is handled', () => handled.length >= 2, { seen })
    expect(handled).toEqual(['before', 'after'])
    await messaging.close()
    await cluster.stop()
  }, 120_000)
})
