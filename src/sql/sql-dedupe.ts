import { createHash } from 'node:crypto'
import { sql, type Kysely, type Transaction } from 'kysely'
import { MarkedMeanwhile, Unavailable } from '../consumer/handling/fate.js'
import type { CallMarks, DedupeStore } from '../dedupe/dedupe-store.js'
import { OpenCalls } from '../dedupe/open-calls.js'
import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { wholeNumber, type Rules } from '../input/option-rules.js'
import { systemClock } from '../runtime/clock.js'
import { databaseOf, inPieces, nowMs, sqlRules, type Database, type SqlOptions } from './database.js'
import { isConflict, isTaken } from './database-errors.js'
import { inTransaction, orLost, transactionLost } from './in-transaction.js'

/** How an inbox in a database is kept. */
export interface SqlDedupeOptions extends SqlOptions {
  /**
   * How long marks are kept at the least, ms; a repeat that comes later is handled. Longer than records stay in their topic,
   * in its dead-letter topic and in an outbox, there is nothing left to repeat. Default 7 days.
   */
  readonly keepMs?: number | undefined
}

/** What a handler, `onWatermark`, or the body of a loop, was given. */
export interface HandlerCallLike {
  readonly signal: AbortSignal
}

/** Marks in a table of a database. */
export interface SqlDedupe<Tables> extends DedupeStore {
  /**
   * Runs `work` in a transaction that has the marks of this call too: either the effects and the marks are there, or none of
   * them. Give it the context of the handler, or the batch of a loop, as it came; of a batch all messages are marked.
   *
   * When somebody else handles the same record at the same time, one of the two transactions is rolled back
   * (`MarkedMeanwhile`), and its record looked at again. It rolls back too when the time of the handler is over before it
   * commits. The handler has not ended before it, awaited or not, and fails when it does. What the handler does outside of it, and after it, is not covered: send by an outbox, and end with it.
   *
   * @throws StateError `transaction-lost` when a statement of `work` failed and `work` went on, though the database had rolled all of it
   * back (PostgreSQL does at every failure, MySQL at a deadlock): nothing of it counts
   * @throws Unavailable when the database is not there
   */
  transaction<Result>(call: HandlerCallLike, work: (trx: Transaction<Tables>) => Promise<Result>): Promise<Result>
  /**
   * Forgets marks that are older than `keepMs`, by the clock of the database; resolves to how many. It is done as marks are
   * made, a few at a time, so it need not be called.
   */
  purge(): Promise<number>
}

const defaultKeepMs = 7 * 24 * 3_600_000
const dedupeRules: Rules<SqlDedupeOptions> = { ...sqlRules, keepMs: wholeNumber(1) }
const purgeEveryMs = 60_000
const purgeAtOnce = 5_000

/**
 * A dedupe store in SQLite, MySQL, MariaDB or PostgreSQL, by kysely. Its table is made by `createInboxTable`.
 *
 * @throws ConfigError
 * @example
 * const inbox = sqlDedupe(db)
 * messaging.consumer({
 *   group: 'billing', topics: [orders], dedupe: inbox,
 *   handle: (order, context) => inbox.transaction(context, (trx) => bill(trx, order.value)),
 * })
 */
export function sqlDedupe<Tables>(db: Kysely<Tables>, options: SqlDedupeOptions = {}): SqlDedupe<Tables> {
  const database = databaseOf('sqlDedupe', db, options, dedupeRules)
  return new Inbox(db, database, options.keepMs ?? defaultKeepMs)
}

class Inbox<Tables> implements SqlDedupe<Tables> {
  /** Of the user, for transactions of the user. */
  readonly #db: Kysely<Tables>
  /** For statements of ours, whose results no plugin is to change. */
  readonly #plain: Kysely<Tables>
  readonly #database: Database
  readonly #keepMs: number
  readonly #calls = new OpenCalls()
  readonly begins = this.#calls.begins
  #purgedAt = systemClock.now()

  constructor(db: Kysely<Tables>, database: Database, keepMs: number) {
    this.#db = db
    this.#plain = db.withoutPlugins()
    this.#database = database
    this.#keepMs = keepMs
  }

