import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, Migrator, type Transaction } from 'kysely'
import { takeOwnership } from './owner.js'
import { migrations, type Schema } from './schema.js'
import { wasmSqliteDialect } from './wasm-sqlite-dialect.js'

export type Tx = Transaction<Schema>

/** A service's own database; no other process may have it open. */
export interface Store {
  readonly db: Kysely<Schema>
  /** Forgets everything: for a log that is gone or a run that starts afresh. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** Opens the file, made and migrated if need be. Throws `DatabaseInUseError` while another living process has it. */
export async function openStore(path: string): Promise<Store> {
  mkdirSync(dirname(path), { recursive: true })
  const giveUp = takeOwnership(path)
  const db = new Kysely<Schema>({ dialect: wasmSqliteDialect(path) })
  const close = async (): Promise<void> => {
    await db.destroy()
    giveUp()
  }
  try {
    await migrate(db)
  } catch (error) {
    await close()
    throw error
  }
  return { db, clear: () => clear(db), close }
}

async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw error instanceof Error ? error : new Error(`migration failed: ${String(error)}`)
}

const tables: readonly (keyof Schema)[] = [
  'source_checkpoint',
  'metric_point',
  'check_result',
  'rule_state',
  'expected_series',
  'decided_event',
  'event_inbox',
  'alert_series',
  'alert',
  'alert_log',
  'consumer_offset',
]

async function clear(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const table of tables) await tx.deleteFrom(table).execute()
  })
}
