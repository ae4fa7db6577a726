import {
  MysqlAdapter,
  sql,
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
    const some = rows.slice(from, from + rowsPerInsert)
    const insert = tx.insertInto(table).values(some)
    const unlessThere = isMysql ? insert.ignore() : insert.onConflict((conflict) => conflict.doNothing())
    const added = Number((await unlessThere.executeTakeFirst()).numInsertedOrUpdatedRows ?? 0n)
    // It cuts what is too long, and what is too large, with a warning; one is due for each row that is there.
    const warned = isMysql ? (await sql<{ n: number }>`select @@warning_count as n`.execute(tx)).rows[0]?.n : undefined
    if (warned !== undefined && warned > some.length - added)
      throw new RangeError(`expected values that fit into ${table}: the database would have changed some`)
    inserted += added
  }
  return inserted
}
