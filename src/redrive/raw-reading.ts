import { defineProfile } from '../config/define-profile.js'
import { murmur2 } from '../topic/partitioners.js'
import type { Topic } from '../topic/topic.js'

/** A topic that is read as bytes. */
export function rawTopic(name: string): Topic<Buffer | null> {
  return {
    name,
    value: { name: 'bytes', encode: (value) => value, decode: (bytes) => bytes },
    keyOf: () => null,
    partitioner: murmur2(),
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}

/** Whatever the profile of its messaging. What it reads was written: how that is kept is nothing to warn of any more. */
export const readerProfile = defineProfile('cp', { durability: 'off' })
