import {
  MysqlAdapter,
  SqliteAdapter,
  type ExpressionBuilder,
  type ExpressionWrapper,
  type FilterObject,
  type Insertable,
  type SqlBool,
} from 'kysely'
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

/** SQLite takes no more than 32,766 values in one statement, and compiling long ones costs more than they save. */
const rowsPerInsert = 200

/** Inserts the rows whose key is new, and says how many those were. Rows that are there already stay as they are. */
export async function insertNew<Table extends keyof Schema & string>(
  tx: Tx,
  table: Table,
  rows: readonly Insertable<Schema[Table]>[],
): Promise<number> {
  const isMysql = tx.getExecutor().adapter instanceof MysqlAdapter
  let inserted = 0
  for (let from = 0; from < rows.length; from += rowsPerInsert) {
    const insert = tx.insertInto(table).values(rows.slice(from, from + rowsPerInsert))
    const unlessThere = isMysql ? insert.ignore() : insert.onConflict((conflict) => conflict.doNothing())
    inserted += Number((await unlessThere.executeTakeFirst()).numInsertedOrUpdatedRows ?? 0n)
  }
  return inserted
}
