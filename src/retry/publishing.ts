import type { Work } from '../consumer/partition/work.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Producer } from '../producer/producer.js'
import type { Topic } from '../topic/topic.js'
import type { PublishDelayed } from './put-off.js'

/** Resolves when the record is part of the transaction that `work` is done in. */
export type JoinDelayed = (
  topic: Topic<OutgoingRecord>,
  partition: number,
  record: OutgoingRecord,
  work: Work,
) => Promise<void>

/**
 * @param producer stores with acks=all and idempotence
 * @param join puts records into the transaction of the consumer instead
 */
export function publishTo(
  topics: Iterable<string>,
  producer: () => Pick<Producer, 'send'>,
  join?: JoinDelayed,
): PublishDelayed {
  const byName = new Map([...topics].map((name) => [name, delayTopic(name)]))
  return async (name, partition, record, work) => {
    const { headers, timestamp } = record
    const topic = byName.get(name) ?? delayTopic(name)
    if (join !== undefined) return join(topic, partition, record, work)
    await producer().send(topic, record, { headers, timestamp, partition })
  }
}

/** As a producer sees it: bytes stay as they are, and whoever sends says where. */
function delayTopic(name: string): Topic<OutgoingRecord> {
  return {
    name,
    value: { name: 'delayed', encode: ({ value }) => value, decode: refuseToDecode },
    keyOf: ({ key }) => key,
    partitioner: { name: 'as-told', create: () => () => 0 },
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
