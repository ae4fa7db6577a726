import type { OutgoingRecord } from '../message/record.js'
import type { Topic } from '../topic/topic.js'
import { deadLetterPartition } from './dead-letter.js'

/** A record on its way to a dead-letter topic. */
export interface DeadLetterValue {
  readonly record: OutgoingRecord
  readonly originPartition: number
}

/** A dead-letter topic as a producer sees it: bytes stay as they are, and records of one partition stay together. */
export function deadLetterTopic(name: string): Topic<DeadLetterValue> {
  return {
    name,
    value: { name: 'dead-letter', encode: ({ record }) => record.value, decode: refuseToDecode },
    keyOf: ({ record }) => record.key,
    partitioner: {
      name: 'as-origin',
      create: () => (input) => {
        const { originPartition } = input.value as DeadLetterValue
        return deadLetterPartition(originPartition, input.partitionCount)
      },
    },
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
