import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { insertNew, isRefusedForGood } from 'tidemark/sql'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wasmSqliteDialect } from '../../../examples/alarm/store/wasm-sqlite-dialect.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

interface Tables {
  payments: { id: number; label: string; amount: number }
}

let db: Kysely<Tables>

beforeAll(async () => {
  db = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(temporaryFolder('sql'), 'test.db')) })
  await sql`
    create table payments (id integer primary key, label text not null unique, amount integer check (amount > 0)) strict`.execute(
    db,
  )
})

afterAll(() => db.destroy())

beforeEach(() => sql`delete from payments`.execute(db))

const payment = (id: number, amount = 1) => ({ id, label: `p${id}`, amount })
const add = (rows: readonly Tables['payments'][]) => db.transaction().execute((trx) => insertNew(trx, 'payments', rows))

describe('insertNew', () => {
  it('inserts what is new and leaves what is there, however many, and says how many were new', async () => {
    const many = Array.from({ length: 1_001 }, (_, id) => payment(id))
    expect(await add([payment(3, 7)])).toBe(1)
    expect(await add([...many, payment(5)])).toBe(1_000)
    expect(await add(many)).toBe(0)
    expect(await add([])).toBe(0)
    const rows = await db.selectFrom('payments').select(['id', 'amount']).orderBy('id').execute()
    expect(rows).toHaveLength(1_001)
    expect(rows[3]).toEqual({ id: 3, amount: 7 })
  })

  it('takes rows that do not name the same columns, each with the defaults of the table, and wide ones', async () => {
    await sql`create table notes (id integer primary key, state text not null default 'new', size integer default 7)`.execute(
      db,
    )
    const notes = db as unknown as Kysely<{ notes: { id: number; state?: string | undefined; size?: number } }>
    const rows = [{ id: 1, state: 'read' }, { id: 2 }, { id: 3, state: undefined, size: 1 }, { id: 2, state: 'late' }]
    expect(await notes.transaction().execute((trx) => insertNew(trx, 'notes', rows))).toBe(3)
    expect(await notes.selectFrom('notes').selectAll().execute()).toEqual([
      { id: 1, state: 'read', size: 7 },
      { id: 2, state: 'new', size: 7 },
      { id: 3, state: 'new', size: 1 },
    ])
    const names = Array.from({ length: 400 }, (_, at) => `c${at}`)
    await sql.raw(`create table wide (id integer primary key, ${names.join(', ')})`).execute(db)
    const wide = db as unknown as Kysely<{ wide: Record<string, number> }>
    const many = Array.from({ length: 200 }, (_, id) => ({ id, ...Object.fromEntries(names.map((name) => [name, 1])) }))
    expect(await wide.transaction().execute((trx) => insertNew(trx, 'wide', many))).toBe(200)
  })

  it('refuses to work outside of a transaction', async () => {
    const loose = insertNew as (...given: readonly unknown[]) => Promise<unknown>
    await expect(loose(db, 'payments', [payment(1)])).rejects.toMatchObject({ code: 'not-in-transaction' })
    await expect(loose(undefined, 'payments', [])).rejects.toMatchObject({ code: 'not-in-transaction' })
  })

  it('takes none of a call when one breaks a rule of the table, which is for good', async () => {
    const wrong = [payment(1), payment(2, -1)]
    const refused: unknown = await add(wrong).catch((error: unknown) => error)
    expect(isRefusedForGood(refused)).toBe(true)
    expect(await db.selectFrom('payments').selectAll().execute()).toEqual([])
  })
})

describe('what SQLite refuses for good', () => {
  const insert = (row: object) =>
    db
      .insertInto('payments')
      .values(row as never)
      .execute()
      .then(
        () => 'taken',
        (error: unknown) => isRefusedForGood(error),
      )

  it('is what breaks a rule, is of another type, or is no value at all', async () => {
    expect(await insert(payment(1, -1))).toBe(true)
    expect(await insert({ id: 1, label: null, amount: 1 })).toBe(true)
    expect(await insert({ id: 1, label: 'a', amount: 'many' })).toBe(true)
    expect(await insert({ id: 'a', label: 'a', amount: 1 })).toBe(true)
    expect(isRefusedForGood(new Error('string or blob too big'))).toBe(true)
    await sql`pragma foreign_keys = on`.execute(db)
    await sql`create table parts (of integer references payments (id))`.execute(db)
    const orphan: unknown = await sql`insert into parts values (99)`.execute(db).catch((error: unknown) => error)
    expect(isRefusedForGood(orphan)).toBe(true)
  })

  it('is not a key that somebody else has, a lock, or a table that is not there yet', async () => {
    expect(await insert(payment(1))).toBe('taken')
    expect(await insert(payment(1))).toBe(false)
    const noTable: unknown = await sql`insert into nowhere values (1)`.execute(db).catch((error: unknown) => error)
    expect(isRefusedForGood(noTable)).toBe(false)
    expect(isRefusedForGood(new Error('database is locked'))).toBe(false)
  })
})

