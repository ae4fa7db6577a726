const seed = 0x9747b28c | 0
const multiplier = 0x5bd1e995

/** Murmur2 of a key as a signed 32-bit integer, as Kafka's Java client computes it (MurmurHash2, A. Appleby, seed 0x9747b28c). */
export function murmur2(bytes: Buffer): number {
  const length = bytes.length
  const tail = length & ~3
  let hash = seed ^ length
  for (let index = 0; index < tail; index += 4) {
    let word =
      (bytes[index] as number) |
      ((bytes[index + 1] as number) << 8) |
      ((bytes[index + 2] as number) << 16) |
      ((bytes[index + 3] as number) << 24)
    word = Math.imul(word, multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  return finish(mixTail(bytes, tail, hash))
}

/** Partition of a key as Java's default partitioner chooses it: the hash without its sign bit, modulo the count. */
export function murmur2Partition(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

function mixTail(bytes: Buffer, tail: number, hash: number): number {
  const left = bytes.length - tail
  if (left === 0) return hash
  if (left === 3) hash ^= (bytes[tail + 2] as number) << 16
  if (left >= 2) hash ^= (bytes[tail + 1] as number) << 8
  return Math.imul(hash ^ (bytes[tail] as number), multiplier)
}

function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
