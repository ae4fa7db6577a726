import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytes, createMessaging, defineTopic, string, type SendError } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { delay } from '../support/waiting.js'

/** 60,000 shows the promise at the length it is given for. */
const silentMs = Number(process.env['TIDEMARK_BLACK_HOLE_MS'] ?? 15_000)
const bufferBytes = 8 * 1_024 * 1_024
const headroomBytes = 64 * 1_024 * 1_024
const maxBlockMs = 3_000
const partitions = 3
const value = Buffer.alloc(10_000, 'x')
/** Produce has one, metadata has one, and one more goes to the address the user gave while brokers were not known. */
const mostSocketsPerBroker = 3

describe('a broker that swallows everything while the caller goes on sending', () => {
  let cluster: KafkaCluster

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3, proxies: true })
  })

  afterAll(() => cluster.stop())

  it(
    'costs no more memory than the buffer, no more than three sockets a broker, and makes sends wait and then fail as not stored',
    async () => {
      await cluster.createTopic('black-hole', { partitions, replicationFactor: 3 })
      const topic = defineTopic({ name: 'black-hole', value: bytes() })
      const messaging = createMessaging({
        driver: kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }),
        profile: 'cp',
        closeTimeoutMs: 30_000,
      })
      const producer = messaging.producer({ bufferBytes, maxBlockMs })
      const outcomes = { stored: 0, refused: new Map<string, number>(), shortestWaitMs: Infinity }
      const send = async (partition: number) => {
        const startedAt = performance.now()
        try {
          await producer.send(topic, value, { partition })
          outcomes.stored += 1
        } catch (error) {
          const { code, outcome } = error as SendError
          outcomes.refused.set(`${outcome} ${code}`, (outcomes.refused.get(`${outcome} ${code}`) ?? 0) + 1)
          if (code === 'buffer-full') {
            outcomes.shortestWaitMs = Math.min(outcomes.shortestWaitMs, performance.now() - startedAt)
          }
        }
      }
      await Promise.all([0, 1, 2].map((partition) => send(partition)))

      const victim = await cluster.leaderOf('black-hole', 0)
      const before = memoryInUse()
      cluster.proxy(victim).blackHole()
      const until = performance.now() + silentMs
      let most = 0
      let mostSockets = 0
      let out = 0
      let turn = 0
      while (performance.now() < until) {
        // As many callers as a busy process has; each sends again as soon as its send has ended.
        while (out < 1_500) {
          out += 1
          turn += 1
          void send(turn % partitions).finally(() => {
            out -= 1
          })
        }
        most = Math.max(most, memoryInUse() - before)
        mostSockets = Math.max(mostSockets, ...[1, 2, 3].map((node) => cluster.proxy(node).openConnections))
        await delay(20)
      }
      cluster.proxy(victim).heal()
      await messaging.close()

      expect(outcomes.refused.get('not-stored buffer-full') ?? 0).toBeGreaterThan(0)
      expect([...outcomes.refused.keys()].filter((kind) => !kind.startsWith('not-stored'))).toEqual([])
      expect(outcomes.shortestWaitMs).toBeGreaterThan(maxBlockMs * 0.9)
      expect(most).toBeLessThan(bufferBytes + headroomBytes)
      expect(mostSockets).toBeLessThanOrEqual(mostSocketsPerBroker)
      expect(outcomes.stored).toBeGreaterThan(partitions)
    },
    silentMs + 120_000,
  )

  it('makes sends that give up not stored, or unknown: what is not stored is nowhere, and nothing is stored twice', async () => {
    await cluster.createTopic('given-up', { partitions: 1, replicationFactor: 3 })
    const topic = defineTopic({ name: 'given-up', value: string() })
    const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    const messaging = createMessaging({ driver, profile: 'cp' })
    const producer = messaging.producer()
    await producer.send(topic, 'warm-up')
    const victim = await cluster.leaderOf('given-up', 0)
    const ends = new Map<string, Promise<string>>()
    const send = (value: string, timeoutMs: number) => {
      const sent = producer.send(topic, value, { timeoutMs })
      ends.set(value, sent.then(() => 'stored', ({ outcome }: SendError) => outcome)) // prettier-ignore
    }
    for (let round = 0; round < 4; round += 1) {
      send(`before ${round}`, 5_000)
      cluster.proxy(victim).blackHole()
      for (let index = 0; index < 40; index += 1) {
        send(`during ${round}.${index}`, 100 + ((index * 37) % 900))
        await delay(10)
      }
      await delay(1_000)
      cluster.proxy(victim).heal()
      send(`after ${round}`, 20_000)
      await ends.get(`after ${round}`)
    }
    await producer.flush()

    const found: string[] = []
    const reader = messaging.consumer({
      group: null,
      topics: [topic],
      from: 'earliest',
      handle: ({ value }) => void found.push(value),
    })
    await reader.start()
    await reader.caughtUp({ timeoutMs: 60_000 })
    await messaging.close()
    const told = { stored: 0, 'not-stored': 0, unknown: 0 }
    for (const [value, end] of ends) {
      const outcome = (await end) as keyof typeof told
      told[outcome] += 1
      const times = found.filter((one) => one === value).length
      if (outcome === 'stored') expect([value, times]).toEqual([value, 1])
      else if (outcome === 'not-stored') expect([value, times]).toEqual([value, 0])
      else expect(times).toBeLessThan(2)
    }
    expect(told['not-stored']).toBeGreaterThan(20)
    expect(told.unknown).toBeGreaterThan(0)
  })
})

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