describe('isRefusedForGood', () => {
  it.each([
    ['PostgreSQL: text too long', { code: '22001' }, true],
    ['PostgreSQL: NUL in a text', { code: '22021' }, true],
    ['PostgreSQL: NOT NULL', { code: '23502' }, true],
    ['PostgreSQL: an index row too large', { code: '54000' }, true],
    ['PostgreSQL: a key that is taken', { code: '23505' }, false],
    ['PostgreSQL: a range that is taken', { code: '23P01' }, false],
    ['PostgreSQL: a deadlock', { code: '40P01' }, false],
    ['PostgreSQL: no room on disk', { code: '53100' }, false],
    ['PostgreSQL: it is shut down', { code: '57P01' }, false],
    ['MySQL: text too long', { code: 'ER_DATA_TOO_LONG', errno: 1406, sqlState: '22001' }, true],
    ['MySQL: a CHECK', { code: 'ER_CHECK_CONSTRAINT_VIOLATED', errno: 3819, sqlState: 'HY000' }, true],
    ['MySQL: a text that is no number', { errno: 1366, sqlState: 'HY000' }, true],
    ['MySQL: a packet too large', { errno: 1153, sqlState: '08S01' }, true],
    ['MySQL: a key that is taken', { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' }, false],
    ['MySQL: a key that is taken, by name', { errno: 1586, sqlState: '23000' }, false],
    ['MySQL: a wait for a lock', { errno: 1205, sqlState: 'HY000' }, false],
    ['MySQL: a deadlock', { errno: 1213, sqlState: '40001' }, false],
    ['a connection that is gone', { code: 'ECONNRESET' }, false],
    ['a value that no statement takes', new TypeError('Bind parameters must not contain undefined'), true],
    ['a number out of range', new RangeError('out of range'), true],
    ['a request of fetch that failed', new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }), false],
    ['PostgreSQL: a row that a view would not show', { code: '44000' }, true],
    ['PostgreSQL: several rows where one may be', { code: '21000' }, true],
    ['PostgreSQL: a CHECK', { code: '23514', routine: 'ExecConstraints' }, true],
    ['PostgreSQL: no partition for the row as yet', { code: '23514', routine: 'ExecFindPartition' }, false],
    ['PostgreSQL: what a trigger raises', { code: 'P0001' }, false],
    ['PostgreSQL: a transaction that failed before', { code: '25P02' }, false],
    ['MySQL: a text for which ENUM, or INT, has no value', { errno: 1265, sqlState: '01000' }, true],
    ['MySQL: a row that a view would not show', { errno: 1369, sqlState: '44000' }, true],
    ['MySQL: bytes that are no text', { errno: 1300, sqlState: 'HY000' }, true],
    ['MySQL: a text that the column has no letters for', { errno: 3988, sqlState: 'HY000' }, true],
    ['MySQL: NaN', { errno: 1054, sqlState: '42S22', message: "Unknown column 'NaN' in 'VALUES'" }, true],
    ['MySQL: a column that is not there yet', { errno: 1054, message: "Unknown column 'vat' in 'VALUES'" }, false],
    ['MySQL: a column of which it is not said whose', { errno: 1052, sqlState: '23000' }, false],
    ['MySQL: a key that a foreign key would double', { errno: 1761, sqlState: '23000' }, false],
    ['MySQL: no partition for the row as yet', { errno: 1526, sqlState: 'HY000' }, false],
    ['MySQL: it only reads', { errno: 1290, sqlState: 'HY000' }, false],
    ['MySQL: a full table', { errno: 1114, sqlState: 'HY000' }, false],
    [
      'mariadb: a pool that is closed, and a value that reads like a refusal',
      { errno: 45027, sqlState: 'HY000', message: "pool is closed\nsql: insert ('NOT NULL constraint failed')" },
      false,
    ],
    ['libsql: a CHECK', { code: 'SQLITE_CONSTRAINT', message: 'SQLITE_CONSTRAINT: CHECK constraint failed: n' }, true],
    [
      'libsql: a key',
      { code: 'SQLITE_CONSTRAINT', message: 'SQLITE_CONSTRAINT: UNIQUE constraint failed: t.l' },
      false,
    ],
    ['libsql: an object', new Error('SQLite3 can only bind numbers, strings, bigints, buffers, and null'), true],
    ['SQLite: a text that is no JSON', new Error('malformed JSON'), true],
    ['SQLite: a full disk', new Error('database or disk is full'), false],
    ['postgres.js: undefined', Object.assign(new Error('not allowed'), { code: 'UNDEFINED_VALUE' }), true],
    ['a database that was closed', new TypeError('The database connection is not open'), false],
    ['no memory', new RangeError('Array buffer allocation failed'), false],
    ['a value without a field', new TypeError("Cannot read properties of undefined (reading 'connection')"), true],
    [
      'an object within itself',
      new TypeError("Converting circular structure to JSON\n--- 'a' closes the circle"),
      true,
    ],
    ['nothing', undefined, false],
    ['a text', 'not null constraint failed', false],
  ])('knows of %s', (_, error, forGood) => {
    expect(isRefusedForGood(error)).toBe(forGood)
  })
})
