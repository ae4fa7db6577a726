import type { Kysely, Transaction } from 'kysely'
import type { StartingPlaces } from '../consumer/options/consumer-options.js'
import { FencedWriter } from '../consumer/handling/fate.js'
import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { missingOptions, type Rule, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { HandlerCallLike } from './sql-dedupe.js'
import { databaseOf, sqlRules, type Database, type SqlOptions } from './database.js'
import { inTransaction } from './in-transaction.js'
import { PartitionWriter } from './partition-writer.js'
import { PositionsTable, type PositionRow } from './positions-table.js'

/** Whose positions are kept, and where. */
export interface SqlPositionsOptions extends SqlOptions {
  /** Whose they are: the group of the consumer. Each group has its own. */
  readonly group: string
}

/** A partition that comes, as `onAssigned` is told of it. */
export interface ComingPartition extends TopicPartition {
  /** Next offset of the group, as Kafka has it; `null` without one. */
  readonly committed: number | null
  /** The id that brokers give its topic; `null`, or missing, where nobody tells: nothing is compared then. */
  readonly topicId?: string | null | undefined
}

/** A partition that was taken, and how far the database has it. */
export interface TakenPartition extends TopicPartition {
  /**
   * The next offset: all before it is in the database. `null` when no transaction has said so yet; 0 when the topic was made
   * anew since: the database has nothing of it.
   */
  readonly position: number | null
  /**
   * The furthest that the group had committed whenever the partition was taken, in the topic of now; `null` when it came
   * without a commit now.
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
   * what the database has of each, in their order. A topic that was made anew since, as its id tells, is one of which it has
   * nothing. A call whose `signal` is aborted before it commits takes nothing.
   */
  take(partitions: readonly ComingPartition[], context?: TakeContext): Promise<readonly TakenPartition[]>
  /**
   * Runs `work` in a transaction that moves the position of a partition too: either the effects and the position are there, or
   * none of them. Transactions of a partition run one after another, so do not begin another one of it in `work`.
   *
   * A commit whose answer is lost was done or was not: the database is asked, and the call ends by what is true. Where it does
   * not answer at once the call rejects with `Unavailable`, and when the same call comes again and the commit was done, it
   * resolves to the result that `work` had, and `work` does not run.
   *
   * @param call the context of the handler, the batch of a loop, or the context of `onWatermark`, as it came: when its `signal` is
   * aborted before the commit all is rolled back, since the partition may be back already, and its records be read again
   * @param of the message, the last one of the batch, or `{ topic, partition }`
   * @param next the offset behind what `work` stores, when all before it is stored by then; `null` moves nothing, and only
   * whoever took the partition last may write. A position never goes back.
   * @throws FencedWriter when another process took the partition, or none did: nothing of `work` is stored
   * @throws StateError `transaction-lost` when a statement of `work` failed and `work` went on, though the database had rolled all of it
   * back (PostgreSQL does at every failure, MySQL at a deadlock): nothing of it counts
   * @throws Unavailable when the database is not there
   */
  transaction<Result>(
    call: HandlerCallLike,
    of: TopicPartition & { readonly offset?: number | undefined },
    next: number | null,
    work: (trx: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result>
  /**
   * The group has no positions of the topic any more, and whoever took its partitions is refused until they are taken again:
   * to read it from elsewhere, or where a topic was made anew and brokers tell no ids. Stop the consumers before.
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
  readonly #table: PositionsTable
  readonly #group: string
  /** Of each partition that this process took. */
  readonly #writers = new Map<string, PartitionWriter<Tables>>()

  constructor(db: Kysely<Tables>, database: Database, group: string) {
    this.#db = db
    this.#table = new PositionsTable(database, group)
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
    const wanted = new Map(partitions.map((one) => [nameOf(one), one]))
    if (wanted.size === 0) return []
    signal?.throwIfAborted()
    const claimed = await inTransaction(this.#db, async (trx) => {
      const rows = await this.#table.claim(trx.withoutPlugins(), [...wanted.values()])
      // The rows are locked: a process that slept does not come between whoever has the partitions now and its claim.
      signal?.throwIfAborted()
      return rows
    })
    const rows = new Map(claimed.map((row) => [nameOf(row), row]))
    for (const [name, { epoch }] of rows) {
      // Of two calls for a partition the first may be answered last.
      if (epoch <= (this.#writers.get(name)?.epoch ?? 0)) continue
      this.#writers.set(name, new PartitionWriter(this.#db, this.#table, this.#group, epoch))
    }
    return partitions.map((one) => {
      const { topic, partition, position, reached } = rows.get(nameOf(one)) as PositionRow
      return { topic, partition, position, reached }
    })
  }

  async transaction<Result>(
    call: HandlerCallLike,
    of: TopicPartition & { readonly offset?: number | undefined },
    next: number | null,
    work: (trx: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    requireCall(call, of, next, work)
    const { signal } = call
    signal.throwIfAborted()
    const writer = this.#writers.get(nameOf(of))
    if (writer === undefined) throw new FencedWriter(this.#group, of)
    return writer.write({ signal, of, next, work })
  }

  async forget(topic: string): Promise<void> {
    await this.#table.forget(this.#db.withoutPlugins(), topic)
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => partitionKey(topic, partition)

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
