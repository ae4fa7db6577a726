import { join } from 'node:path'
import { createQueryId, sql, type CompiledQuery, type KyselyPlugin } from 'kysely'
import sqlite from 'node-sqlite3-wasm'
import { expect, it } from 'vitest'
import { memory } from 'tidemark/memory'
import { runPipeline } from '../../../examples/alarm/run-pipeline.js'
import { firstRows, sources } from '../../../examples/alarm/sources.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import { closeAll, openAllStores, type Stores } from '../../../examples/alarm/stores.js'
import { freshFolder } from './pipeline.js'

/** What is asked of a store, one of each kind. */
function watched(store: Store): { readonly store: Store; readonly asked: Map<string, CompiledQuery> } {
  const asked = new Map<string, CompiledQuery>()
  const watch: KyselyPlugin = {
    transformQuery: ({ node }) => {
      const query = store.db.getExecutor().compileQuery(node, createQueryId())
      asked.set(query.sql.replace(/\((\?, )+\?\)/g, '(?)'), query)
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { store: { ...store, db: store.db.withPlugin(watch) }, asked }
}

it('a database that was made before indexes and positions were has them when it is opened', async () => {
  const path = join(freshFolder(), 'notice.db')
  const made = sql<{ name: string }>`select name from sqlite_master where sql is not null order by name`
  const namesIn = async ({ db }: Store): Promise<string[]> => (await made.execute(db)).rows.map(({ name }) => name)
  const before = await openStore(path)
  const whole = await namesIn(before)
  const { schema } = before.db
  for (const name of ['notice_receiver', 'converge_instance_open_marker', 'converge_relation_converge_id'])
    await schema.dropIndex(name).execute()
  await schema.dropIndex('converge_relation_signal_name').execute()
  await schema.dropTable('tidemark_positions').execute()
  await sql`delete from kysely_migration where name > '0005-exact-values'`.execute(before.db)
  expect(await namesIn(before)).toHaveLength(whole.length - 5)
  await before.close()
  const store = await openStore(path)
  expect(await namesIn(store)).toEqual(whole)
  await store.close()
})

it('no service looks at all rows of a table', async () => {
  const opened = await openAllStores(freshFolder())
  const names = Object.keys(opened) as (keyof Stores)[]
  const all = new Map(names.map((name) => [name, watched(opened[name])]))
  const stores = Object.fromEntries([...all].map(([name, { store }]) => [name, store])) as Stores
  const channels = { pager: async () => undefined }
  await runPipeline({ driver: memory(), stores, sources: firstRows(sources, 2_400), channels, logger: 'silent' })
  const ours = sql<{ sql: string }>`select sql from sqlite_master where sql is not null and name not like 'sqlite_%'`
  const { rows: made } = await ours.execute(opened.alert.db)
  const likewise = new sqlite.Database(':memory:')
  for (const one of made) likewise.exec(one.sql)
  const scans: string[] = []
  for (const [name, { asked }] of all) {
    expect(asked.size, name).toBeGreaterThan(0)
    for (const [text, { sql: statement, parameters }] of asked) {
      const plan = likewise.all(`explain query plan ${statement}`, [...parameters] as sqlite.JSValue[])
      const details = plan.map(({ detail }) => String(detail))
      if (details.some((detail) => /^SCAN (?!\d)/.test(detail))) scans.push(`${name}: ${text}: ${details.join('; ')}`)
    }
  }
  likewise.close()
  await closeAll(Object.values(opened))
  expect(scans).toEqual([])
})
