import { SqliteAdapter, type ExpressionBuilder, type ExpressionWrapper, type FilterObject, type SqlBool } from 'kysely'
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
