import { sql, type Insertable, type Transaction } from 'kysely'
import { StateError } from '../errors.js'
import { databaseOf, inPieces, type SqlOptions } from './database.js'

/** SQLite takes no more than 32,766 values in one statement, and compiling long ones costs more than they save. */
const rowsPerInsert = 200
/** MariaDB names the first 64 reasons why it changed, or left out, something. */
const rowsPerMysqlInsert = 64
/** Of a row whose key is there. */
const duplicate = 1062

/**
 * Inserts the rows whose keys are new, in the transaction, and resolves to how many those were. Rows that are there already, by
 * the primary key or by any unique one, stay as they are. So what a record says is stored once, however often it comes.
 *
 * @throws StateError `not-in-transaction`; `would-be-changed` where MySQL or MariaDB would cut a value, take another one, or
 * leave a row out that breaks a rule of the table, as they do when they pass over rows. `isRefusedForGood` knows it. The other
 * databases refuse such rows with errors of their own.
 * @example
 * const added = await insertNew(trx, 'payments', batch.map(({ value }) => paymentOf(value)))
 */
export async function insertNew<Tables, Table extends keyof Tables & string>(
  trx: Transaction<Tables>,
  table: Table,
  rows: readonly Insertable<Tables[Table]>[],
  options: Pick<SqlOptions, 'dialect'> = {},
): Promise<number> {
  if (trx?.isTransaction !== true) throw notInTransaction()
  const { dialect } = databaseOf('insertNew', trx, options)
  const isMysql = dialect === 'mysql'
  let inserted = 0
  for (const some of inPieces(rows, isMysql ? rowsPerMysqlInsert : rowsPerInsert)) {
    const insert = trx.insertInto(table).values(some)
    const unlessThere = isMysql ? insert.ignore() : insert.onConflict((conflict) => conflict.doNothing())
    const added = Number((await unlessThere.executeTakeFirst()).numInsertedOrUpdatedRows ?? 0n)
    if (isMysql) await refuseChanged(trx, table, some.length - added)
    inserted += added
  }
  return inserted
}

/** `insert ignore` makes warnings of errors; one is due for each row that is there. */
async function refuseChanged<Tables>(trx: Transaction<Tables>, table: string, known: number): Promise<void> {
  const { rows } = await sql<{ readonly Code: unknown }>`show warnings`.execute(trx.withoutPlugins())
  if (rows.length <= known && rows.every(({ Code }) => Number(Code) === duplicate)) return
  throw new StateError(
    'would-be-changed',
    `expected rows that fit into ${table} as they are: the database would have changed a value, or left out a row that breaks a ` +
      'rule of the table; nothing of this statement may be kept',
  )
}

function notInTransaction(): StateError {
  return new StateError(
    'not-in-transaction',
    'insertNew was given no transaction of kysely, so rows could be there without the effects that belong to them; give the trx ' +
      'of db.transaction().execute(async (trx) => …)',
  )
}
