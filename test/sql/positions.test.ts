import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createInboxTable,
  createOutboxTables,
  createPositionsTable,
  FencedWriter,
  insertNew,
  isRefusedForGood,
  sqlDedupe,
  sqlPositions,
  type HandlerCallLike,
} from '../../src/sql.js'
import { Unavailable } from '../../src/consumer/handling/fate.js'
import { losingCommits, type CommitLoss } from '../support/unanswered-commits.js'
import { delay } from '../support/waiting.js'
import { kinds, startDatabase, type TestDatabase } from './support/databases.js'
import { begin } from './support/lives.js'
import type { PositionsCrash, PositionsLife } from './support/positions-process.js'
import type { TestKysely } from './support/open-database.js'

const of = { topic: 'orders', partition: 0 }
const call = { signal: new AbortController().signal }
const coming = (committed: number | null = null) => [{ ...of, committed }]
const crashes: readonly PositionsCrash[] = ['taken', 'effect', 'committing', 'committed']
const records = 150

describe.each(kinds)('positions on %s', (kind) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await startDatabase(kind)
    const db = database.open()
    for (let times = 0; times < 2; times += 1) await createPositionsTable(db)
    await sql.raw('create table effects (record varchar(20) not null)').execute(db)
    await db.destroy()
  })
  afterAll(() => database?.stop())

  it('have each effect once, wherever a process is killed, whatever Kafka had committed', async () => {
    const life = (crash: PositionsLife['crash']): PositionsLife => ({ place: database.place, records, crash })
    for (const [at, point] of crashes.entries())
      expect(await begin('positions-process.ts', life({ point, transaction: 2 + at })).ended).toBe('SIGKILL')
    for (const ms of [600, 900]) {
      const one = begin('positions-process.ts', life(null))
      await delay(ms)
      one.kill()
      await one.ended
    }
    expect(await begin('positions-process.ts', life(null)).ended).toBe(0)
    const db = database.open()
    const { rows } = await sql<{ record: string }>`select record from effects`.execute(db)
    await db.destroy()
    const seen = rows.map(({ record }) => Number(record)).sort((one, other) => one - other)
    expect(seen).toEqual(Array.from({ length: records }, (_, at) => at))
  })
})

describe.each(kinds.filter((kind) => kind !== 'sqlite'))('tables of %s', (kind) => {
  it('are made by any number of processes that start at once', async () => {
    const database = await startDatabase(kind)
    const processes = Array.from({ length: 5 }, () => database.open())
    const make = [createPositionsTable, createInboxTable, createOutboxTables]
    await Promise.all(processes.flatMap((db) => make.map((one) => one(db))))
    await Promise.all(processes.map((db) => db.destroy()))
    await database.stop()
  })
})

