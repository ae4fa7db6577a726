import { sql, type RawBuilder } from 'kysely'
import { ConfigError, StateError } from '../errors.js'
import { came } from '../input/came.js'
import { withMethods, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { tdHeader } from '../message/headers.js'
import type { OutboxBacklog, OutboxContent, OutboxRow, OutboxStore } from '../outbox/outbox-store.js'
import { encodeRecord, takeOptions, type SendOptions } from '../producer/outgoing-record.js'
import { makeWhole, prepareToWrite } from '../producer/preparation.js'
import { systemClock } from '../runtime/clock.js'
import { systemRandom } from '../runtime/random.js'
import { systemRuntime } from '../runtime/runtime.js'
import { guardedTracing } from '../telemetry/guarded-tracing.js'
import { consoleLogger } from '../telemetry/logger.js'
import { noMetrics } from '../telemetry/metrics.js'
import type { Tracing, TracingAdapter } from '../telemetry/tracing.js'
import type { Topic } from '../topic/topic.js'
import { contentOf, headersOf, laneOf, textOf } from './outbox-columns.js'
import { mysqlLanes } from './tables.js'
import {
  databaseOf,
  inPieces,
  nowMs,
  sqlRules,
  type AnyKysely,
  type AnyTransaction,
  type Database,
  type SqlOptions,
} from './database.js'

/** What is said of one record; as for `send`. `id` is made where none is given. */
export type OutboxAddOptions = Omit<SendOptions, 'timeoutMs' | 'signal'>

/** One record of `addMany`: its value, and what is said of it. */
export type OutboxAddition<Value> = OutboxAddOptions & { readonly value: Value }

/** Options of `sqlOutbox`. */
export interface SqlOutboxOptions extends SqlOptions {
  /** As given to `createMessaging`: a row goes on in the trace of whoever added it. Default: it begins one when it is sent. */
  readonly tracing?: TracingAdapter | undefined
}

/** A row that Kafka refused for good. */
export interface HeldRow {
  readonly number: number
  readonly topic: string
  readonly id: string
  /** Code of the refusal. */
  readonly problem: string
}

/** A table of what is to be sent, written with the effects it tells of. */
export interface SqlOutbox extends OutboxStore {
  /**
   * Adds a record to what is to be sent when `trx` is committed. Key, value and headers become bytes now, so what cannot be
   * sent fails the transaction. Resolves to its id. Transactions that add records of the same key wait for each other until
   * their ends, so that they are sent in the order in which they are committed.
   *
   * @throws SendError `not-stored` for what cannot be encoded; StateError outside of a transaction
   */
  add<Value>(trx: AnyTransaction, topic: Topic<Value>, value: Value, options?: OutboxAddOptions): Promise<string>
  /**
   * The same for many records of a topic, in their order, by few statements. Resolves to their ids.
   *
   * @throws SendError `not-stored` for what cannot be encoded; StateError outside of a transaction
   */
  addMany<Value>(
    trx: AnyTransaction,
    topic: Topic<Value>,
    records: readonly OutboxAddition<Value>[],
  ): Promise<readonly string[]>
  /** Rows that Kafka refused for good, which hold up their key; the oldest first, at most 1,000. */
  held(): Promise<readonly HeldRow[]>
  /** They are sent again: what refused them was mended. */
  release(numbers: readonly number[]): Promise<void>
  /** They are never sent, and what waits behind them is. */
  discard(numbers: readonly number[]): Promise<void>
}

/**
 * An outbox in SQLite, MySQL, MariaDB or PostgreSQL, by kysely. Its tables are made by `createOutboxTables`.
 *
 * @throws ConfigError
 * @example
 * const outbox = sqlOutbox(db)
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto('orders').values(order).execute()
 *   await outbox.add(trx, orders, order)
 * })
 * const relay = messaging.relay(outbox)
 * await relay.start()
 */
export function sqlOutbox(db: AnyKysely, options: SqlOutboxOptions = {}): SqlOutbox {
  const database = databaseOf('sqlOutbox', db, options, outboxRules)
  const { tracing } = options
  const guarded = tracing && guardedTracing(tracing, 'outbox', { logger: consoleLogger(), metrics: noMetrics })
  return new Outbox(db, database, guarded?.of({ client: 'outbox' }))
}

const outboxRules: Rules<SqlOutboxOptions> = { ...sqlRules, tracing: withMethods('a tracing adapter', ['of']) }

/** The database waits meanwhile, so it is short. */
const prepareMs = 10_000

/** Clocks of servers that take over from each other differ by less. */
const clockStepMs = 1_000

/** Rows are counted up to so many: beyond it the count would cost more than it tells. */
const mostCounted = 100_000

/** A lease that ends later than it can. */
interface AheadOfTime {
  readonly until: number
  readonly forMs: number
  readonly seenAt: number
}

/** Values of one statement: SQLite takes 32,766, and compiling long ones costs more than they save. */
const rowsPerInsert = 200

/** A row that is to be added. */
interface Addition {
  readonly id: string
  readonly lane: string | null
  readonly values: RawBuilder<unknown>
}

/** One name space of advisory locks of PostgreSQL: "tide". */
const lockSpace = 0x74696465

class Outbox implements SqlOutbox {
  readonly #db: AnyKysely
  readonly #database: Database
  readonly #tracing: Tracing | undefined
  #ahead: AheadOfTime | null = null

  constructor(db: AnyKysely, database: Database, tracing: Tracing | undefined) {
    this.#tracing = tracing
    // What changes names and values of results (camel case, parsed JSON) is for the tables of the user.
    this.#db = db.withoutPlugins()
    this.#database = database
  }

  async add<Value>(
    trx: AnyTransaction,
    topic: Topic<Value>,
    value: Value,
    given: OutboxAddOptions = {},
  ): Promise<string> {
    if (trx?.isTransaction !== true) throw notInTransaction()
    if (!isRecord(given)) {
      const fix = 'write an object such as { key, headers, id }, or leave it out'
      throw new ConfigError('add', [{ path: 'options', message: came(given), fix }])
    }
    const [id] = await this.addMany(trx, topic, [{ ...given, value }])
    return id as string
  }

  async addMany<Value>(
    trx: AnyTransaction,
    topic: Topic<Value>,
    records: readonly OutboxAddition<Value>[],
  ): Promise<readonly string[]> {
    if (trx?.isTransaction !== true) throw notInTransaction()
    if (!Array.isArray(records) || records.some((record) => !isRecord(record))) {
      const fix = 'write a list of objects such as { value, key, headers, id }'
      throw new ConfigError('addMany', [{ path: 'records', message: 'is no list of records', fix }])
    }
    if (records.length > 0) await prepareToWrite(topic as Topic, systemRuntime, systemClock.now() + prepareMs)
    const rows = records.map((record) => this.#rowOf(topic, record))
    // The number is drawn behind the lock, and the lock ends with the transaction: in a lane numbers rise as commits do.
    const plain = trx.withoutPlugins()
    await this.#lock(
      plain,
      rows.flatMap(({ lane }) => lane ?? []),
    )
    for (const some of inPieces(rows, rowsPerInsert)) {
      await sql`
        insert into ${this.#table()} (lane, topic, record_key, value, headers, record_partition, record_time, size_bytes, added_at)
        values ${sql.join(some.map(({ values }) => values))}`.execute(plain)
    }
    return rows.map(({ id }) => id)
  }

  #rowOf<Value>(topic: Topic<Value>, { value, id = systemRandom.uuid(), ...options }: OutboxAddition<Value>): Addition {
    const taken = takeOptions(topic as Topic, { ...options, id })
    const record = encodeRecord(topic, value, taken, systemClock.wallTime())
    makeWhole(topic as Topic, record)
    const lane = record.key === null ? null : laneOf(topic.name, record.key)
    const headers = textOf(this.#tracing?.inject(record.headers) ?? record.headers)
    const sizeBytes = (record.key?.length ?? 0) + (record.value?.length ?? 0) + headers.length
    const values = sql`(${lane}, ${topic.name}, ${record.key}, ${record.value}, ${headers}, ${taken.partition ?? null},
      ${record.timestamp}, ${sizeBytes}, ${this.#now})`
    return { id, lane, values }
  }

  async lead(holder: string, forMs: number): Promise<boolean> {
    const lease = this.#table('_lease')
    const lasts = Math.round(forMs)
    const { numAffectedRows } = await sql`
      update ${lease} set holder = ${holder}, until_ms = ${this.#now} + ${sql.lit(lasts)}, for_ms = ${sql.lit(lasts)}
      where name = 'relay' and (holder = ${holder} or until_ms < ${this.#now} or until_ms = ${this.#leftBehind()})`.execute(
      this.#db,
    )
    if (numAffectedRows === 1n) return true
    // Not all drivers tell how many rows they changed, and some do not count one that was as it is now.
    const { rows } = await sql<Readonly<Record<string, unknown>>>`
      select holder, until_ms, for_ms, ${this.#now} as now_ms from ${lease} where name = 'relay'`.execute(this.#db)
    const [found] = rows
    if (found === undefined) throw noLease(`${this.#database.prefix}outbox_lease`)
    this.#look(Number(found['until_ms']), Number(found['for_ms']), Number(found['now_ms']))
    return found['holder'] === holder
  }

  /**
   * A lease that has more time left than it was given is of a clock that was set back since. Its holder renews it soon, if
   * it lives; else nobody could send until that clock is where it was.
   */
  #look(until: number, forMs: number, now: number): void {
    if (until - now <= forMs + clockStepMs) this.#ahead = null
    else if (this.#ahead?.until !== until) this.#ahead = { until, forMs, seenAt: systemClock.now() }
  }

  /** Until when the lease would last that nobody renewed in its whole time; -1 when there is none. */
  #leftBehind(): number {
    if (this.#ahead === null || systemClock.now() - this.#ahead.seenAt < this.#ahead.forMs) return -1
    return this.#ahead.until
  }

  async resign(holder: string): Promise<void> {
    await sql`update ${this.#table('_lease')} set until_ms = 0 where name = 'relay' and holder = ${holder}`.execute(
      this.#db,
    )
  }

  async pending(after: number, most: number): Promise<readonly OutboxRow[]> {
    const table = this.#table()
    const { rows } = await sql<Readonly<Record<string, unknown>>>`
      select o.number as number, o.lane as lane, o.topic as topic, o.size_bytes as size_bytes,
        (select max(p.number) from ${table} p where p.lane = o.lane and p.number < o.number) as previous
      from ${table} o where o.number > ${after} and o.state = 'pending' order by o.number limit ${sql.lit(most)}`.execute(
      this.#db,
    )
    return rows.map((row) => ({
      number: Number(row['number']),
      lane: row['lane'] as string | null,
      previous: row['previous'] === null ? null : Number(row['previous']),
      topic: row['topic'] as string,
      sizeBytes: Number(row['size_bytes']),
    }))
  }

  async contents(numbers: readonly number[]): Promise<readonly OutboxContent[]> {
    const contents: OutboxContent[] = []
    for (const some of inPieces(numbers)) {
      const { rows } = await sql<Readonly<Record<string, unknown>>>`
        select number, record_key, value, headers, record_partition, record_time
        from ${this.#table()} where number in (${sql.join(some)})`.execute(this.#db)
      for (const row of rows) contents.push(contentOf(row))
    }
    return contents
  }

  async sent(numbers: readonly number[]): Promise<void> {
    for (const some of inPieces(numbers)) {
      await sql`delete from ${this.#table()} where number in (${sql.join(some)})`.execute(this.#db)
    }
  }

  async hold(number: number, code: string, holder: string): Promise<void> {
    await sql`
      update ${this.#table()} set state = 'held', problem = ${code.slice(0, 100)}
      where number = ${number} and state = 'pending' and exists (
        select 1 from ${this.#table('_lease')} where name = 'relay' and holder = ${holder} and until_ms > ${this.#now})`.execute(
      this.#db,
    )
  }

  async backlog(): Promise<OutboxBacklog> {
    const table = this.#table()
    const most = sql.lit(mostCounted)
    const { rows } = await sql<Readonly<Record<string, unknown>>>`
      select (select count(*) from (select 1 from ${table} limit ${most}) counted) as count,
        (select count(*) from (select 1 from ${table} where state = 'held' limit ${most}) kept) as held,
        ${this.#now} - (select added_at from ${table} order by number limit 1) as age`.execute(this.#db)
    const [row = {}] = rows
    const age = row['age']
    return {
      rows: Number(row['count']),
      held: Number(row['held']),
      oldestAgeMs: age === null || age === undefined ? null : Math.max(0, Number(age)),
    }
  }

  async held(): Promise<readonly HeldRow[]> {
    const { rows } = await sql<Readonly<Record<string, unknown>>>`
      select number, topic, headers, problem from ${this.#table()} where state = 'held' order by number limit 1000`.execute(
      this.#db,
    )
    return rows.map((row) => ({
      number: Number(row['number']),
      topic: row['topic'] as string,
      id:
        headersOf(row['headers'] as string)
          .findLast(([name]) => name === tdHeader.id)?.[1]
          ?.toString('utf8') ?? '',
      problem: row['problem'] as string,
    }))
  }

  async release(numbers: readonly number[]): Promise<void> {
    requireNumbers('release', numbers)
    for (const some of inPieces(numbers)) {
      await sql`
        update ${this.#table()} set state = 'pending', problem = null
        where state = 'held' and number in (${sql.join(some)})`.execute(this.#db)
    }
  }

  async discard(numbers: readonly number[]): Promise<void> {
    requireNumbers('discard', numbers)
    for (const some of inPieces(numbers)) {
      await sql`delete from ${this.#table()} where state = 'held' and number in (${sql.join(some)})`.execute(this.#db)
    }
  }

  /**
   * Held until the transaction ends.
   *
   * | database         | what is locked | who shares it |
   * |------------------|----------------|---------------|
   * | SQLite           | the database: it has one writer at a time | all |
   * | PostgreSQL       | an advisory lock of the transaction | keys with the same 32 bits of their hash |
   * | MySQL, MariaDB   | a row made for it | about one key of 1,024 |
   */
  async #lock(trx: AnyTransaction, lanes: readonly string[]): Promise<void> {
    const { dialect } = this.#database
    if (dialect === 'sqlite') return
    const hashes = lanes.map((lane) => Buffer.from(lane, 'base64url').readInt32BE(0))
    const locks = new Set(dialect === 'mysql' ? hashes.map((hash) => (hash >>> 0) % mysqlLanes) : hashes)
    // Whoever adds many takes them in one order: two would wait for each other else.
    for (const lock of [...locks].sort((one, other) => one - other)) {
      if (dialect === 'mysql') await this.#lockRow(trx, lock)
      else await sql`select pg_advisory_xact_lock(${sql.lit(lockSpace)}, ${sql.lit(lock)})`.execute(trx)
    }
  }

  async #lockRow(trx: AnyTransaction, row: number): Promise<void> {
    const { rows } = await sql`
      select lane from ${this.#table('_lanes')} where lane = ${sql.lit(row)} for update`.execute(trx)
    if (rows.length === 0) throw noLease(`${this.#database.prefix}outbox_lanes`)
  }

  get #now() {
    return nowMs[this.#database.dialect]
  }

  #table(suffix = '') {
    return sql.table(`${this.#database.prefix}outbox${suffix}`)
  }
}

function notInTransaction(): StateError {
  return new StateError(
    'not-in-transaction',
    'add was given no transaction of kysely, so the record could be sent without the effect it tells of, or the effect be ' +
      'there without it; give the trx of db.transaction().execute(async (trx) => …)',
  )
}

function requireNumbers(call: string, numbers: unknown): void {
  if (Array.isArray(numbers) && numbers.every((number) => Number.isSafeInteger(number))) return
  const fix = 'give a list of numbers of rows, as held() tells them'
  throw new ConfigError(call, [{ path: 'numbers', message: came(numbers), fix }])
}

function noLease(table: string): StateError {
  return new StateError('no-tables', `${table} has not the rows it was made with; run createOutboxTables once more`)
}
