import type { NewTopic } from '../connection/requests/admin.js'
import { DriverError } from '../errors.js'
import type { Topic } from '../topic/topic.js'
import { shortfalls, shortfallText, type BrokerNeeds } from './durability.js'

const minInsync = 'min.insync.replicas'

/**
 * A topic as it is made where the profile has needs; `brokers` is how many there are.
 *
 * | the definition says       | made with                                                                                |
 * |---------------------------|------------------------------------------------------------------------------------------|
 * | a replication factor      | that                                                                                     |
 * | none                      | 3, or as many as there are brokers                                                        |
 * | `min.insync.replicas`     | that                                                                                     |
 * | nothing of it             | 2 where there is more than one replica: what is acknowledged is never on one broker alone  |
 */
export function durableTopic(topic: NewTopic, brokers: number, needs: BrokerNeeds): NewTopic {
  const replicationFactor =
    topic.replicationFactor === -1 ? Math.min(needs.minReplicationFactor, brokers) : topic.replicationFactor
  if (replicationFactor === 1 || topic.configs[minInsync] !== undefined) return { ...topic, replicationFactor }
  return {
    ...topic,
    replicationFactor,
    configs: { ...topic.configs, [minInsync]: String(needs.minInsyncReplicas) },
  }
}

/** @throws DriverError `not-durable` before anything is made that the profile would not write to */
export function requireDurable(
  profile: string,
  topics: readonly NewTopic[],
  brokers: number,
  needs: BrokerNeeds,
): void {
  const refused = topics.flatMap(({ name, replicationFactor, configs }) => {
    const found = shortfalls(replicationFactor, brokers, new Map(Object.entries(configs)), needs)
    const grave = found.filter((shortfall) => shortfall.grave)
    return grave.length === 0 ? [] : [{ name, text: grave.map(shortfallText).join('; ') }]
  })
  const [first] = refused
  if (first === undefined) return
  const lines = refused.map(({ name, text }) => `  ${name}: ${text}; change its definition`)
  throw new DriverError(
    'not-durable',
    `profile ${profile}: ${refused.length} topic(s) are not defined as it promises, and nothing was made\n` +
      `${lines.join('\n')}\n  or go on without the promise: durability: 'warn' (TIDEMARK_DURABILITY=warn)`,
    { topic: first.name },
  )
}

/** What of a definition decides how many partitions are made. */
export type SizedTopic = Pick<Topic, 'name' | 'partitions' | 'deadLettersOf' | 'delays'>

/** Partitions to make: as defined, else as many as the topic has whose dead letters or delayed records it takes, else -1, the broker's default. */
export function partitionsOf(
  topic: SizedTopic,
  defined: readonly SizedTopic[],
  existing: ReadonlyMap<string, number>,
): number {
  const source = topic.delays ?? topic.deadLettersOf
  if (topic.partitions !== -1 && topic.delays === undefined) return topic.partitions
  if (source === undefined) return -1
  return existing.get(source) ?? defined.find(({ name }) => name === source)?.partitions ?? topic.partitions
}
