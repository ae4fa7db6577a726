import { sql, type Kysely, type Transaction } from 'kysely'
import type { StartingPlaces } from '../consumer/options/consumer-options.js'
import { FencedWriter, Unavailable } from '../consumer/handling/fate.js'
import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { missingOptions, type Rule, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { HandlerCallLike } from './sql-dedupe.js'
import { databaseOf, sqlRules, type Database, type SqlOptions } from './database.js'

/** Whose positions are kept, and where. */
export interface SqlPositionsOptions extends SqlOptions {
  /** Whose they are: the group of the consumer. Each group has its own. */
  readonly group: string
}

/** A partition that comes, as `onAssigned` is told of it. */
export interface ComingPartition extends TopicPartition {
  /** Next offset of the group, as Kafka has it; `null` without one. */
  readonly committed: number | null
}

/** A partition that was taken, and how far the database has it. */
export interface TakenPartition extends TopicPartition {
  /** The next offset: all before it is in the database. `null` when no transaction has said so yet. */
  readonly position: number | null
  /**
   * The furthest that the group had committed whenever the partition was taken; `null` when it came without a commit now.
   * What handlers sent for records before it was sent, also where the database is behind it and they are read again.
   */
  readonly reached: number | null
}

/** Until when a call counts, as `onAssigned` is told. */
export interface TakeContext {
  readonly signal?: AbortSignal | undefined
}

/** Places of partitions in a table of a database. One of its own for each consumer. */
export interface SqlPositions<Tables> {
  /**
   * For `onAssigned` of the consumer, as it is: takes the partitions, and answers where they start. One of which the database
   * has no position starts where its group stands.
   */
  readonly onAssigned: (partitions: readonly ComingPartition[], context?: TakeContext) => Promise<StartingPlaces>
  /**
   * Makes this process the one writer of partitions that come: whoever took them before is refused from now on. Resolves to
   * what the database has of each, in their order. A call whose `signal` is aborted before it commits takes nothing.
   */
  take(partitions: readonly ComingPartition[], context?: TakeContext): Promise<readonly TakenPartition[]>
  /**
   * Runs `work` in a transaction that moves the position of a partition too: either the effects and the position are there, or
   * none of them.
   *
   * @param call the context of the handler, the batch of a loop, or the context of `onWatermark`, as it came: when its `signal` is
   * aborted before the commit all is rolled back, since the partition may be back already, and its records be read again
   * @param next the offset behind what `work` stores, when all before it is stored by then; `null` moves nothing, and only
   * whoever took the partition last may write. A position never goes back.
   * @throws FencedWriter when another process took the partition, or none did: nothing of `work` is stored
   * @throws Unavailable when the database is not there
   */
  transaction<Result>(
    call: HandlerCallLike,
    of: TopicPartition,
    next: number | null,
    work: (trx: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result>
  /**
   * For a topic that was made anew: its offsets mean other records. The group has no positions of it any more, and whoever
   * took its partitions is refused until they are taken again. Stop the consumers before.
   */
  forget(topic: string): Promise<void>
}

const groupRule: Rule = {
  expected: 'the name of the group: 1 to 190 characters, no white space at its ends',
  accepts: (value) => typeof value === 'string' && value.length > 0 && value.length <= 190 && value.trim() === value,
}

const positionsRules: Rules<SqlPositionsOptions> = { ...sqlRules, group: groupRule }

/**
 * Offsets in SQLite, MySQL, MariaDB or PostgreSQL, by kysely, moved in the transactions of their effects. The table is made by
 * `createPositionsTable`.
 *
 * @throws ConfigError
 * @example
 * const positions = sqlPositions(db, { group: 'totals' })
 * messaging.consumer({
 *   group: 'totals', topics: [orders],
 *   onAssigned: positions.onAssigned,
 *   handleBatch: async (batch, context) => {
 *     const last = batch[batch.length - 1]
 *     await positions.transaction(context, last, last.offset + 1, (trx) => addUp(trx, batch))
 *   },
 * })
 */
export function sqlPositions<Tables>(db: Kysely<Tables>, options: SqlPositionsOptions): SqlPositions<Tables> {
  const missing = isRecord(options) ? missingOptions(options, positionsRules, ['group']) : []
  if (missing.length > 0) throw new ConfigError('sqlPositions', missing)
  const database = databaseOf('sqlPositions', db, options, positionsRules)
  return new Positions(db, database, options.group)
}

class Positions<Tables> implements SqlPositions<Tables> {
  /** Of the user, for transactions of the user. */
  readonly #db: Kysely<Tables>
  readonly #database: Database
  readonly #group: string
  /** Of each partition the epoch that this process took it with. */
  readonly #epochs = new Map<string, number>()

  constructor(db: Kysely<Tables>, database: Database, group: string) {
    this.#db = db
    this.#database = database
    this.#group = group
  }

  readonly onAssigned = async (
    partitions: readonly ComingPartition[],
    context?: TakeContext,
  ): Promise<StartingPlaces> => {
    const taken = await this.take(partitions, context)
    return taken.flatMap(({ topic, partition, position }) =>
      position === null ? [] : [{ topic, partition, offset: position }],
    )
  }

  async take(partitions: readonly ComingPartition[], { signal }: TakeContext = {}): Promise<readonly TakenPartition[]> {
    const taken: TakenPartition[] = []
    for (const one of partitions) {
      signal?.throwIfAborted()
      const { epoch, ...found } = await this.#db.transaction().execute(async (trx) => {
        const claimed = await this.#claim(trx, one)
        // The row is locked: a process that slept does not come between whoever has the partition now and its claim.
        signal?.throwIfAborted()
        return claimed
      })
      // Of two calls for a partition the first may be answered last.
      const name = partitionKey(one.topic, one.partition)
      this.#epochs.set(name, Math.max(epoch, this.#epochs.get(name) ?? 0))
      taken.push({ topic: one.topic, partition: one.partition, ...found })
    }
    return taken
  }

  async transaction<Result>(
    call: HandlerCallLike,
    of: TopicPartition,
    next: number | null,
    work: (trx: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    requireCall(call, of, next, work)
    const { signal } = call
    signal.throwIfAborted()
    const epoch = this.#epochs.get(partitionKey(of.topic, of.partition))
    if (epoch === undefined) throw new FencedWriter(this.#group, of)
    let hasBegun = false
    const begun = this.#db.transaction().execute(async (trx) => {
      // First of all: writers of a partition come one after another.
      const isOurs = await this.#move(trx.withoutPlugins(), of, epoch, next)
      hasBegun = true
      if (!isOurs) throw new FencedWriter(this.#group, of)
      const result = await work(trx)
      signal.throwIfAborted()
      return result
    })
    return begun.catch((error: unknown) => {
      throw hasBegun ? error : new Unavailable('the database of the positions is not there', error)
    })
  }

  async forget(topic: string): Promise<void> {
    await sql`
      update ${this.#table} set next_offset = null, reached = null, epoch = epoch + 1
      where grp = ${this.#group} and topic = ${topic}`.execute(this.#db.withoutPlugins())
  }

  async #claim(
    trx: Transaction<Tables>,
    { committed, ...of }: ComingPartition,
  ): Promise<{ readonly epoch: number; readonly position: number | null; readonly reached: number | null }> {
    const plain = trx.withoutPlugins()
    const table = this.#table
    const kept = sql`epoch = ${table}.epoch + 1,
      reached = case when ${table}.reached > ${committed} then ${table}.reached else ${committed} end`
    const unlessNew =
      this.#database.dialect === 'mysql'
        ? sql`on duplicate key update ${kept}`
        : sql`on conflict (grp, topic, part) do update set ${kept}`
    await sql`
      insert into ${table} (grp, topic, part, epoch, reached)
      values (${this.#group}, ${of.topic}, ${of.partition}, 1, ${committed}) ${unlessNew}`.execute(plain)
    const { rows } = await sql<Readonly<Record<string, unknown>>>`
      select epoch, next_offset, reached from ${table} where ${this.#is(of)}`.execute(plain)
    const [row = {}] = rows
    return { epoch: Number(row['epoch']), position: numberOf(row['next_offset']), reached: numberOf(row['reached']) }
  }

  /** Whether the partition is ours by this epoch, which no other can change before the transaction ends; its position is moved then. */
  async #move(trx: Transaction<Tables>, of: TopicPartition, epoch: number, next: number | null): Promise<boolean> {
    const table = this.#table
    const ours = sql`${this.#is(of)} and epoch = ${epoch}`
    const moved = sql`update ${table} set next_offset = case when next_offset > ${next} then next_offset else ${next} end where ${ours}`
    const touched = sql`update ${table} set epoch = epoch where ${ours}`
    if (this.#database.dialect !== 'mysql') {
      const { rows } = await sql`${next === null ? touched : moved} returning epoch`.execute(trx)
      return rows.length > 0
    }
    // Which has no word for that, and does not count a row as changed that is as it was.
    const { rows } = await sql`select epoch from ${table} where ${ours} for update`.execute(trx)
    if (rows.length > 0 && next !== null) await moved.execute(trx)
    return rows.length > 0
  }

  #is({ topic, partition }: TopicPartition) {
    return sql`grp = ${this.#group} and topic = ${topic} and part = ${partition}`
  }

  get #table() {
    return sql.table(`${this.#database.prefix}positions`)
  }
}

/** Some drivers give large numbers as text. */
const numberOf = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))

function requireCall(call: unknown, of: unknown, next: unknown, work: unknown): void {
  if (!isRecord(call) || !(call['signal'] instanceof AbortSignal)) {
    const fix = 'give the context of the handler, or something else with a signal'
    throw new ConfigError('transaction', [{ path: 'call', message: came(call), fix }])
  }
  if (!isRecord(of) || typeof of['topic'] !== 'string' || !Number.isSafeInteger(of['partition'])) {
    const issue = { path: 'of', message: came(of), fix: 'give a message, or { topic, partition }' }
    throw new ConfigError('transaction', [issue])
  }
  if (next !== null && !(Number.isSafeInteger(next) && (next as number) >= 0)) {
    const fix = 'give the offset of the last message + 1, or null to move nothing'
    throw new ConfigError('transaction', [{ path: 'next', message: came(next), fix }])
  }
  if (typeof work === 'function') return
  throw new ConfigError('transaction', [
    { path: 'work', message: came(work), fix: 'give a function (trx) that does the work' },
  ])
}
