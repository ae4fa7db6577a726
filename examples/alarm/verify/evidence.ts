import { sql } from 'kysely'
import { bytes, defineTopic, type MessageHeaders, type Messaging, type Topic } from 'tidemark'
import { sqlOutbox } from 'tidemark/sql'
import type { Schema } from '../store/schema.js'
import type { Store } from '../store/store.js'
import { jsonTopics, type AlarmTopics } from '../topics.js'
import type { Journal, Reference } from './kept.js'

/** A record of a topic, in the order of its offset. */
export interface Kept<Value> {
  readonly partition: number
  readonly offset: number
  readonly id: string | undefined
  readonly headers: MessageHeaders
  /** `null`: it cannot be read as what the topic should hold. */
  readonly value: Value | null
}

type ValueOf<Of> = Of extends Topic<infer Value> ? Value : never
type TopicName = keyof typeof jsonTopics
type Topics = { [Name in TopicName]: Kept<ValueOf<(typeof jsonTopics)[Name]>>[] }

/** How far a group has committed a partition of what it reads. */
export interface Commit {
  readonly group: ReadingGroup
  readonly partition: number
  readonly offset: number
}

/** What each group reads. */
export const readBy = {
  detect: 'rawEvents',
  alert: 'alerts',
  repartition: 'alertStatus',
  converge: 'convergeInput',
  notice: 'notices',
} as const satisfies Record<string, TopicName>
export type ReadingGroup = keyof typeof readBy

const tables = [
  ...(['metric_point', 'check_result', 'event_inbox', 'alert_series', 'alert', 'alert_log'] as const),
  ...(['converge_instance', 'converge_relation', 'notice'] as const),
] satisfies (keyof Schema)[]
type TableName = (typeof tables)[number]
/** How far a database has each partition (`sqlPositions`). */
interface StoredPosition {
  readonly grp: string
  readonly part: number
  readonly next_offset: number | null
}
type Row<Table extends TableName> = {
  [Column in keyof Schema[Table]]: Schema[Table][Column] extends { __select__: infer Of } ? Of : Schema[Table][Column]
}

/** All that there is to look at: topics, databases, and what was written down beside them. Plain data. */
export interface Evidence {
  /** As readers of committed records have them. */
  readonly topics: Topics
  /** Records of `converge_input` that were aborted. */
  readonly aborted: number
  /** Whether a topic still has all of it, from its first record. */
  readonly isWhole: (topic: TopicName) => boolean
  readonly commits: readonly Commit[]
  readonly tables: { [Table in TableName]: Row<Table>[] }
  readonly positions: readonly StoredPosition[]
  /** Rows of outboxes that were not sent. */
  readonly untold: number
  /** Whoever stood by: how notices came in, how processes ended. */
  readonly journal: Journal | null
  /** What a run without faults ended with. */
  readonly reference: Reference | null
}

/** Commits are read first: what they say is done must be there when the databases are read behind them. */
export async function readEvidence(
  messaging: Messaging,
  stores: readonly Pick<Store, 'db'>[],
  written: Pick<Evidence, 'journal' | 'reference'>,
  from: AlarmTopics = jsonTopics,
): Promise<Evidence> {
  const commits = await readCommits(messaging)
  const rows = Object.fromEntries(
    await Promise.all(tables.map(async (table) => [table, await readTable(stores, table)])),
  )
  const read: [TopicName, Kept<unknown>[]][] = []
  for (const name of Object.keys(jsonTopics) as TopicName[])
    read.push([name, await readTopic(messaging, from[name] as Topic<unknown>)])
  const topics = Object.fromEntries(read) as Topics
  const inputs = await readTopic(messaging, from.convergeInput, 'read-uncommitted')
  const outboxes = await Promise.all(stores.map(({ db }) => sqlOutbox(db).backlog()))
  const begun = new Set<string>()
  for (const [name] of read) {
    const places = placesOf(name)
    const starts = await messaging.admin.listOffsets(places, 'earliest')
    if (starts.every((start) => start === 0)) begun.add(name)
  }
  return {
    topics,
    aborted: inputs.length - topics.convergeInput.length,
    isWhole: (topic) => begun.has(topic),
    commits,
    tables: rows as Evidence['tables'],
    positions: (await Promise.all(stores.map(readPositions))).flat(),
    untold: outboxes.reduce((sum, { rows: left }) => sum + left, 0),
    ...written,
  }
}

function placesOf(name: TopicName): { topic: string; partition: number }[] {
  const { name: topic, partitions } = jsonTopics[name]
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
}

async function readCommits({ admin }: Messaging): Promise<Commit[]> {
  const groups = Object.entries(readBy) as [ReadingGroup, TopicName][]
  const found = groups.map(async ([group, topic]) => {
    const commits = await admin.committedOffsets(group, placesOf(topic))
    return commits.map(({ partition, offset }): Commit => ({ group, partition, offset }))
  })
  return (await Promise.all(found)).flat()
}

/** Of all databases: each service fills its own tables. */
async function readTable(stores: readonly Pick<Store, 'db'>[], table: TableName): Promise<unknown[]> {
  return (await Promise.all(stores.map(({ db }) => db.selectFrom(table).selectAll().execute()))).flat()
}

async function readPositions({ db }: Pick<Store, 'db'>): Promise<readonly StoredPosition[]> {
  return (await sql<StoredPosition>`select grp, part, next_offset from tidemark_positions`.execute(db)).rows
}

async function readTopic<Value>(
  messaging: Messaging,
  topic: Topic<Value>,
  isolation: 'read-committed' | 'read-uncommitted' = 'read-committed',
): Promise<Kept<Value>[]> {
  const kept: Kept<Value>[] = []
  const reader = messaging.consumer({
    group: null,
    topics: [defineTopic({ name: topic.name, value: bytes() })],
    isolation,
    handle: async ({ partition, offset, id, headers, value }) => {
      // Of Avro the schema.
      await topic.value.reading?.missing(value)?.load()
      kept.push({ partition, offset, id, headers, value: orNull(() => topic.value.decode(value)) })
    },
  })
  await reader.start()
  await reader.caughtUp({ timeoutMs: 120_000 })
  await reader.stop()
  return kept.sort((one, other) => one.partition - other.partition || one.offset - other.offset)
}

function orNull<Result>(read: () => Result): Result | null {
  try {
    return read()
  } catch {
    return null
  }
}
