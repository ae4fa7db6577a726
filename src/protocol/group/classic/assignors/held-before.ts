import type { TopicPartition } from '../../../../message/topic-partition.js'
import type { HeldBefore } from './assignor.js'

const version = 1

/** What a member held, as the user data of its subscription: compact JSON, `{"v":1,"g":generation,"p":{topic:[…]}}`. */
export function encodeHeldBefore({ generationId, partitions }: HeldBefore): Buffer {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic)
    if (numbers) numbers.push(partition)
    else byTopic.set(topic, [partition])
  }
  return Buffer.from(JSON.stringify({ v: version, g: generationId, p: Object.fromEntries(byTopic) }))
}

/** Reads it back. Anything else (another version, another client's data, damage) counts as owning nothing. */
export function decodeHeldBefore(userData: Buffer | null): HeldBefore {
  const nothing: HeldBefore = { generationId: -1, partitions: [] }
  if (userData === null || userData.length === 0) return nothing
  let data: unknown
  try {
    data = JSON.parse(userData.toString())
  } catch {
    return nothing // Foreign bytes: stickiness is a wish, so the member starts from nothing.
  }
  if (!isRecord(data) || data['v'] !== version || !Number.isSafeInteger(data['g']) || !isRecord(data['p']))
    return nothing
  const partitions: TopicPartition[] = []
  for (const [topic, numbers] of Object.entries(data['p'])) {
    if (!Array.isArray(numbers)) return nothing
    for (const partition of numbers as unknown[]) {
      if (typeof partition !== 'number' || !Number.isSafeInteger(partition) || partition < 0) return nothing
      partitions.push({ topic, partition })
    }
  }
  return { generationId: data['g'] as number, partitions }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
