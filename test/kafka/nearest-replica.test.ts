import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionFactory } from '../../src/connection/connection.js'
import { kafkajsConnections } from '../../src/drivers/kafkajs/connections.js'
import { createMessaging, defineTopic, string, type Messaging } from '../../src/index.js'
import { createProtocolDriver } from '../../src/protocol/driver.js'
import { systemRuntime } from '../../src/runtime/runtime.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { until } from '../support/waiting.js'

const rackOf = (node: number) => `rack-${node}`

/** The same connections; `asked` hears which broker was asked for records, and `redirected` whom a leader named. */
function noting(
  factory: ConnectionFactory,
  asked: (node: number) => void,
  redirected: (node: number) => void,
): ConnectionFactory {
  return {
    name: factory.name,
    open(...given) {
      const connection = factory.open(...given)
      return {
        lastSign: (node, lane) => connection.lastSign(node, lane),
        close: () => connection.close(),
        async request(node, lane, request, deadline, signal, onTaken) {
          if (request.api === 'fetch' && lane === 'fetch') asked(Number(node))
          const answer = await connection.request(node, lane, request, deadline, signal, onTaken)
          if ('partitions' in answer) {
            for (const each of answer.partitions) {
              if ('preferredReadReplica' in each && Number(each.preferredReadReplica) >= 0) {
                redirected(Number(each.preferredReadReplica))
              }
            }
          }
          return answer
        },
      }
    },
  }
}

/** A reader of topic `name` in a rack, what it handled, and whom it asked. */
async function reading(cluster: KafkaCluster, name: string, rackId: string) {
  const handled: string[] = []
  const asked: number[] = []
  const redirected: number[] = []
  const connections = noting(
    kafkajsConnections({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }),
    (node) => void asked.push(node),
    (node) => void redirected.push(node),
  )
  const messaging = createMessaging({
    driver: createProtocolDriver(connections, systemRuntime),
    durability: 'off',
  })
  const consumer = messaging.consumer({
    group: name,
    topics: [defineTopic({ name, value: string() })],
    rackId,
    metadataMaxAgeMs: 5_000,
    requestTimeoutMs: 5_000,
    handle: ({ value }) => void handled.push(value),
  })
  await consumer.start()
  const seen = async () => JSON.stringify({ handled: handled.length, asked: asked.slice(-20), redirected })
  return { handled, asked, redirected, seen, close: () => messaging.close() }
}

describe('a reader that says in which rack it is', () => {
  let cluster: KafkaCluster
  let writer: Messaging

  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 3,
      properties: (id) => ({
        'broker.rack': rackOf(id),
        'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
      }),
    })
    writer = createMessaging({
      driver: createProtocolDriver(
        kafkajsConnections({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }),
        systemRuntime,
      ),
      durability: 'off',
    })
  })
  afterAll(async () => {
    await writer?.close()
    await cluster?.stop()
  })

  const topicWithFollower = async (name: string) => {
    await cluster.createTopic(name, { partitions: 1, replicationFactor: 3 })
    const leader = await cluster.leaderOf(name, 0)
    const isr = await cluster.isr(name, 0)
    expect(isr).toHaveLength(3)
    return { leader, follower: isr.find((node) => node !== leader)! }
  }
  const write = async (name: string, from: number, count: number) => {
    const topic = defineTopic({ name, value: string() })
    const producer = writer.producer()
    for (let index = from; index < from + count; index += 1) await producer.send(topic, `${index}`)
    await producer.close()
  }
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

  it('is sent to the follower there by the leader, and reads everything once and in order', async () => {
    const { leader, follower } = await topicWithFollower('nearby')
    const reader = await reading(cluster, 'nearby', rackOf(follower))
    await until('it is sent to the follower', () => reader.redirected.length > 0, { seen: reader.seen })
    expect(new Set(reader.redirected)).toEqual(new Set([follower]))
    const from = reader.asked.length
    await write('nearby', 0, 200)
    await until('all is handled', () => reader.handled.length >= 200, { seen: reader.seen })
    expect(reader.handled).toEqual(numbered(200))
    const ofFollower = reader.asked.slice(from).filter((node) => node === follower)
    expect(ofFollower.length, await reader.seen()).toBeGreaterThan(
      reader.asked.slice(from).filter((node) => node === leader).length,
    )
    await reader.close()
  })

  it('reads from the leader where that is in its rack, and where no replica is', async () => {
    const { leader } = await topicWithFollower('leaders')
    for (const rackId of [rackOf(leader), 'elsewhere']) {
      const reader = await reading(cluster, 'leaders', rackId)
      await until('the leader is asked', () => reader.asked.length > 2, { seen: reader.seen })
      expect([new Set(reader.asked), reader.redirected]).toEqual([new Set([leader]), []])
      await reader.close()
    }
  })

  it('goes on at the leader when the follower is killed, and loses and doubles nothing', async () => {
    const { leader, follower } = await topicWithFollower('killed-follower')
    const reader = await reading(cluster, 'killed-follower', rackOf(follower))
    await until('it is sent to the follower', () => reader.redirected.includes(follower), { seen: reader.seen })
    await write('killed-follower', 0, 50)
    await until('the first are handled', () => reader.handled.length >= 50, { seen: reader.seen })
    await cluster.node(follower).kill()
    const from = reader.asked.length
    await write('killed-follower', 50, 50)
    await until('the rest is handled', () => reader.handled.length >= 100, { seen: reader.seen })
    expect(reader.asked.slice(from)).toContain(leader)
    await cluster.node(follower).restart()
    await cluster.waitForFullIsr('killed-follower')
    const back = reader.redirected.length
    await until('it is sent there again', () => reader.redirected.length > back, { seen: reader.seen })
    await write('killed-follower', 100, 50)
    await until('what came later is handled', () => reader.handled.length >= 150, { seen: reader.seen })
    expect(reader.handled).toEqual(numbered(150))
    await reader.close()
  })

  it('goes on when the leader is killed, and loses and doubles nothing', async () => {
    const { leader, follower } = await topicWithFollower('killed-leader')
    const reader = await reading(cluster, 'killed-leader', rackOf(follower))
    await until('it is sent to the follower', () => reader.redirected.includes(follower), { seen: reader.seen })
    await write('killed-leader', 0, 50)
    await until('the first are handled', () => reader.handled.length >= 50, { seen: reader.seen })
    await cluster.node(leader).kill()
    const isLed = await cluster.waitForElections('killed-leader', leader)
    // Seldom Kafka takes the followers out of sync as their leader dies: then only the dead one can lead.
    if (!isLed) await cluster.node(leader).restart()
    await write('killed-leader', 50, 50)
    await until('the rest is handled', () => reader.handled.length >= 100, { seen: reader.seen })
    expect(reader.handled).toEqual(numbered(100))
    await reader.close()
    if (isLed) await cluster.node(leader).restart()
    await cluster.waitForFullIsr('killed-leader')
  })
})
