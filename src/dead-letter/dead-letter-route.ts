import type { DeadLetterRoute, FailedRecord } from '../consumer/handling/failed-record.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Producer } from '../producer/producer.js'
import type { Topic } from '../topic/topic.js'
import { deadLetterTopic } from './dead-letter-topic.js'
import { deadLetterTo } from './dead-letter.js'
import { namesOf } from '../topic/topic-lookup.js'

export interface DeadLetterTarget {
  readonly topic: string
  readonly springHeaders: boolean
}

/** Resolves when the letter is part of the transaction that its record is done in. */
export type JoinLetter = (topic: Topic, value: unknown, record: OutgoingRecord, failed: FailedRecord) => Promise<void>

/**
 * The way of failed records to a topic.
 *
 * @param producer with acks=all and idempotence whatever the profile: dead letters are what is left of a record
 * @param join puts letters into the transaction of the consumer instead
 */
export function deadLetterRoute(
  { topic: target, springHeaders }: DeadLetterTarget,
  sources: readonly Topic[],
  producer: () => Pick<Producer, 'send'>,
  join?: JoinLetter,
): DeadLetterRoute {
  const topic = deadLetterTopic(target)
  return deadLetterTo({
    target,
    sources: namesOf(sources),
    springHeaders,
    publish: async (record, originPartition, failed) => {
      if (join !== undefined) return join(topic as Topic, { record, originPartition }, record, failed)
      const { headers, timestamp } = record
      await producer().send(topic, { record, originPartition }, { headers, timestamp })
    },
  })
}
