import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { Connection } from '../../../../src/connection/connection.js'
import type { ConsumerGroupHeartbeatRequest } from '../../../../src/connection/requests/consumer-groups.js'
import type { TopicMetadata } from '../../../../src/connection/requests/metadata.js'
import type { ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { noHeaders } from '../../../../src/message/record.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

let clock: VirtualClock
let cluster: MemoryCluster

const intervalMs = 1_000
/** None of the tests takes as long: what is found is found by the word of brokers. */
const metadataMaxAgeMs = 600_000
const requestTimeoutMs = 3_000

beforeEach(() => {
  clock = virtualClock()
  cluster = createMemoryCluster({
    ...{ runtime: { clock, random: seededRandom(1) }, latencyMs: 1 },
    ...{ consumerHeartbeatIntervalMs: intervalMs, consumerSessionTimeoutMs: 10_000 },
  })
  cluster.createTopic('orders.a')
  cluster.createTopic('other')
})

interface Member {
  readonly consumer: ConsumerHarness
  /** What its heartbeats told of what it reads, one after the other. */
  readonly told: string[]
  /** Why it evaluates the pattern by itself. */
  readonly reasons: unknown[]
}

type SeenTopic = (topic: TopicMetadata) => TopicMetadata | null

let opened = 0
/** @param sees how brokers tell it of a topic; `null`: not at all */
function member(pattern: RegExp, settings: Partial<ConsumerSettings> = {}, sees: SeenTopic = (topic) => topic): Member {
  const connection = cluster.connectionFactory().open(`member-${(opened += 1)}`)
  const told: string[] = []
  const reasons: unknown[] = []
  const noted: Connection = {
    lastSign: (...given) => connection.lastSign(...given),
    close: () => connection.close(),
    async request(node, lane, request, ...more) {
      if (request.api === 'consumerGroupHeartbeat' && request.subscribedTopics !== null) told.push(textOf(request))
      const answer = await connection.request(node, lane, request, ...more)
      if (request.api !== 'metadata' || !('topics' in answer)) return answer
      const topics = (answer.topics as readonly TopicMetadata[]).flatMap((topic) => sees(topic) ?? [])
      return { ...answer, topics }
    },
  }
  const logger: typeof silentLogger = {
    ...silentLogger,
    info: (fields) => {
      if ('reason' in fields && 'group' in fields) reasons.push(fields['reason'])
    },
  }
  const own = {
    ...({ groupProtocol: 'consumer', topics: [], matching: { patterns: [pattern], except: [] } } as const),
    ...{ metadataMaxAgeMs, requestTimeoutMs, logger, ...settings },
  }
  return { consumer: new ConsumerHarness(noted, clock, own, opened), told, reasons }
}

const textOf = ({ subscribedTopics, subscribedTopicRegex }: ConsumerGroupHeartbeatRequest) =>
  `${(subscribedTopics ?? []).join()} /${subscribedTopicRegex}/`

const heldBy = (...members: Member[]) => members.flatMap(({ consumer }) => consumer.held()).sort()

async function stopAll(...members: Member[]): Promise<void> {
  for (const { consumer } of members) await consumer.stop()
  await clock.runUntilIdle()
}

const orders = /^(?:orders\..+)$/
const byBrokers = String.raw`/^(?:orders\..+)$/`

describe('a pattern that brokers evaluate', () => {
  it('brings a new topic with the next heartbeats, from its beginning, and nobody tells anything anew', async () => {
    const members = [member(orders, { from: 'latest' }), member(orders, { from: 'latest' })]
    for (const { consumer } of members) await consumer.start()
    await clock.advance(3 * intervalMs)
    expect(heldBy(...members)).toEqual(['orders.a-0'])
    for (const name of ['orders.b', 'orders', 'other.orders.c']) cluster.createTopic(name, { partitions: 2 })
    const record = { key: null, value: Buffer.from('1'), headers: noHeaders, timestamp: 0 }
    cluster.appendTransaction('orders.b', 0, [record], 'commit')
    await clock.advance(3 * intervalMs)
    expect(heldBy(...members)).toEqual(['orders.a-0', 'orders.b-0', 'orders.b-1'])
    expect(members.flatMap(({ consumer }) => consumer.offsets('orders.b', 0))).toEqual([0])
    expect(members.flatMap(({ told }) => told)).toEqual([`orders.a ${byBrokers}`, `orders.a ${byBrokers}`])
    // Then everything is told again.
    cluster.faults.loseNextAnswer({ api: 'consumerGroupHeartbeat' })
    await clock.advance(3 * intervalMs)
    expect(members.flatMap(({ told }) => told)).toEqual(Array<string>(3).fill(`orders.a ${byBrokers}`))
    expect(heldBy(...members)).toEqual(['orders.a-0', 'orders.b-0', 'orders.b-1'])
    expect(members.flatMap(({ reasons }) => reasons)).toEqual([])
    await stopAll(...members)
  })

  it('lets a deleted topic go, and brings one of that name made anew', async () => {
    const one = member(orders)
    await one.consumer.start()
    cluster.createTopic('orders.b')
    await clock.advance(3 * intervalMs)
    cluster.deleteTopic('orders.a')
    await clock.advance(3 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.b-0'])
    cluster.createTopic('orders.a', { partitions: 2 })
    await clock.advance(5 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.a-1', 'orders.b-0'])
    await stopAll(one)
  })

  it('is so still when brokers do not answer for long which topics there are', async () => {
    const one = member(orders)
    await one.consumer.start()
    cluster.createTopic('orders.b')
    const held = Array.from({ length: 40 }, (_, at) => cluster.faults.holdRequest({ api: 'metadata', nth: at + 1 }))
    await clock.advance(4 * requestTimeoutMs)
    expect(heldBy(one)).toEqual(['orders.a-0'])
    cluster.faults.clear()
    await clock.advance(2 * requestTimeoutMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.b-0'])
    expect(one.reasons).toEqual([])
    for (const request of held) request.release()
    await stopAll(one)
  })

  it('stands beside topics that are named', async () => {
    const one = member(orders, { topics: ['other'] })
    await one.consumer.start()
    cluster.createTopic('orders.b')
    await clock.advance(3 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.b-0', 'other-0'])
    expect(one.told[0]).toBe(`other,orders.a ${byBrokers}`)
    await stopAll(one)
  })

  it('is taken back by a successor with the same instance id that has none', async () => {
    const before = member(orders, { groupInstanceId: 'i' })
    await before.consumer.start()
    await before.consumer.stop()
    const after = member(orders, { groupInstanceId: 'i', topics: ['other'], matching: undefined })
    await after.consumer.start()
    await clock.advance(3 * intervalMs)
    expect(heldBy(after)).toEqual(['other-0'])
    await stopAll(after)
  })

  it('is told whole with a join again, and by what matches then', async () => {
    const one = member(orders)
    await one.consumer.start()
    cluster.createTopic('orders.b')
    await clock.advance(3 * intervalMs)
    cluster.faults.killMember('g', 'any')
    await clock.advance(3 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.b-0'])
    expect(one.told).toEqual([`orders.a ${byBrokers}`, `orders.a,orders.b ${byBrokers}`])
    await stopAll(one)
  })
})

describe('a pattern is evaluated here, which is told once,', () => {
  const cases: readonly (readonly [string, RegExp, readonly string[], RegExp])[] = [
    ['with flags', /^(?:ORDERS\..+)$/i, [], /the flag i/],
    ['with a look ahead', /^(?:(?!other).+\..+)$/, [], /looking ahead/],
    ['when it matches what the consumer writes to', orders, ['orders.dlt'], /it matches "orders\.dlt"/],
  ]
  it.each(cases)('%s: new topics come with metadata', async (_, pattern, except, reason) => {
    cluster.createTopic('orders.dlt')
    const dltIsOurs = except.length > 0 ? [] : ['orders.dlt-0']
    const one = member(pattern, { matching: { patterns: [pattern], except }, metadataMaxAgeMs: 5_000 })
    await one.consumer.start()
    cluster.createTopic('orders.b')
    await clock.advance(2 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', ...dltIsOurs])
    await clock.advance(5 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.b-0', ...dltIsOurs])
    expect(one.told.filter((told) => !told.endsWith(' //'))).toEqual([])
    expect(one.reasons).toEqual([expect.stringMatching(reason)])
    await stopAll(one)
  })

  it.each([
    ['at the join', 1],
    ['later', 3],
  ])('when brokers refuse it %s', async (_, nth) => {
    const one = member(orders, { metadataMaxAgeMs: 5_000 })
    cluster.faults.failNext({ api: 'consumerGroupHeartbeat', nth }, brokerCode.INVALID_REGULAR_EXPRESSION)
    await one.consumer.start()
    await clock.advance(4 * intervalMs)
    cluster.createTopic('orders.b')
    await clock.advance(7 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0', 'orders.b-0'])
    expect(one.told[0]).toBe(`orders.a ${byBrokers}`)
    expect(one.told.slice(1)).toEqual(['orders.a //', 'orders.a,orders.b //'])
    expect(one.reasons).toEqual([expect.stringMatching(/INVALID_REGULAR_EXPRESSION/)])
    expect(one.consumer.kinds()).not.toContain('lost')
    await stopAll(one)
  })

  it('when brokers do not name to one member what they give it, which others read then', async () => {
    const blind = member(orders, {}, (topic) => (topic.name === 'orders.secret' ? null : topic))
    await blind.consumer.start()
    cluster.createTopic('orders.secret')
    await clock.advance(2 * intervalMs)
    expect([heldBy(blind), blind.reasons]).toEqual([['orders.a-0'], []])
    await clock.advance(requestTimeoutMs + 2 * intervalMs)
    expect(blind.reasons).toEqual([expect.stringMatching(/need DESCRIBE/)])
    const other = member(orders)
    await other.consumer.start()
    await clock.advance(3 * intervalMs)
    expect(heldBy(other)).toContain('orders.secret-0')
    expect(heldBy(blind, other)).toEqual(['orders.a-0', 'orders.secret-0'])
    expect(blind.consumer.consumer.facts().state).toBe('stable')
    await stopAll(blind, other)
  })

  it('when brokers give what it never means, such as an internal topic that is not known yet', async () => {
    const isInternal = (name: string) => name === 'orders.internal'
    const one = member(orders, {}, (topic) => ({ ...topic, isInternal: isInternal(topic.name) }))
    await one.consumer.start()
    cluster.createTopic('orders.internal')
    await clock.advance(2 * intervalMs)
    expect(one.reasons).toEqual([expect.stringMatching(/not meant here/)])
    await clock.advance(2 * intervalMs)
    expect(heldBy(one)).toEqual(['orders.a-0'])
    expect(one.consumer.consumer.facts().state).toBe('stable')
    await stopAll(one)
  })
})