describe.each(kinds.filter((kind) => kind !== 'sqlite'))('writers of a partition on %s', (kind) => {
  let database: TestDatabase
  let db: TestKysely
  let other: TestKysely
  beforeAll(async () => {
    database = await startDatabase(kind)
    db = database.open()
    other = database.open()
    await createPositionsTable(db)
    await sql.raw('create table effects (record varchar(20) not null)').execute(db)
  })
  afterAll(async () => {
    await db?.destroy()
    await other?.destroy()
    await database?.stop()
  })
  const write = (what: string) => (trx: TestKysely) => sql`insert into effects values (${what})`.execute(trx)
  const effects = async () => {
    const { rows } = await sql<{ record: string }>`select record from effects`.execute(db)
    await sql`delete from effects`.execute(db)
    return rows.map(({ record }) => record)
  }

  it('who lost it while they write are waited for; whoever wakes later is refused', async () => {
    const first = sqlPositions(db, { group: 'g' })
    const second = sqlPositions(other, { group: 'g' })
    await first.take(coming(4))
    let release = (): void => undefined
    const isHeld = new Promise<void>((resolve) => (release = resolve))
    const writing = first.transaction(call, of, 5, async (trx) => {
      await isHeld
      await write('first')(trx)
    })
    await delay(100)
    const taking = second.take(coming(2))
    await delay(200)
    release()
    await writing
    // What the first had begun is there before the second hears where to read.
    expect(await taking).toEqual([{ ...of, position: 5, reached: 4 }])
    await expect(first.transaction(call, of, 6, write('zombie'))).rejects.toThrow(FencedWriter)
    await second.transaction(call, of, 6, write('second'))
    expect(await effects()).toEqual(['first', 'second'])
  })

  if (kind === 'postgres') {
    it('who freeze in a transaction keep nobody waiting without end: taking is refused, and may be asked for again', async () => {
      const frozen = sqlPositions(db, { group: 'frozen' })
      await frozen.take(coming())
      let thaw = (): void => undefined
      const isFrozen = new Promise<void>((resolve) => (thaw = resolve))
      const writing = frozen.transaction(call, of, 1, () => isFrozen)
      await delay(100)
      const next = sqlPositions(other, { group: 'frozen' })
      await expect(next.take(coming())).rejects.toMatchObject({ code: '55P03' })
      thaw()
      await writing
      expect(await next.take(coming())).toMatchObject([{ position: 1 }])
    })
  }

  it('who take at once take one after another: one is left', async () => {
    const all = Array.from({ length: 6 }, (_, at) => sqlPositions(at % 2 === 0 ? db : other, { group: 'crowd' }))
    const isTaken = await Promise.allSettled(all.map((one) => one.take(coming())))
    // A database may end one of several that make the row at once; it is asked for again.
    for (const [at, { status }] of isTaken.entries()) if (status === 'rejected') await all[at]?.take(coming())
    const wrote = await Promise.allSettled(all.map((one, at) => one.transaction(call, of, 1, write(`${at}`))))
    expect(wrote.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await effects()).toHaveLength(1)
  })

  it('begin at the beginning of a topic that was made anew, and are kept where nobody tells its id', async () => {
    const positions = sqlPositions(db, { group: 'anew' })
    const both = (topicId: string | null) =>
      [0, 1].map((partition) => ({ topic: 'orders', partition, committed: 9, topicId }))
    await positions.take(both(null))
    await positions.transaction(call, of, 7, write('a'))
    for (const id of ['AAAAAAAAAAAAAAAAAAAAaA', null])
      expect(await positions.take(both(id))).toMatchObject([{ position: 7 }, { position: null }])
    const anew = both('aAAAAAAAAAAAAAAAAAAAaA').map((one) => ({ ...one, committed: 2 }))
    for (let times = 0; times < 2; times += 1)
      expect(await positions.take(anew)).toMatchObject([
        { position: 0, reached: 2 },
        { position: 0, reached: 2 },
      ])
    await positions.transaction(call, of, 3, write('b'))
    expect(await positions.take(anew)).toMatchObject([{ position: 3 }, { position: 0 }])
    expect(await effects()).toEqual(['a', 'b'])
  })

  it('have groups told apart by every letter, offsets beyond 32 bits, and Unavailable while it is away', async () => {
    const positions = sqlPositions(db, { group: 'grüße' })
    await positions.take(coming(2 ** 40))
    await positions.transaction(call, of, 2 ** 41, write('a'))
    expect(await sqlPositions(db, { group: 'GRÜSSE' }).onAssigned(coming())).toEqual([])
    expect(await positions.take(coming(1))).toEqual([{ ...of, position: 2 ** 41, reached: 2 ** 40 }])
    expect(await effects()).toEqual(['a'])
    await database.stop()
    await expect(positions.transaction(call, of, 2 ** 42, write('b'))).rejects.toBeInstanceOf(Unavailable)
    await database.start()
    await positions.transaction(call, of, 2 ** 42, write('c'))
    expect(await effects()).toEqual(['c'])
  })
})

