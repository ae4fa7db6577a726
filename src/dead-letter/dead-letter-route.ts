import type { DeadLetterRoute } from '../consumer/handling/failed-record.js'
import type { Producer } from '../producer/producer.js'
import type { Topic } from '../topic/topic.js'
import { deadLetterTopic } from './dead-letter-topic.js'
import { deadLetterTo } from './dead-letter.js'

export interface DeadLetterTarget {
  readonly topic: string
  readonly springHeaders: boolean
}

/**
 * The way of failed records to a topic.
 *
 * @param producer with acks=all and idempotence whatever the profile: dead letters are what is left of a record
 */
export function deadLetterRoute(
  { topic: target, springHeaders }: DeadLetterTarget,
  sources: readonly Topic[],
  producer: () => Pick<Producer, 'send'>,
): DeadLetterRoute {
  const topic = deadLetterTopic(target)
  return deadLetterTo({
    target,
    sources: sources.map(({ name }) => name),
    springHeaders,
    publish: async (record, originPartition) => {
      const { headers, timestamp } = record
      await producer().send(topic, { record, originPartition }, { headers, timestamp })
    },
  })
}
