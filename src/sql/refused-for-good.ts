import { isProgrammingError } from '../consumer/handling/failure-class.js'

/** Classes of SQLSTATE: data that no column takes, data that breaks a rule of a table, more than the program has room for. */
const forGood = /^(22|23|54)\w{3}$/

/** Somebody else has the key: 23505 and 23P01 of PostgreSQL; 1022, 1062 and 1586 of MySQL. The next look sees the other row. */
const taken: ReadonlySet<unknown> = new Set(['23505', '23P01', 1022, 1062, 1586])

/**
 * What MySQL and MariaDB file elsewhere: row too large, packet too large, no value for a column without a default, a value that
 * is none of the type, a broken CHECK.
 */
const forGoodInMysql: ReadonlySet<unknown> = new Set([1118, 1153, 1364, 1366, 3819])

/** SQLite has texts of its own, which all of its drivers pass on; codes differ from driver to driver. */
const forGoodInSqlite =
  /(check|not null|foreign key) constraint failed|cannot store \w+ value|datatype mismatch|string or blob too big/i

/**
 * Whether a database will never take this, whoever asks again: a record with such data is a `DeadLetter`, and anything else that
 * a statement throws is the database's fault, or another transaction's, and may pass (`Unavailable`).
 *
 * | | for good | may pass |
 * |---|---|---|
 * | PostgreSQL, by SQLSTATE | classes 22 (data), 23 (rules of a table), 54 (limits) | 23505 and 23P01: somebody has the key; all else |
 * | MySQL, MariaDB | SQLSTATE 22 and 23; 1118, 1153, 1364, 1366, 3819 | 1022, 1062 and 1586: somebody has the key; all else |
 * | SQLite, by message | CHECK, NOT NULL, FOREIGN KEY, another type (STRICT), too big | UNIQUE: somebody has the key; all else |
 * | every driver | a `TypeError`, `RangeError` or the like without a cause: no statement can have that value | |
 *
 * A foreign key counts as for good; where the row that it names may come later, say so before you ask.
 *
 * @param error what a statement of kysely, or of a driver under it, rejected with
 */
export function isRefusedForGood(error: unknown): boolean {
  if (isProgrammingError(error)) return true
  const { code, errno, sqlState, message } = (error ?? {}) as Readonly<Record<string, unknown>>
  if (code === 'would-be-changed') return true
  if (taken.has(code) || taken.has(errno)) return false
  const state = typeof sqlState === 'string' ? sqlState : code
  if (typeof state === 'string' && forGood.test(state)) return true
  return forGoodInMysql.has(errno) || (typeof message === 'string' && forGoodInSqlite.test(message))
}
