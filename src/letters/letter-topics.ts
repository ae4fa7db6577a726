import type { Admin } from '../operations/admin.js'
import { placesIn } from '../operations/places.js'

/** How such topics are called by most who have them: `orders.dlq`, `orders-dlt`, `orders.DLT`, `dead-letters.orders`. */
export const usualName = /(^|[._-])(dlq|dlt|dead[._-]?letters?)([._-]|$)/i

export interface LetterTopic {
  readonly topic: string
  readonly partitions: number
  /** Offsets in it: where transactions wrote, or records were compacted away, there are fewer letters. */
  readonly letters: number
  /** Partitions without a leader: what is in them is not in `letters`. */
  readonly unseen: readonly number[]
}

/** Dead-letter topics, by their names, and how much is in them. */
export async function letterTopics(
  admin: Pick<Admin, 'describeTopics' | 'listOffsets'>,
  name: RegExp,
  call: { readonly timeoutMs: number },
): Promise<readonly LetterTopic[]> {
  const named = (await admin.describeTopics(null, call)).filter((topic) => name.test(topic.name))
  const { led: places, unseen } = placesIn(named)
  const [starts, ends] = await Promise.all([
    admin.listOffsets(places, 'earliest', call),
    admin.listOffsets(places, 'latest', call),
  ])
  const offsets = new Map<string, number>()
  for (const [index, { topic }] of places.entries()) {
    const held = (ends[index] as number) - (starts[index] as number)
    offsets.set(topic, (offsets.get(topic) ?? 0) + held)
  }
  return named
    .map((topic) => ({
      topic: topic.name,
      partitions: topic.partitions.length,
      letters: offsets.get(topic.name) ?? 0,
      unseen: unseen.flatMap(({ topic: name, partition }) => (name === topic.name ? [partition] : [])),
    }))
    .sort((one, other) => (one.topic < other.topic ? -1 : 1))
}
