import { sql, type RawBuilder } from 'kysely'
import type { TopicPartition } from '../message/topic-partition.js'
import { inPieces, type AnyKysely, type AnyTransaction, type Database } from './database.js'

/** A partition that is claimed. */
export interface ClaimedPartition extends TopicPartition {
  readonly committed: number | null
  readonly topicId?: string | null | undefined
}

/** What a row says of a partition. */
export interface PositionRow extends TopicPartition {
  readonly epoch: number
  readonly position: number | null
  readonly reached: number | null
}

/** PostgreSQL waits for a lock without end; whoever takes partitions is asked again, and meanwhile a connection would be missing. */
const lockTimeoutMs = 8_000

/**
 * The statements of positions. None is given results that a plugin of the user changes.
 *
 * | column | what it says |
 * |---|---|
 * | `epoch` | how often the partition was taken; a writer has the one it took it with |
 * | `written` | counts both ends of every transaction: one higher from its begin on, one more at its end |
 * | `next_offset` | all before it is in the database |
 * | `reached` | the furthest that the group had committed when the partition was taken |
 * | `topic_id` | whose offsets these are: a topic that is made anew has another id; null while nobody has told |
 */
export class PositionsTable {
  readonly #database: Database
  readonly #group: string

  constructor(database: Database, group: string) {
    this.#database = database
    this.#group = group
  }

  /**
   * Raises the epochs of partitions, each named once. One whose topic was made anew begins at the beginning. In one order for
   * all, so that two who take many never lock each other out.
   */
  async claim(trx: AnyTransaction, partitions: readonly ClaimedPartition[]): Promise<readonly PositionRow[]> {
    const table = this.#table
    const isMysql = this.#database.dialect === 'mysql'
    if (this.#database.dialect === 'postgres')
      await sql`set local lock_timeout = ${sql.lit(lockTimeoutMs)}`.execute(trx)
    const [given, givenId, unlessNew] = isMysql
      ? [sql`values(reached)`, sql`values(topic_id)`, sql`on duplicate key update`]
      : [sql`excluded.reached`, sql`excluded.topic_id`, sql`on conflict (grp, topic, part) do update set`]
    const pieces = inPieces([...partitions].sort(byPlace))
    for (const some of pieces) {
      const rows = some.map(
        ({ topic, partition, committed, topicId = null }) =>
          sql`(${this.#group}, ${topic}, ${partition}, 1, ${committed}, ${topicId})`,
      )
      // MySQL assigns in this order, and looks at what is assigned already. What is not known differs from nothing.
      await sql`
        insert into ${table} (grp, topic, part, epoch, reached, topic_id) values ${sql.join(rows)} ${unlessNew}
        epoch = ${table}.epoch + 1,
        next_offset = case when ${table}.topic_id <> ${givenId} then 0 else ${table}.next_offset end,
        reached = case when ${table}.topic_id <> ${givenId} then ${given}
          when ${table}.reached > ${given} then ${table}.reached else ${given} end,
        topic_id = coalesce(${givenId}, ${table}.topic_id)`.execute(trx)
    }
    const claimed: PositionRow[] = []
    for (const some of pieces) {
      const { rows } = await sql<Readonly<Record<string, unknown>>>`
        select topic, part, epoch, next_offset, reached from ${table} where ${this.#areAll(some)}`.execute(trx)
      claimed.push(...rows.map(rowOf))
    }
    return claimed
  }

  /**
   * Locks the row of a partition until the transaction ends, and counts its begin. Resolves to that count; to `null` when the
   * partition is another's.
   */
  async begin(trx: AnyTransaction, of: TopicPartition, epoch: number): Promise<number | null> {
    const counted = sql`update ${this.#table} set written = written + 1 where ${this.#isOurs(of, epoch)}`
    if (this.#database.dialect !== 'mysql') {
      return firstOf(await sql<Readonly<Record<string, unknown>>>`${counted} returning written`.execute(trx))
    }
    await counted.execute(trx)
    return firstOf(
      await sql<
        Readonly<Record<string, unknown>>
      >`select written from ${this.#table} where ${this.#isOurs(of, epoch)} for update`.execute(trx),
    )
  }

  /**
   * Moves the position, which never goes back, and counts the end of a transaction. Resolves to whether its begin is still there:
   * databases roll a transaction back by themselves, and take what comes then as if nothing had been.
   */
  async end(
    trx: AnyTransaction,
    of: TopicPartition,
    { epoch, begun, next }: { readonly epoch: number; readonly begun: number; readonly next: number | null },
  ): Promise<boolean> {
    const moved =
      next === null ? sql`` : sql`, next_offset = case when next_offset > ${next} then next_offset else ${next} end`
    const counted = sql`
      update ${this.#table} set written = written + 1${moved} where ${this.#isOurs(of, epoch)} and written = ${begun}`
    if (this.#database.dialect !== 'mysql') {
      return (await sql`${counted} returning written`.execute(trx)).rows.length > 0
    }
    // It changes a row or finds none; drivers that do not tell are few.
    return (await counted.execute(trx)).numAffectedRows !== 0n
  }

  /** What was counted last, when whoever has the row locked has ended; `null` when the partition is another's. */
  async counted(trx: AnyTransaction, of: TopicPartition, epoch: number): Promise<number | null> {
    const ours = this.#isOurs(of, epoch)
    const asked =
      this.#database.dialect === 'mysql'
        ? sql<Readonly<Record<string, unknown>>>`select written from ${this.#table} where ${ours} for update`
        : sql<
            Readonly<Record<string, unknown>>
          >`update ${this.#table} set epoch = epoch where ${ours} returning written`
    return firstOf(await asked.execute(trx))
  }

  async forget(db: AnyKysely, topic: string): Promise<void> {
    await sql`
      update ${this.#table} set next_offset = null, reached = null, topic_id = null, epoch = epoch + 1
      where grp = ${this.#group} and topic = ${topic}`.execute(db)
  }

  #isOurs({ topic, partition }: TopicPartition, epoch: number): RawBuilder<unknown> {
    return sql`grp = ${this.#group} and topic = ${topic} and part = ${partition} and epoch = ${epoch}`
  }

  #areAll(partitions: readonly TopicPartition[]): RawBuilder<unknown> {
    const byTopic = new Map<string, number[]>()
    for (const { topic, partition } of partitions) {
      const known = byTopic.get(topic)
      if (known === undefined) byTopic.set(topic, [partition])
      else known.push(partition)
    }
    const places = [...byTopic].map(([topic, parts]) => sql`(topic = ${topic} and part in (${sql.join(parts)}))`)
    return sql`grp = ${this.#group} and (${sql.join(places, sql` or `)})`
  }

  get #table() {
    return sql.table(`${this.#database.prefix}positions`)
  }
}

function byPlace(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition
}

function firstOf({ rows }: { readonly rows: readonly Readonly<Record<string, unknown>>[] }): number | null {
  return numberOf(rows[0]?.['written'])
}

function rowOf(row: Readonly<Record<string, unknown>>): PositionRow {
  return {
    topic: String(row['topic']),
    partition: Number(row['part']),
    epoch: Number(row['epoch']),
    position: numberOf(row['next_offset']),
    reached: numberOf(row['reached']),
  }
}

/** Some drivers give large numbers as text. */
const numberOf = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))
