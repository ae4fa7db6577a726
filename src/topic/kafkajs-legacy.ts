import type { Partitioner } from './partitioner.js'

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/**
 * Where kafkajs's `Partitioners.LegacyPartitioner` (its default before 2.0) puts records: for topics that were filled under
 * it, whose keys would change their partitions under any other. Records without a key go round the partitions that have a
 * leader.
 *
 * @example
 * defineTopic({ name: 'orders', value: json(Order), key: 'id', partitioner: kafkajsLegacy() })
 */
export function kafkajsLegacy(): Partitioner {
  return {
    name: 'kafkajs-legacy',
    create(random) {
      let turn = Math.floor(random.next() * 2 ** 31)
      return ({ key, partitionCount, isAvailable }) => {
        if (key !== null) return (legacyHash(key) & 0x7fffffff) % partitionCount
        for (let passed = 0; passed < partitionCount; passed += 1) {
          turn = (turn + 1) % 2 ** 31
          if (isAvailable(turn % partitionCount)) break
        }
        return turn % partitionCount
      }
    },
  }
}

/**
 * Murmur2 as it comes out when it is reckoned with doubles: products lose their bits beyond 2^53, and bytes that do not fill
 * a word are mixed in twice, as a word and as a rest.
 */
function legacyHash(bytes: Buffer): number {
  let hash: number = seed ^ bytes.length
  for (let at = 0; at < bytes.length; at += 4) {
    let word =
      byteAt(bytes, at) + (byteAt(bytes, at + 1) << 8) + (byteAt(bytes, at + 2) << 16) + (byteAt(bytes, at + 3) << 24)
    word *= multiplier
    word ^= word >>> 24
    word *= multiplier
    hash *= multiplier
    hash ^= word
  }
  const rest = bytes.length & 3
  const restAt = bytes.length - rest
  if (rest === 3) hash ^= byteAt(bytes, restAt + 2) << 16
  if (rest >= 2) hash ^= byteAt(bytes, restAt + 1) << 8
  if (rest >= 1) {
    hash ^= byteAt(bytes, restAt)
    hash *= multiplier
  }
  hash ^= hash >>> 13
  hash *= multiplier
  return hash ^ (hash >>> 15)
}

/** 0 beyond the end. */
function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0
}
