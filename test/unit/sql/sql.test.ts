import { join } from 'node:path'
import {
  CamelCasePlugin,
  Kysely,
  ParseJSONResultsPlugin,
  sql,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type SqliteAdapter,
} from 'kysely'
import { ConfigError, defineTopic, json, string } from 'tidemark'
import {
  createInboxTable,
  createOutboxTables,
  inboxTableSql,
  outboxTablesSql,
  sqlDedupe,
  sqlOutbox,
  type SqlDialect,
  type SqlOptions,
} from 'tidemark/sql'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { wasmSqliteDialect } from '../../../examples/alarm/store/wasm-sqlite-dialect.js'
import { Unavailable } from '../../../src/consumer/handling/fate.js'
import type { CallMarks } from '../../../src/dedupe/dedupe-store.js'
import { senderId } from '../../../src/message/headers.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

interface Tables {
  effects: { what: string }
}

const orders = defineTopic({ name: 'orders', key: 'customer', value: json<{ customer: string; total: number }>() })
const lines = defineTopic({ name: 'lines', value: string() })

let db: Kysely<Tables>

beforeAll(async () => {
  db = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(temporaryFolder('sql'), 'test.db')) })
  for (let times = 0; times < 2; times += 1) {
    await createInboxTable(db)
    await createOutboxTables(db)
  }
  await sql`pragma synchronous = off`.execute(db)
  await sql`create table effects (what text)`.execute(db)
})

afterAll(() => db.destroy())

beforeEach(async () => {
  for (const table of ['effects', 'tidemark_inbox', 'tidemark_outbox'])
    await sql`delete from ${sql.table(table)}`.execute(db)
  await sql`update tidemark_outbox_lease set until_ms = 0`.execute(db)
})

const effects = async () => (await db.selectFrom('effects').select('what').execute()).map(({ what }) => what)

/** A call of a handler, as a consumer would begin it. */
function callOf(inbox: ReturnType<typeof sqlDedupe<Tables>>, ...identities: string[]) {
  const work = {}
  const seen = { isKept: false }
  const marks: CallMarks = { scope: 'g', identities, kept: () => (seen.isKept = true), runs: () => undefined }
  inbox.begins?.(work, marks)
  const ending = new AbortController()
  return { work, signal: ending.signal, seen, end: (reason: Error) => ending.abort(reason) }
}

/** A dialect over the connections of another, as some third-party ones are. */
function silentAbout(db: Kysely<Tables>): { readonly dialect: Dialect } {
  const connection: DatabaseConnection = {
    executeQuery: async (query) => {
      const { rows } = await db.executeQuery(query)
      return { rows: rows as never }
    },
    streamQuery: () => {
      throw new Error('not asked for')
    },
  }
  const none = () => Promise.resolve()
  const driver: Driver = {
    init: none,
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: none,
    commitTransaction: none,
    rollbackTransaction: none,
    releaseConnection: none,
    destroy: none,
  }
  const given = wasmSqliteDialect(':memory:')
  return {
    dialect: {
      createDriver: () => driver,
      createAdapter: () => given.createAdapter(),
      createIntrospector: (one: Kysely<unknown>) => given.createIntrospector(one),
      createQueryCompiler: () => given.createQueryCompiler(),
    },
  }
}

const write = (what: string) => async (trx: Kysely<Tables>) => {
  await trx.insertInto('effects').values({ what }).execute()
  return what
}

