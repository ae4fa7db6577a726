import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import { readable } from './stored-log.js'

/** One loss of a log's end, or of all of it. */
export interface Cut extends TopicPartition {
  /** First offset that is gone. */
  readonly from: number
  /** Of whoever has led since: who names a former one counts in the log that was cut. `null`: it is another log. */
  readonly leaderEpoch: number | null
  readonly reason: 'log-cut' | 'topic-made-anew'
}

/** What logs held before an unclean election cut them or their topic was made anew. A value stands in one record only. */
export class FormerLogs {
  readonly #cuts = new Map<string, Cut[]>()
  readonly #texts = new Map<string, Map<number, Set<string>>>()

  constructor(private readonly cluster: MemoryCluster) {}

  /** To be called before: gives what tells afterwards which records are gone. */
  aboutToLose(topic: string, partition: number): ReadonlyMap<number, string> {
    const records = readable(this.cluster, topic, partition, 'read-uncommitted')
    return new Map(records.map(({ offset, value }) => [offset, value?.toString() ?? '']))
  }

  lost(cut: Cut, before: ReadonlyMap<number, string>): readonly string[] {
    const key = partitionKey(cut.topic, cut.partition)
    this.#cuts.set(key, [...this.cutsOf(cut), cut])
    const gone: string[] = []
    for (const [offset, text] of before) {
      if (offset < cut.from) continue
      gone.push(text)
      this.#note(key, offset, text)
    }
    return gone
  }

  /** Retention deletes these; what is made anew later has others in their places. */
  deleted(topic: string, partition: number, before: number): void {
    for (const [offset, text] of this.aboutToLose(topic, partition))
      if (offset < before) this.#note(partitionKey(topic, partition), offset, text)
  }

  #note(key: string, offset: number, text: string): void {
    let texts = this.#texts.get(key)
    if (texts === undefined) this.#texts.set(key, (texts = new Map<number, Set<string>>()))
    const known = texts.get(offset)
    if (known === undefined) texts.set(offset, new Set([text]))
    else known.add(text)
  }

  /** In order. */
  cutsOf({ topic, partition }: TopicPartition): readonly Cut[] {
    return this.#cuts.get(partitionKey(topic, partition)) ?? []
  }

  held({ topic, partition }: TopicPartition, offset: number, text: string): boolean {
    // Compaction may have taken a filler before.
    if (text.startsWith('filler ') && this.cutsOf({ topic, partition }).length > 0) return true
    return this.#texts.get(partitionKey(topic, partition))?.get(offset)?.has(text) ?? false
  }
}
