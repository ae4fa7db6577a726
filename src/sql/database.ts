import {
  MysqlAdapter,
  PostgresAdapter,
  SqliteAdapter,
  sql,
  type Kysely,
  type RawBuilder,
  type Transaction,
} from 'kysely'
import { ConfigError } from '../errors.js'

/** Of the user: whatever tables it has. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tables of another type are no other databases
export type AnyKysely = Kysely<any>
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- likewise
export type AnyTransaction = Transaction<any>

/** `mysql` is MariaDB too. */
export type SqlDialect = 'sqlite' | 'mysql' | 'postgres'

const dialects: readonly SqlDialect[] = ['sqlite', 'mysql', 'postgres']

export interface SqlOptions {
  /** Which database it is; without it told by the dialect of kysely. */
  readonly dialect?: SqlDialect | undefined
  /** What the names of the tables begin with. Default `tidemark_`. */
  readonly prefix?: string | undefined
}

/** A database, and the words it needs. */
export interface Database {
  readonly dialect: SqlDialect
  readonly prefix: string
}

/** @throws ConfigError when it cannot be told which database it is, or the prefix is none */
export function databaseOf(subject: string, db: AnyKysely, { dialect, prefix = 'tidemark_' }: SqlOptions): Database {
  if (dialect !== undefined && !dialects.includes(dialect)) throw notKnown(subject)
  if (!/^[a-z_][a-z0-9_]{0,29}$/i.test(prefix)) {
    const fix = 'write letters, digits and _, at most 30, the first no digit'
    throw new ConfigError(subject, [{ path: 'prefix', message: 'cannot begin the name of a table', fix }])
  }
  return { dialect: dialect ?? told(subject, db), prefix }
}

function told(subject: string, db: AnyKysely): SqlDialect {
  const { adapter } = db.getExecutor()
  if (adapter instanceof PostgresAdapter) return 'postgres'
  if (adapter instanceof MysqlAdapter) return 'mysql'
  if (adapter instanceof SqliteAdapter) return 'sqlite'
  throw notKnown(subject)
}

function notKnown(subject: string): ConfigError {
  const fix = `write ${dialects.map((one) => `'${one}'`).join(', ')} (MariaDB is 'mysql')`
  return new ConfigError(subject, [{ path: 'dialect', message: 'cannot be told from what was given', fix }])
}

/** Milliseconds since the Unix epoch by the clock of the database, whatever the time zone of the session. */
export const nowMs: Readonly<Record<SqlDialect, RawBuilder<number>>> = {
  sqlite: sql<number>`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
  mysql: sql<number>`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000)`,
  postgres: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
}

interface DatabaseError {
  readonly code?: unknown
  readonly errno?: unknown
  readonly message?: unknown
}

/** Another transaction has the same key. */
export function isTaken(error: unknown, dialect: SqlDialect): boolean {
  const { code, errno, message } = (error ?? {}) as DatabaseError
  switch (dialect) {
    case 'postgres':
      return code === '23505'
    case 'mysql':
      return errno === 1062
    case 'sqlite':
      return typeof message === 'string' && /unique constraint failed/i.test(message)
  }
}

/** The database ended one of several transactions, or a wait for one, so that the others can go on. */
export function isConflict(error: unknown, dialect: SqlDialect): boolean {
  const { code, errno, message } = (error ?? {}) as DatabaseError
  switch (dialect) {
    case 'postgres':
      return code === '40001' || code === '40P01' || code === '55P03'
    case 'mysql':
      return errno === 1213 || errno === 1205
    case 'sqlite':
      return typeof message === 'string' && /database (table )?is locked/i.test(message)
  }
}

/** What fits into one statement of every database. */
export function inPieces<Item>(items: readonly Item[], size = 500): readonly (readonly Item[])[] {
  const pieces: Item[][] = []
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size))
  return pieces
}
