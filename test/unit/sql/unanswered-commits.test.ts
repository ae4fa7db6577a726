import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { createPositionsTable, FencedWriter, sqlPositions } from 'tidemark/sql'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wasmSqliteDialect } from '../../../examples/alarm/store/wasm-sqlite-dialect.js'
import { Discard, Unavailable } from '../../../src/consumer/handling/fate.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { losingCommits, type CommitLoss } from '../../support/unanswered-commits.js'

interface Tables {
  effects: { what: string }
}

const losses: CommitLoss[] = []
/** So often the database is asked what became of a commit. */
const untilItGivesUp = 3

let db: Kysely<Tables>

beforeAll(async () => {
  const dialect = wasmSqliteDialect(join(temporaryFolder('sql'), 'test.db'))
  db = new Kysely<Tables>({ dialect: losingCommits(dialect, losses) })
  await createPositionsTable(db)
  await sql`create table effects (what text unique)`.execute(db)
})

afterAll(() => db.destroy())

beforeEach(async () => {
  for (const table of ['effects', 'tidemark_positions']) await sql`delete from ${sql.table(table)}`.execute(db)
})

const of = { topic: 'orders', partition: 0 }
const call = { signal: new AbortController().signal }
const effects = async () => (await db.selectFrom('effects').select('what').execute()).map(({ what }) => what)

async function writer() {
  const positions = sqlPositions(db, { group: 'g' })
  await positions.take([{ ...of, committed: null }])
  const runs = { count: 0 }
  /** Of records up to `offset`, with one effect of each run of its own. */
  const write = (place: { readonly offset?: number }, next: number | null) =>
    positions.transaction(call, { ...of, ...place }, next, async (trx) => {
      runs.count += 1
      const what = `run ${runs.count}`
      await trx.insertInto('effects').values({ what }).execute()
      return what
    })
  const position = async () => (await positions.take([{ ...of, committed: null }]))[0]?.position
  return { positions, runs, write, position }
}

describe('a commit without an answer', () => {
  it('that was done counts as done', async () => {
    const { write, position } = await writer()
    losses.push({ lost: 'answer', awayFor: 1 })
    expect(await write({ offset: 4 }, 5)).toBe('run 1')
    expect(await write({ offset: 5 }, 6)).toBe('run 2')
    expect(await effects()).toEqual(['run 1', 'run 2'])
    expect(await position()).toBe(6)
  })

  it('that was not done fails by what was thrown, and the call may come again', async () => {
    const { write, position } = await writer()
    losses.push({ lost: 'commit', awayFor: 1 })
    await expect(write({ offset: 4 }, 5)).rejects.toThrow('ECONNRESET')
    expect(await write({ offset: 4 }, 5)).toBe('run 2')
    expect(await effects()).toEqual(['run 2'])
    expect(await position()).toBe(5)
  })

  it('of a database that stays away is Unavailable; the same call then has the result of the first, or runs', async () => {
    for (const [lost, runs] of [
      ['answer', 1],
      ['commit', 2],
    ] as const) {
      const { write, runs: ran } = await writer()
      losses.push({ lost, awayFor: untilItGivesUp + 1 })
      for (let times = 0; times < 2; times += 1) await expect(write({ offset: 4 }, 5)).rejects.toThrow(Unavailable)
      expect(await write({ offset: 4 }, 5)).toBe(`run ${runs}`)
      expect(ran.count).toBe(runs)
      // What is done anew on purpose is done: one answer was owed.
      expect(await write({ offset: 4 }, 5)).toBe(`run ${runs + 1}`)
      await sql`delete from effects`.execute(db)
    }
  })

  it('is not asked about when another call comes; a part of its batch is dropped, and what moves nothing is told by its message alone', async () => {
    const { write, runs } = await writer()
    losses.push({ lost: 'answer', awayFor: untilItGivesUp })
    await expect(write({ offset: 4 }, 5)).rejects.toThrow(Unavailable)
    await expect(write({ offset: 2 }, 3)).rejects.toThrow(Discard)
    expect(runs.count).toBe(1)
    for (const next of [null, 7]) await write({}, next)
    expect(await write({ offset: 4 }, null)).toBe('run 4')
    expect(await write({ offset: 4 }, 5)).toBe('run 1')
  })

  it('of a partition that was taken meanwhile stores nothing more', async () => {
    const { write, runs } = await writer()
    losses.push({ lost: 'answer', awayFor: untilItGivesUp })
    await expect(write({ offset: 4 }, 5)).rejects.toThrow(Unavailable)
    const other = await writer()
    await expect(write({ offset: 4 }, 5)).rejects.toThrow(FencedWriter)
    expect(runs.count).toBe(1)
    expect(await other.position()).toBe(5)
  })
})

describe('transactions of a partition', () => {
  it('run one after another in a process, and one that fails holds up none', async () => {
    const { positions } = await writer()
    const course: string[] = []
    const slow = (name: string, error?: Error) =>
      positions.transaction(call, of, null, async () => {
        course.push(`${name} begins`)
        await new Promise((resolve) => setTimeout(resolve, 20))
        course.push(`${name} ends`)
        if (error) throw error
      })
    const all = await Promise.allSettled([slow('a'), slow('b', new Error('no')), slow('c')])
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(course).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]))
  })

  it('that the database rolled back while the work went on are lost as a whole, and say so', async () => {
    const { positions, position } = await writer()
    const broken = positions.transaction(call, of, 5, (trx) => sql`rollback`.execute(trx))
    await expect(broken).rejects.toMatchObject({ code: 'transaction-lost' })
    expect(await position()).toBe(null)
  })
})