  async known(scope: string, identities: readonly string[]): Promise<ReadonlySet<string>> {
    const byMark = new Map(identities.map((identity) => [markOf(scope, identity), identity]))
    const known = new Set<string>()
    for (const marks of inPieces([...byMark.keys()])) {
      const { rows } = await sql<{ mark: string }>`
        select mark from ${this.#table} where mark in (${sql.join(marks)})`.execute(this.#plain)
      for (const { mark } of rows) known.add(byMark.get(mark) as string)
    }
    return known
  }

  async mark(scope: string, identities: readonly string[]): Promise<void> {
    for (const marks of inPieces(marksOf(scope, identities))) await this.#keep(marks)
    this.#purgeNowAndThen()
  }

  transaction<Result>(call: HandlerCallLike, work: (trx: Transaction<Tables>) => Promise<Result>): Promise<Result> {
    return this.#calls.run(call, (marks) => this.#transaction(call, marks, work))
  }

  async #transaction<Result>(
    call: HandlerCallLike,
    { scope, identities, kept }: CallMarks,
    work: (trx: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    if (typeof work !== 'function') {
      const issue = { path: 'work', message: came(work), fix: 'give a function (trx) that does the work' }
      throw new ConfigError('transaction', [issue])
    }
    const { signal } = call
    signal.throwIfAborted()
    let hasBegun = false
    const begun = inTransaction(this.#db, async (trx) => {
      hasBegun = true
      const marks = marksOf(scope, identities)
      await this.#claim(trx, marks)
      const result = await work(trx)
      await this.#requireWhole(trx, marks)
      // Whoever handles the record now must not wait for what counts no more.
      signal.throwIfAborted()
      return result
    })
    const result = await begun.catch((error: unknown) => {
      throw hasBegun ? error : down(error)
    })
    kept()
    this.#purgeNowAndThen()
    return result
  }

  async purge(): Promise<number> {
    let purged = 0
    for (;;) {
      const some = await this.#purgeSome()
      purged += some
      if (some < purgeAtOnce) return purged
    }
  }

  get #table() {
    return sql.table(`${this.#database.prefix}inbox`)
  }

  /** First of all statements of the transaction: who comes second waits here, until the first has committed or given up. */
  async #claim(trx: Transaction<Tables>, marks: readonly string[]): Promise<void> {
    const plain = trx.withoutPlugins()
    try {
      for (const some of inPieces(marks)) {
        await sql`insert into ${this.#table} (mark, marked_at) values ${this.#rows(some)}`.execute(plain)
      }
    } catch (error) {
      throw isTaken(error) || isConflict(error) ? new MarkedMeanwhile(error) : down(error)
    }
  }

  /** A transaction that the database rolled back while the work went on has its marks no more. */
  async #requireWhole(trx: Transaction<Tables>, [mark]: readonly string[]): Promise<void> {
    if (mark === undefined) return
    const asked = sql`select mark from ${this.#table} where mark = ${mark}`.execute(trx.withoutPlugins())
    const { rows } = await asked.catch(orLost)
    if (rows.length === 0) throw transactionLost()
  }

  async #keep(marks: readonly string[]): Promise<void> {
    const { dialect } = this.#database
    const unlessThere = dialect === 'mysql' ? sql`on duplicate key update mark = mark` : sql`on conflict do nothing`
    await sql`insert into ${this.#table} (mark, marked_at) values ${this.#rows(marks)} ${unlessThere}`.execute(
      this.#plain,
    )
  }

  #rows(marks: readonly string[]) {
    const now = nowMs[this.#database.dialect]
    return sql.join(marks.map((mark) => sql`(${mark}, ${now})`))
  }

  #purgeNowAndThen(): void {
    const now = systemClock.now()
    if (now - this.#purgedAt < purgeEveryMs) return
    this.#purgedAt = now
    void this.#purgeSome().catch(() => undefined) // the next one does it
  }

  async #purgeSome(): Promise<number> {
    const { dialect } = this.#database
    const table = this.#table
    const old = sql`marked_at < ${nowMs[dialect]} - ${sql.lit(this.#keepMs)}`
    const { numAffectedRows } =
      dialect === 'mysql'
        ? await sql`delete from ${table} where ${old} order by marked_at limit ${sql.lit(purgeAtOnce)}`.execute(
            this.#plain,
          )
        : await sql`
            delete from ${table} where mark in (
              select mark from ${table} where ${old} order by marked_at limit ${sql.lit(purgeAtOnce)})`.execute(
            this.#plain,
          )
    return Number(numAffectedRows ?? 0n)
  }
}

/** In one order for all, so that two batches with the same records wait for each other and do not lock each other out. */
function marksOf(scope: string, identities: readonly string[]): readonly string[] {
  return [...new Set(identities.map((identity) => markOf(scope, identity)))].sort()
}

/** As long as any other, whatever the id, and told apart by every database in the same way. */
function markOf(scope: string, identity: string): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, identity]))
    .digest('base64url')
}

function down(cause: unknown): Unavailable {
  return new Unavailable('the database of the inbox does not take the marks', cause)
}