describe('the inbox', () => {
  it('knows what was marked, in its scope and by every byte, and a mark may come twice', async () => {
    const inbox = sqlDedupe(db)
    await inbox.mark('g', ['orders id:a', 'orders id:b'])
    await inbox.mark('g', ['orders id:a', 'orders id:c'])
    const asked = ['orders id:a', 'orders id:A', 'orders id:a ', 'orders id:c', 'orders id:d']
    expect(await inbox.known('g', asked)).toEqual(new Set(['orders id:a', 'orders id:c']))
    expect(await inbox.known('h', asked)).toEqual(new Set())
  })

  it('answers about many at a time', async () => {
    const inbox = sqlDedupe(db)
    const many = Array.from({ length: 600 }, (_, at) => `t id:${at}`)
    await inbox.mark('g', many)
    expect((await inbox.known('g', [...many, 't id:x'])).size).toBe(600)
  })

  it('is told of a transaction that the database rolled back while the work went on, and keeps nothing', async () => {
    const inbox = sqlDedupe(db)
    const call = callOf(inbox, 'a')
    const broken = inbox.transaction(call, (trx) => sql`rollback`.execute(trx))
    await expect(broken).rejects.toMatchObject({ code: 'transaction-lost' })
    expect(call.seen.isKept).toBe(false)
    expect(await inbox.known('g', ['a'])).toEqual(new Set())
  })

  it('keeps the marks with the effects, or neither', async () => {
    const inbox = sqlDedupe(db)
    const good = callOf(inbox, 'a')
    expect(await inbox.transaction(good, write('a'))).toBe('a')
    expect(good.seen.isKept).toBe(true)
    const bad = callOf(inbox, 'b')
    const failing = inbox.transaction(bad, async (trx) => {
      await write('b')(trx)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(bad.seen.isKept).toBe(false)
    expect(await effects()).toEqual(['a'])
    expect(await inbox.known('g', ['a', 'b'])).toEqual(new Set(['a']))
  })

  it('rolls back what somebody else has marked meanwhile, before its handler does anything', async () => {
    const inbox = sqlDedupe(db)
    await inbox.mark('g', ['b'])
    const call = callOf(inbox, 'a', 'b')
    await expect(inbox.transaction(call, write('x'))).rejects.toMatchObject({ code: 'marked-meanwhile' })
    expect(await effects()).toEqual([])
    expect(await inbox.known('g', ['a'])).toEqual(new Set())
    expect(call.seen.isKept).toBe(false)
  })

  it('rolls back when the time of its handler is over before it commits', async () => {
    const inbox = sqlDedupe(db)
    const call = callOf(inbox, 'a')
    const slow = inbox.transaction(call, async (trx) => {
      await write('a')(trx)
      call.end(new Error('too slow'))
    })
    await expect(slow).rejects.toThrow('too slow')
    expect(await effects()).toEqual([])
    await expect(inbox.transaction(call, write('a'))).rejects.toThrow('too slow')
  })

  it('says Unavailable when its table or its database is not there', async () => {
    const other = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(temporaryFolder('sql'), 'other.db')) })
    const inbox = sqlDedupe(other)
    await expect(inbox.transaction(callOf(inbox, 'a'), write('a'))).rejects.toBeInstanceOf(Unavailable)
    await other.destroy()
    await expect(inbox.transaction(callOf(inbox, 'a'), write('a'))).rejects.toBeInstanceOf(Unavailable)
  })

  it('refuses a call that is none of its consumer', async () => {
    const inbox = sqlDedupe(db)
    const call = callOf(sqlDedupe(db), 'a')
    await expect(inbox.transaction(call, write('a'))).rejects.toThrow('whose consumer has this store as dedupe')
  })

  it('forgets what is older than it keeps', async () => {
    await sqlDedupe(db).mark('g', ['old', 'new'])
    await sql`update tidemark_inbox set marked_at = marked_at - 5000 where mark = (select min(mark) from tidemark_inbox)`.execute(
      db,
    )
    expect(await sqlDedupe(db, { keepMs: 60_000 }).purge()).toBe(0)
    expect(await sqlDedupe(db, { keepMs: 4_000 }).purge()).toBe(1)
    expect((await sqlDedupe(db).known('g', ['old', 'new'])).size).toBe(1)
  })
})

