import { sql, type Insertable, type Transaction } from 'kysely'
import { StateError } from '../errors.js'
import { isTaken } from './database-errors.js'
import { databaseOf, inPieces, type SqlOptions } from './database.js'

/** Compiling longer statements costs more than they save. */
const rowsPerInsert = 200
/** SQLite takes no more than 32,766 values in one statement, PostgreSQL twice as many. */
const valuesPerInsert = 32_000
/** MySQL and MariaDB name the first 64 reasons why they changed, or left out, something. */
const rowsPerMysqlInsert = 64

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
  if (rows.length === 0) return 0
  const isMysql = dialect === 'mysql'
  if (isMysql) await requireWarnings(trx)
  let inserted = 0
  // The others write DEFAULT for what a row does not name; SQLite has no word for it, and NULL is none.
  for (const alike of dialect === 'sqlite' ? ofOneShape(rows) : [rows]) {
    for (const some of inPieces(alike, isMysql ? rowsPerMysqlInsert : rowsAtOnce(alike))) {
      const insert = trx.insertInto(table).values(some)
      const unlessThere = isMysql ? insert.ignore() : insert.onConflict((conflict) => conflict.doNothing())
      const added = Number((await unlessThere.executeTakeFirst()).numInsertedOrUpdatedRows ?? 0n)
      if (isMysql) await refuseChanged(trx, table, some.length - added)
      inserted += added
    }
  }
  return inserted
}

function namesOf(row: object): string[] {
  return Object.entries(row).flatMap(([name, value]) => (value === undefined ? [] : [name]))
}

function rowsAtOnce(rows: readonly object[]): number {
  const names = new Set(rows.flatMap(namesOf))
  return Math.max(1, Math.min(rowsPerInsert, Math.floor(valuesPerInsert / names.size)))
}

/** Rows in a row that name the same columns: in their order, as the first of two with one key is the one that stays. */
function ofOneShape<Row extends object>(rows: readonly Row[]): readonly (readonly Row[])[] {
  const shapes: Row[][] = []
  let before: string | null = null
  for (const row of rows) {
    const shape = JSON.stringify(namesOf(row).sort())
    if (shape === before) shapes.at(-1)?.push(row)
    else shapes.push([row])
    before = shape
  }
  return shapes
}

/** Of a session that is told to keep fewer, or none, nobody could see what it changed. */
async function requireWarnings<Tables>(trx: Transaction<Tables>): Promise<void> {
  const { rows } = await sql<{ readonly most: unknown }>`select @@max_error_count as most`.execute(trx.withoutPlugins())
  if (Number(rows[0]?.most) >= rowsPerMysqlInsert) return
  await sql`set session max_error_count = ${sql.lit(rowsPerMysqlInsert)}`.execute(trx.withoutPlugins())
}

/**
 * `insert ignore` makes warnings of errors; one is due for each row that is there. Notes are of what every insert does, such as
 * a number that is rounded to the decimals of its column.
 */
async function refuseChanged<Tables>(trx: Transaction<Tables>, table: string, known: number): Promise<void> {
  const shown = await sql<{ readonly Level: unknown; readonly Code: unknown }>`show warnings`.execute(
    trx.withoutPlugins(),
  )
  const warnings = shown.rows.filter(({ Level }) => Level !== 'Note')
  if (warnings.length <= known && warnings.every(({ Code }) => isTaken({ errno: Number(Code) }))) return
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
