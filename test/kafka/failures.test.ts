import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type Messaging, type Order } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { readTopic, type JavaRecord } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'

/** `TIDEMARK_FULL=1`: 50,000 records and a dependency that is down for half a minute. */
const isFull = process.env['TIDEMARK_FULL'] === '1'
const outageMs = isFull ? 30_000 : 6_000
const retry = { retries: 2, backoff: { initialMs: 20, maxMs: 100 } }

let cluster: KafkaCluster
let messaging: Messaging
/** Letters that are stored, by the topic of their records. */
const lettered = new Map<string, number>()

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  messaging = createMessaging({
    driver: kafkajs({ brokers: [...cluster.brokers], clientId: 'failures', logLevel: logLevel.NOTHING }),
    profile: 'cp',
    durability: 'off',
    logger: 'silent',
    onEvent: (event) => {
      if (event.kind === 'dead-lettered') lettered.set(event.topic, (lettered.get(event.topic) ?? 0) + 1)
    },
  })
})
afterAll(async () => {
  await messaging?.close()
  await cluster?.stop()
})

const headerOf = ({ headers }: JavaRecord, name: string) =>
  headers.find((header) => header.name === name)?.value?.toString()

interface Cell {
  readonly name: string
  readonly order: Order
  readonly partitions: number
  readonly records: number
  /** `null`: without. */
  readonly keys: number | null
  /** One of so many records is poisonous. Default 101: every key has some of it. */
  readonly poisonEach?: number
  /** Good records that may be given up, since nobody can tell. */
  readonly mostMistaken: number
  readonly outage?: { readonly decideAfterMs: number }
}

const many = isFull ? 50_000 : 8_000
const cells: readonly Cell[] = [
  { name: 'by partition', order: 'partition', partitions: 8, records: many, keys: 500, mostMistaken: 0 },
  { name: 'by key', order: 'key', partitions: 8, records: many, keys: 500, mostMistaken: 0 },
  { name: 'without keys', order: 'none', partitions: 8, records: many, keys: null, mostMistaken: 0 },
  {
    name: 'of one partition',
    order: 'partition',
    partitions: 1,
    records: isFull ? many : 400,
    keys: 500,
    // Alone, a poisonous record looks like an outage; after so long it is given up, and so may one good one be. So in
    // the full form there are few, or it would take an hour.
    poisonEach: isFull ? 2_501 : 101,
    mostMistaken: 1,
    outage: { decideAfterMs: isFull ? 4_000 : 500 },
  },
]

// Most of their time is waiting; the full form is to be measured one by one.
describe('1 % of poison, and a dependency that is down meanwhile', { concurrent: !isFull }, () => {
  it.each(cells)(
    'records $name: each poisonous one is once on the dead-letter topic with its origin, and of the others none',
    async ({ name, order, partitions, records, keys, poisonEach = 101, mostMistaken, outage }) => {
      const id = name.replaceAll(' ', '-')
      const topic = defineTopic({ name: `poisoned-${id}`, value: string() })
      const letters = `${topic.name}.dlq`
      await cluster.createTopic(topic.name, { partitions, replicationFactor: 3 })
      await cluster.createTopic(letters, { partitions: Math.max(1, partitions / 2), replicationFactor: 3 })
      const producer = messaging.producer({ lingerMs: 5 })
      const isPoison = (at: number) => at % poisonEach === 37
      await Promise.all(
        Array.from({ length: records }, (_, at) =>
          producer.send(topic, `${isPoison(at) ? 'poison' : 'good'} ${at}`, {
            key: keys === null ? null : `key ${at % keys}`,
          }),
        ),
      )
      const handled = new Map<string, number>()
      let isDown = false
      let later = 0
      const settled = () =>
        [...handled.keys()].filter((value) => value.startsWith('good')).length + (lettered.get(topic.name) ?? 0)
      const consumer = messaging.consumer({
        group: topic.name,
        topics: [topic],
        order,
        retry,
        outage,
        deadLetter: { topic: letters, breaker: false },
        handle: async ({ value }) => {
          await delay(1)
          if (isDown) throw new Error('no connection to the database')
          if (value.startsWith('poison')) throw new Error('cannot be handled')
          handled.set(value, (handled.get(value) ?? 0) + 1)
        },
      })
      await consumer.start()
      await until('a tenth is handled', () => handled.size > records / 10, { timeoutMs: 120_000 })
      isDown = true
      await delay(outageMs)
      isDown = false
      const upAt = performance.now()
      // Poison is told from an outage by what succeeds beside it; so others go on.
      const more = setInterval(() => {
        for (let partition = 0; partition < partitions; partition += 1) {
          void producer.send(topic, `more ${(later += 1)}`, { partition })
        }
      }, 100)
      const isGivenUp = () => settled() >= records
      await until('all is handled or given up', isGivenUp, { timeoutMs: 300_000 }).finally(() => clearInterval(more))
      const seconds = ((performance.now() - upAt) / 1_000).toFixed(1)
      await producer.flush()
      // The lag alone does not know of what was sent last: the consumer learns of it by its next fetch.
      const hasEnded = () => handled.size + (lettered.get(topic.name) ?? 0) >= records + later
      await until('what was sent last is handled too', hasEnded, { timeoutMs: 240_000 })
      await until('all is settled', () => consumer.lag() === 0, { timeoutMs: 240_000 })
      await consumer.stop()

      const put = await readTopic(cluster, letters)
      const mistaken = put.filter(({ value }) => value?.toString().startsWith('good'))
      expect(mistaken.length, 'good records that were given up').toBeLessThanOrEqual(mostMistaken)
      const poison = put.filter(({ value }) => value?.toString().startsWith('poison'))
      const wanted = Array.from({ length: records }, (_, at) => at).filter(isPoison)
      expect(poison.map(({ value }) => value?.toString()).sort()).toEqual(wanted.map((at) => `poison ${at}`).sort())
      const origins = new Map(
        (await readTopic(cluster, topic.name)).map((record) => [record.value?.toString(), record]),
      )
      for (const letter of poison) {
        const origin = origins.get(letter.value?.toString())
        expect(headerOf(letter, 'td-origin-topic')).toBe(topic.name)
        expect(headerOf(letter, 'td-origin-partition')).toBe(String(origin?.partition))
        expect(headerOf(letter, 'td-origin-offset')).toBe(String(origin?.offset))
        expect(headerOf(letter, 'td-reason')).toBe('exhausted')
        expect(letter.key?.toString()).toBe(origin?.key?.toString())
      }
      expect(handled.size - later + mistaken.length).toBe(records - wanted.length)
      expect([...handled.values()].filter((times) => times > 1)).toEqual([])
      console.log(
        `${name}: of ${records} records ${wanted.length} poisonous, each once a letter; ${mistaken.length} good ones given up; ` +
          `all settled ${seconds} s after an outage of ${outageMs / 1_000} s`,
      )
    },
    480_000,
  )
})
