import { isProgrammingError } from '../consumer/handling/failure-class.js'
import { asDatabaseError, isTaken, sqliteText, type DatabaseError } from './database-errors.js'

/**
 * Of SQLSTATE: data that no column takes (22), that breaks a rule of a table (23) or of a view (44), more than the program has room
 * for (54), several rows where one may be (21000).
 */
const forGood = /^((22|23|44|54)\w{3}|21000)$/

/**
 * What MySQL and MariaDB file elsewhere: row too large, packet too large, a value that would be cut or is none of the type, bytes
 * that are no text, no value for a column without a default, a broken CHECK, a text that the column has no letters for.
 */
const forGoodInMysql: ReadonlySet<unknown> = new Set([1118, 1153, 1265, 1300, 1364, 1366, 3819, 3988])

/** In class 23 for no reason: a column of which the statement does not say whose it is, as after a migration. */
const ambiguousColumn = 1052

/** Numbers that mysql2 and mariadb write as names. */
const noNumber = /unknown column '-?(nan|infinity)'/i

/** Where PostgreSQL looks for the partition of a row; it may be made later, as of the next month. */
const findsPartition = 'ExecFindPartition'

const forGoodInSqlite =
  /(check|not null|foreign key) constraint failed|cannot store \w+ value|datatype mismatch|string or blob too big|malformed json|integer overflow|unsupported type for binding|can only bind/i

/** Of drivers: their connection, or the memory, and not the value, though they say it by a `TypeError` or a `RangeError`. */
const ofTheConnection =
  /^(?!cannot (read|set) ).*(\bconnection\b|\bnetwork\b|(fetch|load) failed|socket hang up|not open|is closed|terminated|allocation failed)/i

/**
 * Whether a database will never take this, whoever asks again: a record with such data is a `DeadLetter`, and anything else that
 * a statement throws is the database's fault, or another transaction's, and may pass (`Unavailable`).
 *
 * | | for good | may pass |
 * |---|---|---|
 * | PostgreSQL, by SQLSTATE | classes 22 (data), 23 (rules of a table), 44 (of a view), 54 (limits); 21000 | 23505 and 23P01: somebody has the key; no partition for the row; all else |
 * | MySQL, MariaDB | the same SQLSTATEs; 1118, 1153, 1265, 1300, 1364, 1366, 3819, 3988; NaN and Infinity | 1022, 1062 and their like: somebody has the key; 1526: no partition for the row; all else |
 * | SQLite, by message | CHECK, NOT NULL, FOREIGN KEY, another type (STRICT), too big, no JSON, a type that the driver cannot bind | UNIQUE: somebody has the key; all else |
 * | every driver | a `TypeError`, `RangeError` or the like without a cause: no statement can have that value | one that tells of a connection |
 *
 * A foreign key counts as for good; where the row that it names may come later, say so before you ask. What a trigger of yours
 * raises (P0001, 45000, RAISE) may mean either, so it counts as what may pass; say so before you ask likewise.
 *
 * @param error what a statement of kysely, or of a driver under it, rejected with
 */
export function isRefusedForGood(error: unknown): boolean {
  const told = asDatabaseError(error)
  if (isProgrammingError(error)) return !(typeof told.message === 'string' && ofTheConnection.test(told.message))
  if (told.code === 'would-be-changed') return true
  return !isTaken(error) && !mayCome(told) && (isByCode(told) || forGoodInSqlite.test(sqliteText(told)))
}

function isByCode({ code, errno, sqlState, message }: DatabaseError): boolean {
  const state = typeof sqlState === 'string' ? sqlState : code
  if (typeof state === 'string' && forGood.test(state)) return true
  if (forGoodInMysql.has(errno) || code === 'UNDEFINED_VALUE') return true
  return errno === 1054 && typeof message === 'string' && noNumber.test(message)
}

/** It lacks something that somebody else makes. */
function mayCome({ errno, code, routine }: DatabaseError): boolean {
  return errno === ambiguousColumn || (code === '23514' && routine === findsPartition)
}
