/** What drivers say of an error, as far as they do. */
export interface DatabaseError {
  /** SQLSTATE of PostgreSQL; a name of MySQL, MariaDB, SQLite, or of the driver. */
  readonly code?: unknown
  /** The number of MySQL and MariaDB; of a socket where the network failed. */
  readonly errno?: unknown
  /** SQLSTATE of MySQL and MariaDB. */
  readonly sqlState?: unknown
  /** Of PostgreSQL: where in its source. */
  readonly routine?: unknown
  readonly message?: unknown
}

export function asDatabaseError(error: unknown): DatabaseError {
  return (error ?? {}) as DatabaseError
}

/**
 * SQLite has texts of its own, which all of its drivers pass on; codes differ from driver to driver. Messages of other databases are
 * not looked at, since drivers put statements and their values there.
 */
export function sqliteText({ sqlState, message }: DatabaseError): string {
  return typeof sqlState === 'string' || typeof message !== 'string' ? '' : message
}

/** 23505 and 23P01 of PostgreSQL: a key, a range. MySQL and MariaDB have many for it, some of foreign keys that would double one. */
const taken: ReadonlySet<unknown> = new Set(['23505', '23P01', 1022, 1062, 1169, 1557, 1586, 1761, 1762, 1859])

/** Somebody else has the same key; the next look sees the other row. */
export function isTaken(error: unknown): boolean {
  const { code, errno } = asDatabaseError(error)
  return taken.has(code) || taken.has(errno) || /unique constraint failed/i.test(sqliteText(asDatabaseError(error)))
}

/**
 * PostgreSQL: no serial order, a deadlock, a lock that is waited for no longer. MySQL and MariaDB: a wait, a deadlock, a row that
 * changed since the snapshot (MariaDB from 11.6 on), a transaction that another server of the cluster had first.
 */
const conflicts: ReadonlySet<unknown> = new Set(['40001', '40P01', '55P03', 1205, 1213, 1020, 3101])

/** The database ended one of several transactions, or a wait for one, so that the others can go on. */
export function isConflict(error: unknown): boolean {
  const { code, errno } = asDatabaseError(error)
  const isLocked = /database (table )?is locked/i.test(sqliteText(asDatabaseError(error)))
  return conflicts.has(code) || conflicts.has(errno) || isLocked
}