describe.each(kinds.filter((kind) => kind !== 'sqlite'))('transactions that %s ends', (kind) => {
  let database: TestDatabase
  let db: TestKysely
  beforeAll(async () => {
    database = await startDatabase(kind)
    db = database.open()
    await createPositionsTable(db)
    await createInboxTable(db)
    await sql.raw('create table effects (record varchar(20) not null primary key, amount int)').execute(db)
  })
  afterAll(async () => {
    await db?.destroy()
    await database?.stop()
  })
  const add = (trx: TestKysely, record: string) => sql`insert into effects values (${record}, 0)`.execute(trx)
  const raise = (trx: TestKysely, record: string) =>
    sql`update effects set amount = amount + 1 where record = ${record}`.execute(trx)
  const amounts = async () => (await sql`select record, amount from effects order by record`.execute(db)).rows

  /** Two that lock each other out; whoever is ended for it goes on as if nothing had been. */
  const lockedOut = async () => {
    await sql`delete from effects`.execute(db)
    for (const record of ['a', 'b']) await add(db, record)
    let release = (): void => undefined
    const isLocked = new Promise<void>((resolve) => (release = resolve))
    const others = database.open()
    const other = others.transaction().execute(async (trx) => {
      for (let times = 0; times < 20; times += 1) await add(trx, `weight ${times}`)
      await raise(trx, 'b')
      release()
      await delay(200)
      await raise(trx, 'a')
    })
    const end = () => other.catch(() => undefined).then(() => others.destroy())
    return { isLocked, end }
  }
  const swallow = async (trx: TestKysely, isLocked: Promise<void>) => {
    await raise(trx, 'a')
    await isLocked
    await raise(trx, 'b').catch(() => undefined)
  }

  it('while the work goes on are told as lost, and move no position', async () => {
    const positions = sqlPositions(db, { group: 'lost' })
    await positions.take(coming())
    const { isLocked, end } = await lockedOut()
    const lost = positions.transaction(call, of, 5, (trx) => swallow(trx, isLocked))
    await expect(lost).rejects.toMatchObject({ code: 'transaction-lost' })
    await end()
    expect(await positions.take(coming())).toMatchObject([{ position: null }])
    expect(await amounts()).toContainEqual({ record: 'a', amount: 1 })
  })

  it('while the work goes on have no mark in the inbox either', async () => {
    const inbox = sqlDedupe(db)
    const work = {}
    inbox.begins?.(work, { scope: 'g', identities: ['a'], kept: () => undefined, runs: () => undefined })
    const { isLocked, end } = await lockedOut()
    const lost = inbox.transaction({ ...call, work } as HandlerCallLike, (trx) => swallow(trx as TestKysely, isLocked))
    await expect(lost).rejects.toMatchObject({ code: 'transaction-lost' })
    await end()
    expect(await inbox.known('g', ['a'])).toEqual(new Set())
  })
})

describe.each(kinds.filter((kind) => kind !== 'sqlite'))('a commit to %s whose answer is lost', (kind) => {
  const openLosing = async () => {
    const database = await startDatabase(kind)
    const losses: CommitLoss[] = []
    const db = database.open((dialect) => losingCommits(dialect, losses))
    await createPositionsTable(db)
    await sql.raw('create table effects (record varchar(20) not null)').execute(db)
    const positions = sqlPositions(db, { group: 'g' })
    await positions.take(coming())
    return { database, db, positions, losses }
  }

  it('has its effects once, and counts as done', async () => {
    const { database, db, positions, losses } = await openLosing()
    const write = (next: number) =>
      positions.transaction(call, of, next, (trx) => sql`insert into effects values (${next})`.execute(trx))
    losses.push({ lost: 'answer', awayFor: 1 })
    await write(1)
    losses.push({ lost: 'commit', awayFor: 1 })
    await expect(write(2)).rejects.toThrow('ECONNRESET')
    await write(2)
    const { rows } = await sql<{ record: string }>`select record from effects`.execute(db)
    expect(rows.map(({ record }) => record)).toEqual(['1', '2'])
    expect(await positions.take(coming())).toMatchObject([{ position: 2 }])
    await db.destroy()
    await database.stop()
  })

  it('never, holds up nobody once its call counts no more, and is there once', async () => {
    const { database, db, positions, losses } = await openLosing()
    const write = (offset: number, { signal } = new AbortController()) =>
      positions.transaction({ signal }, { ...of, offset }, offset + 1, async (trx) => {
        await sql`insert into effects values (${offset})`.execute(trx)
        return offset
      })
    losses.push({ lost: 'silence', awayFor: 0 })
    const over = new AbortController()
    const silent = write(0, over).catch(() => undefined)
    await delay(300)
    over.abort()
    expect(await write(0)).toBe(0)
    expect(await write(1)).toBe(1)
    const { rows } = await sql<{ record: string }>`select record from effects`.execute(db)
    expect(rows.map(({ record }) => record)).toEqual(['0', '1'])
    await db.destroy()
    await silent
    await database.stop()
  })
})

