import { createMessaging, defineTopic, SendError, string, type Partitioner } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { virtualClock } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/runtime/random.js'
import type { ProducerOptions } from '../../../src/producer/producer-options.js'

const t = defineTopic({ name: 't', value: string() })

function setUp(options: ProducerOptions = {}) {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) } })
  cluster.createTopic('t')
  const messaging = createMessaging({ driver: memory({ cluster }) })
  const producer = messaging.producer(options)
  return { clock, cluster, producer, close: () => clock.runUntil(messaging.close()) }
}

describe('partitions that were added', () => {
  it('take a record at once that asks for one of them: they are looked for before it is refused', async () => {
    const { clock, cluster, producer, close } = setUp()
    await clock.runUntil(producer.send(t, 'first'))
    cluster.addPartitions('t', 3)
    await clock.advance(2_000)
    const receipt = await clock.runUntil(producer.send(t, 'third', { partition: 2 }))
    expect(receipt).toMatchObject({ partition: 2, offset: 0 })
    await close()
  })

  it('that are not there are refused, and do not keep other records waiting for every one of them', async () => {
    const { clock, cluster, producer, close } = setUp()
    await clock.runUntil(producer.send(t, 'first'))
    await clock.advance(2_000)
    const bad = () => clock.runUntil(producer.send(t, 'x', { partition: 7 }).catch((error: unknown) => error))
    const error = await bad()
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({ code: 'invalid-partition', outcome: 'not-stored' })
    const from = clock.now()
    expect(await bad()).toMatchObject({ code: 'invalid-partition' })
    expect(clock.now() - from).toBe(0)
    await clock.runUntil(producer.send(t, 'second'))
    expect(cluster.records('t', 0)).toHaveLength(2)
    await close()
  })

  it('get records without being asked for after metadataMaxAgeMs', async () => {
    const { clock, cluster, producer, close } = setUp({ metadataMaxAgeMs: 5_000 })
    await clock.runUntil(producer.send(t, 'first', { key: 'k' }))
    cluster.addPartitions('t', 8)
    await clock.advance(6_000)
    for (let key = 0; key < 40; key += 1) await clock.runUntil(producer.send(t, 'more', { key: `k${key}` }))
    const used = [0, 1, 2, 3, 4, 5, 6, 7].filter((partition) => cluster.records('t', partition).length > 0)
    expect(used.length).toBeGreaterThan(4)
    await close()
  })
})

describe('a topic that is made anew with fewer partitions', () => {
  it('takes no record of a partition that is gone, and says so as soon as it is known', async () => {
    const clock = virtualClock()
    const cluster = createMemoryCluster({ brokers: 3, runtime: { clock, random: seededRandom(1) } })
    const shape = { replicationFactor: 3 }
    cluster.createTopic('t', { ...shape, partitions: 3 })
    const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off' })
    const producer = messaging.producer()
    const send = (value: string, partition: number) =>
      producer.send(t, value, { partition }).catch((error: unknown) => error as SendError)
    for (const partition of [0, 1, 2]) await clock.runUntil(send('former', partition))
    cluster.deleteTopic('t')
    await clock.advance(100)
    const [first, gone] = [send('first', 0), send('gone', 2)]
    await clock.advance(50)
    const behind = send('behind', 2)
    await clock.advance(3_000)
    cluster.createTopic('t', { ...shape, partitions: 1 })
    await clock.advance(3_000)
    const from = clock.now()
    expect(await clock.runUntil(Promise.all([first, gone, behind]))).toMatchObject([
      { partition: 0, offset: 0 },
      { code: 'topic-recreated', outcome: 'not-stored', retriable: true },
      { code: 'topic-recreated', outcome: 'not-stored' },
    ])
    expect(clock.now() - from).toBe(0)
    expect(cluster.records('t', 0).map(({ value }) => String(value))).toEqual(['first'])
    await clock.runUntil(messaging.close())
  })
})

it('a partitioner sees topic and headers, and which partitions have a leader', async () => {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ brokers: 2, runtime: { clock, random: seededRandom(1) } })
  cluster.createTopic('t', { partitions: 4, replicationFactor: 1 })
  const seen: unknown[] = []
  const partitioner: Partitioner = {
    name: 'by-header',
    create:
      () =>
      ({ topic, headers, isAvailable, partitionCount }) => {
        seen.push([topic, headers.get('tenant'), [0, 1, 2, 3, 4].map(isAvailable)])
        return Number(headers.get('tenant')) % partitionCount
      },
  }
  const byHeader = defineTopic({ name: 't', value: string(), partitioner })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off' })
  const producer = messaging.producer({ metadataMaxAgeMs: 500 })
  const send = () => producer.send(byHeader, 'x', { headers: { tenant: '2' } })
  expect(await clock.runUntil(send())).toMatchObject({ partition: 2 })
  const lost = cluster.partitionFacts('t', 0).leader
  cluster.faults.stopBroker(lost)
  await clock.advance(30_000)
  const sent = send()
  await clock.advance(1_000)
  cluster.faults.startBroker(lost)
  await clock.runUntil(sent)
  expect(seen).toEqual([
    ['t', '2', [true, true, true, true, false]],
    ['t', '2', [0, 1, 2, 3].map((at) => cluster.partitionFacts('t', at).replicas[0] !== lost).concat(false)],
  ])
  await clock.runUntil(messaging.close())
})
