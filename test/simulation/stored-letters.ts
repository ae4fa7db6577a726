import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { tdHeader } from '../../src/message/headers.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import { deadLetters } from './clients.js'
import { letterMaxBytes } from './sent-ledger.js'

/** What a letter holds of its record's value: all of it, or where that is. */
type Content = string | 'pointer'

/** The letters of the dead-letter topic, by their origin. They are looked for often, so the log is read anew when it changed. */
export class StoredLetters {
  readonly #cluster: MemoryCluster
  readonly #byOrigin: Map<string, Content[]>[] = []
  readonly #readAt: string[] = []

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster
  }

  has(group: string | null, { topic, partition }: TopicPartition, offset: number, value: string): boolean {
    const origin = `${group ?? ''} ${topic} ${partition} ${offset}`
    const isLarge = value.length > letterMaxBytes
    for (let lettered = 0; lettered < this.#cluster.partitionCount(deadLetters); lettered += 1) {
      const contents = this.#lettersOf(lettered).get(origin) ?? []
      if (contents.some((content) => content === value || (isLarge && content === 'pointer'))) return true
    }
    return false
  }

  #lettersOf(lettered: number): Map<string, Content[]> {
    const { logStartOffset, logEndOffset, leaderEpoch } = this.#cluster.partitionFacts(deadLetters, lettered)
    const at = `${logStartOffset} ${logEndOffset} ${leaderEpoch}`
    const known = this.#byOrigin[lettered]
    if (known !== undefined && this.#readAt[lettered] === at) return known
    const letters = new Map<string, Content[]>()
    for (const { headers, value } of this.#cluster.records(deadLetters, lettered)) {
      const text = new Map(headers.map(([name, bytes]) => [name, bytes?.toString() ?? '']))
      const of = (name: string) => text.get(name) ?? ''
      const place = `${of(tdHeader.originTopic)} ${of(tdHeader.originPartition)} ${of(tdHeader.originOffset)}`
      const origin = `${of(tdHeader.group)} ${place}`
      const content = of(tdHeader.left) === 'value' ? 'pointer' : (value?.toString() ?? '')
      letters.set(origin, [...(letters.get(origin) ?? []), content])
    }
    this.#byOrigin[lettered] = letters
    this.#readAt[lettered] = at
    return letters
  }
}
