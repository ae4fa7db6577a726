import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { ReceivedRecord } from '../../src/message/record.js'
import { partitionKey } from '../../src/message/topic-partition.js'
import type { Report } from './invariant.js'
import { partitionsOf, readable } from './stored-log.js'

export interface SentRecord {
  readonly id: number
  readonly producer: string
  readonly topic: string
  readonly key: string
  outcome: 'pending' | 'stored' | 'not-stored' | 'unknown'
  partition: number
  offset: number | null
  /** Leader epochs of the topic's partitions when it was sent. */
  readonly leaderEpochs: readonly number[]
}

/** What the dead-letter topic takes: more than an error's text and stack are, less than a large record. */
export const letterMaxBytes = 10_000

export interface SentCounts {
  readonly stored: number
  readonly notStored: number
  readonly unknown: number
  readonly lost: number
  readonly doubled: number
}

/** What producers were told about each record, held against what the logs say in the end. */
export class SentLedger {
  readonly records: SentRecord[] = []
  /** What retention has deleted, by partition. */
  readonly #deleted = new Map<string, ReceivedRecord[]>()
  readonly #deletedTopics = new Set<string>()
  /** By an unclean election or with their topic. */
  readonly #taken = new Set<number>()
  /** First record that was sent after the topic was made anew. */
  readonly #madeAnewBefore = new Map<string, number>()

  constructor(private readonly cluster: MemoryCluster) {}

  send(producer: string, topic: string, key: string): SentRecord {
    const leaderEpochs = Array.from(
      { length: this.cluster.partitionCount(topic) },
      (_, partition) => this.cluster.partitionFacts(topic, partition).leaderEpoch,
    )
    const id = this.records.length
    const record: SentRecord = {
      id,
      producer,
      topic,
      key,
      outcome: 'pending',
      partition: -1,
      offset: null,
      leaderEpochs,
    }
    this.records.push(record)
    return record
  }

  /** Retention is about to delete a log's beginning: it was stored all the same. */
  willBeDeleted(topic: string, partition: number, before: number): void {
    const key = partitionKey(topic, partition)
    const records = readable(this.cluster, topic, partition, 'read-uncommitted', 0, before)
    this.#deleted.set(key, [...(this.#deleted.get(key) ?? []), ...records])
  }

  /** Nothing can be said of its records any more. */
  topicDeleted(topic: string): void {
    this.#deletedTopics.add(topic)
  }

  /** These values are gone with a log's end. */
  taken(values: Iterable<string>): void {
    for (const value of values) {
      const id = idOf(Buffer.from(value))
      if (id !== null) this.#taken.add(id)
    }
  }

