import type { Message, RecordMetadata } from 'kafkajs'
import { kafkajsClient, safest } from '../faults/kafkajs-workload.js'
import type { OpenWorkload } from '../faults/workload.js'
import { murmur2Partition } from '../../src/topic/murmur2.js'
import type { Outcome } from '../support/ledger.js'

interface Waiting {
  readonly key: string
  readonly value: string
  readonly settle: (outcome: Outcome) => void
}

const partitions = 10
const mostInOneSend = 1_000

/**
 * kafkajs as its most careful users call it: one send at a time, awaited, with all records that came meanwhile. Concurrent
 * sends are where most of its losses come from, and at one request in flight they would not keep up with the load either.
 */
export const openAwaitedKafkajs: OpenWorkload = async ({ brokers, topic }) => {
  const producer = kafkajsClient(brokers).producer(safest)
  await producer.connect()
  const waiting: Waiting[] = []
  let pumping: Promise<void> | undefined

  async function pump(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, mostInOneSend)
      const messages = batch.map(({ key, value }): Message => ({ key, value }))
      const places = await producer.send({ topic, acks: -1, messages }).then(placesOf, (error: unknown) => error)
      batch.forEach(({ key, settle }) => settle(outcomeOf(places, key)))
    }
    pumping = undefined
  }

  return {
    send: (key, value) =>
      new Promise((settle) => {
        waiting.push({ key, value, settle })
        pumping ??= pump()
      }),
    close: () => producer.disconnect(),
  }
}

type Places = Map<number, number>

/** The next offset of each partition that kafkajs names. */
export const placesOf = (named: readonly RecordMetadata[]): Places =>
  new Map(named.map(({ partition, baseOffset }) => [partition, Number(baseOffset ?? -1)]))

/** A resolved send counts as stored, whether or not it names the partition; a rejected one as unknown, for kafkajs tells no more. */
export function outcomeOf(places: unknown, key: string): Outcome {
  if (!(places instanceof Map)) return { kind: 'unknown', reason: places instanceof Error ? places.name : 'error' }
  const partition = murmur2Partition(Buffer.from(key), partitions)
  const offset = (places as Places).get(partition)
  if (offset !== undefined && offset >= 0) (places as Places).set(partition, offset + 1)
  return { kind: 'stored', partition, offset: offset ?? -1 }
}