describe('the outbox', () => {
  it('has what a committed transaction added, as bytes with an id, and nothing of one that was rolled back', async () => {
    const outbox = sqlOutbox(db)
    const id = await db.transaction().execute((trx) => outbox.add(trx, orders, { customer: 'ann', total: 5 }))
    const rolledBack = db.transaction().execute(async (trx) => {
      await outbox.add(trx, orders, { customer: 'ann', total: 6 })
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    const options = { id: 'mine', headers: { source: 'test' }, partition: 2, timestamp: 77 }
    await db.transaction().execute((trx) => outbox.add(trx, lines, 'x', options))
    const rows = await outbox.pending(0, 10)
    expect(rows).toMatchObject([
      { topic: 'orders', previous: null },
      { topic: 'lines', lane: null, previous: null },
    ])
    const [first, second] = await outbox.contents(rows.map(({ number }) => number))
    expect(String(first?.key)).toBe('ann')
    expect(String(first?.value)).toBe('{"customer":"ann","total":5}')
    expect([senderId(first?.headers ?? []), first?.partition]).toEqual([id, null])
    expect(second).toMatchObject({ key: null, partition: 2, timestamp: 77 })
    expect(second?.headers.map(([name, value]) => [name, String(value)])).toEqual([
      ['source', 'test'],
      ['td-id', 'mine'],
    ])
  })

  it('has many records of one call in their order, each with its id', async () => {
    const outbox = sqlOutbox(db)
    const records = Array.from({ length: 450 }, (_, at) => {
      return { value: { customer: `c${at % 7}`, total: at }, ...(at % 2 === 0 && { id: `id-${at}` }) }
    })
    const ids = await db.transaction().execute((trx) => outbox.addMany(trx, orders, records))
    expect(await db.transaction().execute((trx) => outbox.addMany(trx, orders, []))).toEqual([])
    const rows = await outbox.pending(0, 1_000)
    const contents = await outbox.contents(rows.map(({ number }) => number))
    const inOrder = [...contents].sort((one, other) => one.number - other.number)
    expect(inOrder.map(({ value }) => (JSON.parse(String(value)) as { total: number }).total)).toEqual(
      records.map(({ value }) => value.total),
    )
    expect(inOrder.map(({ headers }) => senderId(headers))).toEqual(ids)
    expect(ids.filter((_, at) => at % 2 === 0)).toEqual(records.flatMap(({ id }) => id ?? []))
    expect(rows[7]?.previous).toBe(rows[0]?.number)
  })

  it('has none of many records when one of them cannot be sent, and says which call was wrong', async () => {
    const outbox = sqlOutbox(db)
    const mixed = [{ value: 'x' }, { value: 5 as never }]
    const wrong = db.transaction().execute((trx) => outbox.addMany(trx, lines, mixed))
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-value', outcome: 'not-stored' })
    expect(await outbox.pending(0, 10)).toEqual([])
    await expect(outbox.addMany(db as never, lines, [])).rejects.toMatchObject({ code: 'not-in-transaction' })
    const none = db.transaction().execute((trx) => outbox.addMany(trx, lines, 'x' as never))
    await expect(none).rejects.toThrow('records: is no list of records; write a list')
  })

  it('says of each row which of its key comes before it, those that are held included', async () => {
    const outbox = sqlOutbox(db)
    for (const customer of ['a', 'b', 'a', 'a']) {
      await db.transaction().execute((trx) => outbox.add(trx, orders, { customer, total: 1 }))
    }
    const before = async () => {
      const rows = await outbox.pending(0, 10)
      const first = rows[0]?.number ?? 0
      return rows.map(({ number, previous }) => [number - first, previous === null ? null : previous - first])
    }
    expect(await before()).toEqual([
      [0, null],
      [1, null],
      [2, 0],
      [3, 2],
    ])
    const [first] = await outbox.pending(0, 1)
    expect(await outbox.pending(first?.number ?? 0, 2)).toHaveLength(2)
    await outbox.lead('me', 10_000)
    await outbox.hold(first?.number ?? 0, 'too-large', 'another')
    expect(await outbox.held()).toEqual([])
    await outbox.hold(first?.number ?? 0, 'too-large', 'me')
    expect(await outbox.held()).toMatchObject([{ number: first?.number, topic: 'orders', problem: 'too-large' }])
    expect((await outbox.held())[0]?.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await outbox.backlog()).toMatchObject({ rows: 4, held: 1 })
    // The row that is held is no longer among them, and still before the next of its key.
    expect(await before()).toEqual([
      [0, null],
      [1, -1],
      [2, 1],
    ])
    await outbox.discard([first?.number ?? 0])
    expect((await before())[1]).toEqual([1, null])
    await outbox.sent((await outbox.pending(0, 10)).map(({ number }) => number))
    expect(await outbox.backlog()).toEqual({ rows: 0, held: 0, oldestAgeMs: null })
  })

  it('releases what was held', async () => {
    const outbox = sqlOutbox(db)
    await db.transaction().execute((trx) => outbox.add(trx, lines, 'x'))
    const [row] = await outbox.pending(0, 1)
    await outbox.lead('me', 10_000)
    await outbox.hold(row?.number ?? 0, 'too-large', 'me')
    expect(await outbox.pending(0, 1)).toEqual([])
    await outbox.release([row?.number ?? 0])
    expect(await outbox.pending(0, 1)).toHaveLength(1)
  })

  it('gives its lease to one, until it is given back or its time is over', async () => {
    const outbox = sqlOutbox(db)
    expect(await outbox.lead('a', 10_000)).toBe(true)
    expect(await outbox.lead('b', 10_000)).toBe(false)
    expect(await outbox.lead('a', 10_000)).toBe(true)
    await outbox.resign('b')
    expect(await outbox.lead('b', 10_000)).toBe(false)
    await outbox.resign('a')
    expect(await outbox.lead('b', 10_000)).toBe(true)
    await sql`update tidemark_outbox_lease set until_ms = until_ms - 10001`.execute(db)
    expect(await outbox.lead('a', 10_000)).toBe(true)
    expect(await outbox.lead('b', 10_000)).toBe(false)
  })

  it('gives its lease on though the clock of the database was set back, when nobody renews it for its whole time', async () => {
    let setBack = 3_600_000
    // Another time at each: on a fast machine a renewal falls into the same millisecond.
    const back = () => sql`update tidemark_outbox_lease set until_ms = until_ms + ${setBack++}`.execute(db)
    const [outbox, other] = [sqlOutbox(db), sqlOutbox(db)]
    let now = 0
    const clock = vi.spyOn(systemClock, 'now').mockImplementation(() => now)
    try {
      await sql`update tidemark_outbox_lease set until_ms = 0`.execute(db)
      expect(await other.lead('a', 80)).toBe(true)
      await back()
      expect(await outbox.lead('b', 10_000)).toBe(false)
      // It lives, and renews it.
      expect(await other.lead('a', 80)).toBe(true)
      await back()
      now += 50
      expect(await outbox.lead('b', 10_000)).toBe(false)
      now += 50
      expect(await outbox.lead('b', 10_000)).toBe(false)
      now += 50
      expect(await outbox.lead('b', 10_000)).toBe(true)
      expect(await other.lead('a', 80)).toBe(false)
    } finally {
      clock.mockRestore()
    }
  })

  it('counts what waits and what is held, and no further than it must', async () => {
    const outbox = sqlOutbox(db)
    expect(await outbox.backlog()).toEqual({ rows: 0, held: 0, oldestAgeMs: null })
    await db.transaction().execute(async (trx) => {
      for (let count = 0; count < 3; count += 1) await outbox.add(trx, lines, 'x')
    })
    await sql`update tidemark_outbox set state = 'held' where number = (select min(number) from tidemark_outbox)`.execute(
      db,
    )
    await sql`update tidemark_outbox set added_at = added_at - 5000`.execute(db)
    const backlog = await outbox.backlog()
    expect(backlog).toMatchObject({ rows: 3, held: 1 })
    expect(backlog.oldestAgeMs).toBeGreaterThanOrEqual(5_000)
  })

  it('refuses a record outside of a transaction, and one that cannot be sent', async () => {
    const outbox = sqlOutbox(db)
    await expect(outbox.add(db as never, lines, 'x')).rejects.toMatchObject({ code: 'not-in-transaction' })
    await expect(outbox.add(undefined as never, lines, 'x')).rejects.toMatchObject({ code: 'not-in-transaction' })
    const wrong = db.transaction().execute((trx) => outbox.add(trx, lines, 5 as never))
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-value', outcome: 'not-stored' })
  })

  it('and the inbox read their tables whatever plugins the kysely that they were given has', async () => {
    for (const plugged of [db.withPlugin(new CamelCasePlugin()), db.withPlugin(new ParseJSONResultsPlugin())]) {
      const outbox = sqlOutbox(plugged)
      await plugged.transaction().execute((trx) => outbox.add(trx, orders, { customer: 'ann', total: 5 }, { id: 'x' }))
      const [row] = await outbox.pending(0, 1)
      expect(row).toMatchObject({ topic: 'orders', previous: null })
      expect(row?.sizeBytes).toBeGreaterThan(30)
      const [content] = await outbox.contents([row?.number ?? 0])
      expect([String(content?.key), senderId(content?.headers ?? []), content?.partition]).toEqual(['ann', 'x', null])
      expect(content?.timestamp).toBeGreaterThan(0)
      await outbox.lead('me', 10_000)
      await outbox.hold(row?.number ?? 0, 'too-large', 'me')
      expect(await outbox.held()).toMatchObject([{ id: 'x', problem: 'too-large' }])
      await outbox.discard([row?.number ?? 0])
      await sqlDedupe(plugged).mark('g', ['[1]'])
      expect(await sqlDedupe(plugged).known('g', ['[1]'])).toEqual(new Set(['[1]']))
    }
  })

  it('gives its lease by a driver that does not tell how many rows it changed', async () => {
    const { dialect } = silentAbout(db)
    const outbox = sqlOutbox(new Kysely({ dialect }))
    expect(await outbox.lead('a', 10_000)).toBe(true)
    expect(await outbox.lead('a', 10_000)).toBe(true)
    expect(await outbox.lead('b', 10_000)).toBe(false)
  })

  it('says what to run where its tables are not what they were made as', async () => {
    await sql`delete from tidemark_outbox_lease`.execute(db)
    await expect(sqlOutbox(db).lead('a', 1_000)).rejects.toThrow('run createOutboxTables')
    await createOutboxTables(db)
    expect(await sqlOutbox(db).lead('a', 1_000)).toBe(true)
  })
})

describe('the options', () => {
  it('are refused with what to write instead', () => {
    const wrong: readonly (readonly [SqlOptions, RegExp])[] = [
      [{ dialect: 'oracle' as SqlDialect }, /'sqlite', 'mysql', 'postgres'/],
      [{ prefix: 'a; drop table' }, /letters, digits and _/],
      [{ prefix: '' }, /letters, digits and _/],
    ]
    for (const [options, fix] of wrong) {
      expect(() => sqlOutbox(db, options)).toThrow(fix)
      expect(() => sqlDedupe(db, options)).toThrow(fix)
    }
    expect(() => sqlDedupe(db, { keepMs: 0 })).toThrow(/keepMs: is 0/)
    const adapter = {} as SqliteAdapter
    const unknown = { getExecutor: () => ({ adapter }), withoutPlugins: () => db, transaction: () => 0 } as never
    expect(() => sqlOutbox(unknown)).toThrow(/dialect: cannot be told/)
    expect(() => sqlOutbox(unknown, { dialect: 'mysql' })).not.toThrow()
  })

  it('and what else is given are refused by every call with what to give', async () => {
    const outbox = sqlOutbox(db)
    const wrong: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => createInboxTable(undefined as never), 'db: is missing; give a Kysely'],
      [() => createOutboxTables({} as never), 'db: is an object; give a Kysely'],
      [() => createOutboxTables(db, { prefx: 'my_' } as never), 'did you mean prefix?'],
      [() => outbox.release(5 as never), 'numbers: is 5; give a list of numbers'],
      [() => outbox.discard([undefined as never]), 'numbers: is a list of 1; give a list of numbers'],
      [() => db.transaction().execute((trx) => outbox.add(trx, lines, 'x', null as never)), 'options: is null'],
    ]
    for (const [call, what] of wrong) {
      const error: unknown = await call().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConfigError)
      expect(String(error)).toContain(what)
    }
  })

  it('name tables of their own', async () => {
    await createInboxTable(db, { prefix: 'my_' })
    await sqlDedupe(db, { prefix: 'my_' }).mark('g', ['a'])
    expect((await sqlDedupe(db).known('g', ['a'])).size).toBe(0)
    expect((await sqlDedupe(db, { prefix: 'my_' }).known('g', ['a'])).size).toBe(1)
  })
})

describe('the page about once-only effects', () => {
  it.each(['sqlite', 'mysql', 'postgres'] as const)('has statements for %s that may run again', (dialect) => {
    for (const statement of [...inboxTableSql(dialect), ...outboxTablesSql(dialect)]) {
      expect(statement).toMatch(/if not exists|insert (or )?ignore|on conflict do nothing/)
    }
  })
})
