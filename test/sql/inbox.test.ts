import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { createInboxTable } from '../../src/sql.js'
import { delay, until } from '../support/waiting.js'
import { isFull, kinds, startDatabase, type TestDatabase } from './support/databases.js'
import type { CrashPoint, InboxLife } from './support/inbox-process.js'
import { begin } from './support/lives.js'

const points: readonly CrashPoint[] = ['marked', 'effect', 'committing', 'committed']
const records = isFull ? 600 : 150
const outageMs = isFull ? 60_000 : 1_500

describe.each(kinds)('an inbox on %s', (kind) => {
  it('has each effect once, whenever its process is killed: at every point between mark, effect and commit, and at any, or its database stops', async () => {
    const database = await startDatabase(kind)
    try {
      const setUp = database.open()
      await createInboxTable(setUp)
      await createInboxTable(setUp)
      await sql.raw('create table effects (record varchar(20) not null)').execute(setUp)
      await setUp.destroy()
      const life = (form: InboxLife['form'], crash: InboxLife['crash']): InboxLife => ({
        place: database.place,
        records,
        form,
        crash,
      })

      for (const [at, point] of points.entries()) {
        const forms: readonly InboxLife['form'][] = at % 2 === 0 ? ['each', 'batch'] : ['batch', 'each']
        // On a server two members have the same records at the same time; a file has one process.
        const lives = (database.isServer ? forms : forms.slice(0, 1)).map((form) =>
          begin('inbox-process.ts', life(form, { point, transaction: 3 + at })),
        )
        expect(await Promise.all(lives.map(({ ended }) => ended))).toEqual(lives.map(() => 'SIGKILL'))
      }
      if (database.isServer) {
        const lives = (['each', 'batch'] as const).map((form) => begin('inbox-process.ts', life(form, null)))
        await until('some effects are there', async () => (await countOf(database)) > records / 20)
        await database.stop()
        await delay(outageMs)
        await database.start()
        expect(await Promise.all(lives.map(({ ended }) => ended))).toEqual([0, 0])
      }
      for (const ms of [500, 900]) {
        const lives = (database.isServer ? (['each', 'batch'] as const) : (['each'] as const)).map((form) =>
          begin('inbox-process.ts', life(form, null)),
        )
        await delay(ms)
        for (const one of lives) {
          one.kill()
          await one.ended
        }
      }
      expect(await begin('inbox-process.ts', life('each', null)).ended).toBe(0)

      const db = database.open()
      const { rows } = await sql<{ record: string }>`select record from effects`.execute(db)
      const { rows: marks } = await sql`select mark from tidemark_inbox`.execute(db)
      await db.destroy()
      const seen = rows.map(({ record }) => Number(record)).sort((a, b) => a - b)
      expect(seen).toEqual(Array.from({ length: records }, (_, at) => at))
      expect(marks).toHaveLength(records)
    } finally {
      await database.stop()
    }
  })
})

async function countOf(database: TestDatabase): Promise<number> {
  const db = database.open()
  try {
    const { rows } = await sql<{ effects: unknown }>`select count(*) as effects from effects`.execute(db)
    return Number(rows[0]?.effects ?? 0)
  } finally {
    await db.destroy()
  }
}
