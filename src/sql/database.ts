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
import { came } from '../input/came.js'
import { optionIssues, withMethods, type Rule, type Rules } from '../input/option-rules.js'

/** Of the user: whatever tables it has. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tables of another type are no other databases
export type AnyKysely = Kysely<any>
/** A transaction of kysely, of any schema. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- likewise
export type AnyTransaction = Transaction<any>

/** `mysql` is MariaDB too. */
export type SqlDialect = 'sqlite' | 'mysql' | 'postgres'

const dialects: readonly SqlDialect[] = ['sqlite', 'mysql', 'postgres']

/** What every table of `tidemark/sql` is made by. */
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

const prefixRule: Rule = {
  expected: 'what the name of a table may begin with: letters, digits and _, at most 30, the first no digit',
  accepts: (value) => typeof value === 'string' && /^[a-z_][a-z0-9_]{0,29}$/i.test(value),
}

const dialectRule: Rule = {
  expected: `${dialects.map((one) => `'${one}'`).join(', ')} (MariaDB is 'mysql')`,
  accepts: (value) => dialects.some((one) => one === value),
}

export const sqlRules: Rules<SqlOptions> = { dialect: dialectRule, prefix: prefixRule }

const kyselyRule = withMethods('a Kysely of yours: new Kysely({ dialect })', [
  'getExecutor',
  'transaction',
  'withoutPlugins',
])

const defaultPrefix = 'tidemark_'

/** @throws ConfigError with every problem of what was given, and when it cannot be told which database it is */
export function databaseOf(
  subject: string,
  db: AnyKysely,
  options: SqlOptions,
  rules: Rules<SqlOptions> = sqlRules,
): Database {
  const issues = optionIssues(options, rules)
  if (!kyselyRule.accepts(db)) issues.unshift({ path: 'db', message: came(db), fix: `give ${kyselyRule.expected}` })
  if (issues.length > 0) throw new ConfigError(subject, issues)
  const { dialect = told(subject, db), prefix = defaultPrefix } = options
  return { dialect, prefix }
}

/** What the names of tables begin with. Throws `ConfigError`. */
export function namedBy(subject: string, dialect: SqlDialect, options: Pick<SqlOptions, 'prefix'>): string {
  const issues = optionIssues(options, { prefix: prefixRule })
  if (!dialectRule.accepts(dialect))
    issues.unshift({ path: 'dialect', message: came(dialect), fix: `write ${dialectRule.expected}` })
  if (issues.length > 0) throw new ConfigError(subject, issues)
  return options.prefix ?? defaultPrefix
}

function told(subject: string, db: AnyKysely): SqlDialect {
  const { adapter } = db.getExecutor()
  if (adapter instanceof PostgresAdapter) return 'postgres'
  if (adapter instanceof MysqlAdapter) return 'mysql'
  if (adapter instanceof SqliteAdapter) return 'sqlite'
  throw notKnown(subject)
}

function notKnown(subject: string): ConfigError {
  const fix = `write ${dialectRule.expected}`
  return new ConfigError(subject, [{ path: 'dialect', message: 'cannot be told from what was given', fix }])
}

/** Milliseconds since the Unix epoch by the clock of the database, whatever the time zone of the session. */
export const nowMs: Readonly<Record<SqlDialect, RawBuilder<number>>> = {
  sqlite: sql<number>`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
  mysql: sql<number>`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000)`,
  postgres: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
}

/** What fits into one statement of every database. */
export function inPieces<Item>(items: readonly Item[], size = 500): readonly (readonly Item[])[] {
  const pieces: Item[][] = []
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size))
  return pieces
}
