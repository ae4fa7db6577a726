import type { NewTopic } from '../connection/requests/admin.js'
import type { TopicView } from './topic-view.js'

/** What a topic has otherwise than it is defined. What the definition leaves to the broker, -1 or no config, may be anything. */
export function differencesOf(defined: NewTopic, { replicas, configs }: TopicView): readonly string[] {
  const fewest = Math.min(...replicas.map((brokers) => brokers.length))
  return [
    ...difference('partitions', defined.partitions, replicas.length),
    ...difference('replication factor', defined.replicationFactor, fewest),
    ...Object.entries(defined.configs).flatMap(([name, wanted]) => {
      const value = configs.get(name)
      if (value === undefined || value === null) return [`${name} is not told, defined ${wanted}`]
      return isSame(wanted, value) ? [] : [`${name} is ${value}, defined ${wanted}`]
    }),
  ]
}

function difference(name: string, wanted: number, value: number): readonly string[] {
  return wanted === -1 || wanted === value ? [] : [`${name} is ${value}, defined ${wanted}`]
}

/** Lists in any order, as in `compact,delete`; numbers by their value. */
function isSame(one: string, other: string): boolean {
  const [mine, theirs] = [one, other].map((text) =>
    text
      .split(',')
      .map((part) => (part.trim() !== '' && Number.isFinite(Number(part)) ? String(Number(part)) : part.trim()))
      .sort()
      .join(),
  )
  return mine === theirs
}