  /** The log goes on anew from there: what retention had deleted behind that place is of another log, and may come again. */
  logCut({ topic, partition, from }: { topic: string; partition: number; from: number }): void {
    const key = partitionKey(topic, partition)
    const deleted = this.#deleted.get(key) ?? []
    const gone = deleted.filter(({ offset }) => offset >= from)
    if (gone.length === 0) return
    this.#deleted.set(
      key,
      deleted.filter(({ offset }) => offset < from),
    )
    this.taken(gone.map(({ value }) => value?.toString() ?? ''))
  }

  /** Its new log begins with what is sent from now on, or was sent before and not stored in the former one. */
  topicMadeAnew(topic: string): void {
    for (const [key, records] of this.#deleted) {
      if (!key.startsWith(topic)) continue
      this.taken(records.map(({ value }) => value?.toString() ?? ''))
      this.#deleted.delete(key)
    }
    this.#madeAnewBefore.set(topic, this.records.length)
  }

  /** @param created partition counts the topics were created with */
  check(profile: 'cp' | 'ap', created: ReadonlyMap<string, number>, report: Report): SentCounts {
    const places = this.#places(profile, report)
    this.#checkKeys(places, created, report)
    let lost = 0
    let doubled = 0
    for (const record of this.records) {
      if (this.#deletedTopics.has(record.topic)) continue
      const found = places.get(record.id) ?? []
      const what = describe(record, found)
      if (found.length > 1) doubled += 1
      if (record.outcome === 'not-stored' && found.length > 0) report('not stored means absent', what)
      if (profile === 'cp' && found.length > 1) report('nothing is stored twice in cp', what)
      if (record.outcome !== 'stored' || this.#taken.has(record.id) || this.#isOfFormerTopic(profile, record)) continue
      if (found.length === 0) {
        lost += 1
        if (profile === 'cp') report('nothing acknowledged is lost in cp', what)
        else if (!this.#leaderChanged(record)) report('a loss in ap needs a leader change', what)
        continue
      }
      const { partition, offset } = record
      if (offset === null || found.some((place) => place.partition === partition && place.offset === offset)) continue
      if (profile === 'cp' || !this.#leaderChanged(record)) report('a receipt names the place of its record', what)
    }
    const count = (outcome: SentRecord['outcome']) => this.records.filter((record) => record.outcome === outcome).length
    return { stored: count('stored'), notStored: count('not-stored'), unknown: count('unknown'), lost, doubled }
  }

  /** Where each record lies; the order of a key and a producer is checked on the way. */
  #places(profile: 'cp' | 'ap', report: Report): Map<number, { partition: number; offset: number }[]> {
    const places = new Map<number, { partition: number; offset: number }[]>()
    for (const { topic, partition } of partitionsOf(this.cluster)) {
      const lastOf = new Map<string, number>()
      const deleted = this.#deleted.get(partitionKey(topic, partition)) ?? []
      const left = readable(this.cluster, topic, partition, 'read-uncommitted')
      for (const { value, offset } of [...deleted, ...left]) {
        const id = idOf(value)
        const record = id === null ? undefined : this.records[id]
        if (id === null || record === undefined || record.topic !== topic) continue
        const line = `${record.producer} ${record.key}`
        const last = lastOf.get(line) ?? -1
        if (profile === 'cp' && id < last) {
          const detail = `${topic}-${partition}@${offset} holds record ${id} of ${line} after record ${last}`
          report('order per key and producer follows the sends in cp', detail)
        }
        lastOf.set(line, Math.max(last, id))
        const found = places.get(id)
        if (found === undefined) places.set(id, [{ partition, offset }])
        else found.push({ partition, offset })
      }
    }
    return places
  }

  /** As long as no partition is added, a key has one partition. */
  #checkKeys(
    places: ReadonlyMap<number, readonly { partition: number }[]>,
    created: ReadonlyMap<string, number>,
    report: Report,
  ): void {
    const partitionOf = new Map<string, number>()
    for (const { id, topic, key } of this.records) {
      if (this.cluster.partitionCount(topic) !== created.get(topic) || this.#madeAnewBefore.has(topic)) continue
      for (const { partition } of places.get(id) ?? []) {
        const known = partitionOf.get(`${topic} ${key}`) ?? partition
        partitionOf.set(`${topic} ${key}`, known)
        if (known !== partition)
          report('a key has one partition', `record ${id} of ${topic} ${key} lies in ${partition}, others in ${known}`)
      }
    }
  }

  /** What ap lost of a log that is gone cannot be told any more. */
  #isOfFormerTopic(profile: 'cp' | 'ap', { id, topic }: SentRecord): boolean {
    return profile === 'ap' && id < (this.#madeAnewBefore.get(topic) ?? 0)
  }

  #leaderChanged({ topic, partition, leaderEpochs }: SentRecord): boolean {
    const before = leaderEpochs[partition]
    return before === undefined || before !== this.cluster.partitionFacts(topic, partition).leaderEpoch
  }
}

/** The id in a value that `valueOf` made; `null` for what others wrote. */
export function idOf(value: Buffer | null): number | null {
  const text = value?.toString() ?? ''
  return text.startsWith('record ') ? Number.parseInt(text.slice(7), 10) : null
}

export function valueOf(id: number, isLarge = false): string {
  return isLarge ? `record ${id} ${'x'.repeat(letterMaxBytes)}` : `record ${id}`
}

function describe(record: SentRecord, found: readonly { partition: number; offset: number }[]): string {
  const at = found.map(({ partition, offset }) => `${partition}@${offset}`).join(', ')
  const { id, producer, topic, key, outcome, partition, offset } = record
  return `record ${id} (${topic}, ${key}, ${producer}) ended ${outcome} ${partition}@${String(offset)}; in the log at [${at}]`
}
