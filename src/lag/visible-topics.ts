import { DriverError } from '../errors.js'
import type { Admin } from '../operations/admin.js'

/** The leader of each partition, by number; -1 while there is none. */
export type LeadersOf = ReadonlyMap<number, number>

/** Topics as this client may see them. */
export interface VisibleTopics {
  readonly leaders: ReadonlyMap<string, LeadersOf>
  /** Those that it may not, with what the broker said. */
  readonly forbidden: ReadonlyMap<string, DriverError>
}

/**
 * Asks for topics, and again for the others when a broker says that one of them may not be seen: one topic without DESCRIBE
 * hides no other.
 *
 * @throws what the first one failed with, when none may be seen
 */
export async function visibleTopics(
  admin: Pick<Admin, 'describeTopics'>,
  names: Iterable<string>,
  leftMs: () => number,
): Promise<VisibleTopics> {
  const left = new Set(names)
  const forbidden = new Map<string, DriverError>()
  while (left.size > 0) {
    try {
      const described = await admin.describeTopics([...left], { timeoutMs: leftMs() })
      const leaders = described.map(
        ({ name, partitions }) => [name, new Map(partitions.map((one) => [one.partition, one.leader]))] as const,
      )
      return { leaders: new Map(leaders), forbidden }
    } catch (error) {
      const topic = forbiddenBy(error)
      // `delete` is false of a topic that nobody asked for: to ask again would be told the same.
      if (topic === null || !left.delete(topic) || left.size === 0) throw error
      forbidden.set(topic, error as DriverError)
    }
  }
  return { leaders: new Map(), forbidden }
}

function forbiddenBy(error: unknown): string | null {
  if (!(error instanceof DriverError) || error.code !== 'topic-authorization-failed') return null
  return error.topic ?? null
}