describe.each(kinds.filter((kind) => kind !== 'sqlite'))('rows that %s refuses', (kind) => {
  let database: TestDatabase
  let db: TestKysely
  beforeAll(async () => {
    database = await startDatabase(kind)
    db = database.open()
    await sql.raw('create table customers (id int not null primary key)').execute(db)
    await sql.raw('insert into customers values (1)').execute(db)
    const columns =
      'id int not null primary key, label varchar(8) not null, amount int check (amount > 0), customer int not null, ' +
      'unique (label), foreign key (customer) references customers (id)'
    await sql.raw(`create table payments (${columns})`).execute(db)
  })
  afterAll(async () => {
    await db?.destroy()
    await database?.stop()
  })
  const payment = (id: number, change: object = {}) => ({ id, label: `p${id}`, amount: 1, customer: 1, ...change })
  const add = (...rows: readonly object[]) =>
    db.transaction().execute((trx) => insertNew(trx, 'payments', rows as Record<string, unknown>[]))
  const wrong = {
    'too long': { label: 'x'.repeat(9) },
    'too large': { amount: 2 ** 31 },
    NULL: { label: null },
    'no number': { amount: 'many' },
    'a broken check': { amount: -1 },
    'a customer that is not there': { customer: 9 },
  }

  it.each(Object.entries(wrong))('for good: %s, alone or among rows that are passed over', async (_, change) => {
    await db.insertInto('payments').values(payment(1)).execute()
    for (const rows of [[payment(2, change)], [payment(1), payment(2, change), payment(3)]]) {
      const refused: unknown = await add(...rows).catch((error: unknown) => error)
      expect(isRefusedForGood(refused), String(refused)).toBe(true)
    }
    const plain: unknown = await db
      .insertInto('payments')
      .values(payment(2, change))
      .execute()
      .catch((error: unknown) => error)
    expect(isRefusedForGood(plain), String(plain)).toBe(true)
    expect(await db.selectFrom('payments').select('id').execute()).toEqual([{ id: 1 }])
    await db.deleteFrom('payments').execute()
  })

  it('are none that are there already, by whichever key: they are passed over, and counted out, however many', async () => {
    const many = Array.from({ length: 450 }, (_, at) => payment(at))
    expect(await add(...many.slice(0, 300))).toBe(300)
    expect(await add(...many)).toBe(150)
    expect(await add(...many, payment(999, { label: 'p1' }))).toBe(0)
    const again: unknown = await db
      .insertInto('payments')
      .values(payment(1))
      .execute()
      .catch((error: unknown) => error)
    expect(isRefusedForGood(again)).toBe(false)
  })

  it('are none that every insert would take, with fewer decimals, or by defaults', async () => {
    await sql.raw('create table prices (id int primary key, price decimal(10,2) default 9, at date)').execute(db)
    const rows = [{ id: 1, price: 0.1 + 0.2 }, { id: 2, price: '1.005', at: '2026-01-02 03:04:05' }, { id: 3 }]
    const added = db.transaction().execute((trx) => insertNew(trx, 'prices', rows as Record<string, unknown>[]))
    expect(await added).toBe(3)
    const { rows: prices } = await sql<{ price: unknown }>`select price from prices order by id`.execute(db)
    expect(prices.map(({ price }) => Number(price))).toEqual([0.3, 1.01, 9])
  })

  if (kind === 'mariadb') {
    it('are told also by sessions that show no warnings, and by types of its own', async () => {
      await sql.raw("create table kinds (id int primary key, kind enum('a', 'b'))").execute(db)
      await sql`set global max_error_count = 0`.execute(db)
      const silent = database.open()
      const refused: unknown = await silent
        .transaction()
        .execute((trx) => insertNew(trx, 'payments', [payment(2, { label: 'x'.repeat(9) })]))
        .catch((error: unknown) => error)
      await silent.destroy()
      await sql`set global max_error_count = 64`.execute(db)
      for (const kind of ['c', Number.NaN]) {
        const plain: unknown = await db
          .insertInto('kinds')
          .values({ id: 1, kind })
          .execute()
          .catch((error: unknown) => error)
        expect(isRefusedForGood(plain), String(plain)).toBe(true)
      }
      expect(refused).toMatchObject({ code: 'would-be-changed' })
    })
  }

  it('are none while the database is away', async () => {
    await database.stop()
    const down: unknown = await add(payment(1)).catch((error: unknown) => error)
    expect(down).toBeInstanceOf(Error)
    expect(isRefusedForGood(down)).toBe(false)
    await database.start()
  })
})
