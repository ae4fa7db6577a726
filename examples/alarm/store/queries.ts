import { SqliteAdapter, type ExpressionBuilder, type ExpressionWrapper, type FilterObject } from 'kysely'
import type { Insertable, SqlBool } from 'kysely'
import type { Schema } from './schema.js'
import type { Tx } from './store.js'

/** For `where`: the row has these values. */
export function is<Table extends keyof Schema>(row: Readonly<FilterObject<Schema, Table>>) {
  return (where: ExpressionBuilder<Schema, Table>): ExpressionWrapper<Schema, Table, SqlBool> => where.and(row)
}

/** Reads rows that no other transaction may change before this one ends. SQLite has one writer anyway, and no words for it. */
export function locked<Query extends { forUpdate(): Query }>(tx: Tx, query: Query): Query {
  return tx.getExecutor().adapter instanceof SqliteAdapter ? query : query.forUpdate()
}

/** SQLite takes no more than 32,766 values in one statement, PostgreSQL 65,535. */
const rowsPerInsert = 500

export async function insertAll<Of extends keyof Schema>(tx: Tx, table: Of, rows: readonly Insertable<Schema[Of]>[]) {
  for (let from = 0; from < rows.length; from += rowsPerInsert) {
    const some = rows.slice(from, from + rowsPerInsert)
    await tx.insertInto(table).values(some).execute()
  }
}
