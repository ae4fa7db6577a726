import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, Migrator, MysqlDialect, PostgresDialect, type Dialect, type Transaction } from 'kysely'
import { takeOwnership } from './owner.js'
import { migrations, tables, type Schema } from './schema.js'
import { wasmSqliteDialect } from './wasm-sqlite-dialect.js'

export type Tx = Transaction<Schema>

export interface Store {
  readonly db: Kysely<Schema>
  /** Forgets everything: for a log that is gone or a run that starts afresh. */
  clear(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a database, made and migrated if need be: `mysql://…` (MariaDB too), `postgres://…`, which services share, or the
 * path of a SQLite file, which one living process has for itself.
 */
export async function openStore(place: string): Promise<Store> {
  const isServer = /^(mysql|mariadb|postgres(ql)?):\/\//.test(place)
  if (!isServer) mkdirSync(dirname(place), { recursive: true })
  const giveUp = isServer ? () => undefined : takeOwnership(place)
  const dialect = isServer ? await serverDialect(place) : wasmSqliteDialect(place)
  const db = new Kysely<Schema>({ dialect })
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

/** The drivers are loaded on demand: who has SQLite needs none. */
async function serverDialect(url: string): Promise<Dialect> {
  if (!url.startsWith('postgres')) {
    const { createPool } = await import('mysql2')
    const uri = url.replace(/^mariadb:/, 'mysql:')
    return new MysqlDialect({ pool: createPool({ uri, connectTimeout: 5_000, keepAliveInitialDelay: 10_000 }) })
  }
  const { default: pg } = await import('pg')
  const types = {
    getTypeParser: ((oid: number, format: 'text') =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
  }
  // A machine that is gone says nothing: without it, an answer would be waited for without end.
  const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 }
  const pool = new pg.Pool({ connectionString: url, types, connectionTimeoutMillis: 5_000, ...keepAlive })
  // Of connections that are not asked when the server goes away: else pg ends the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new PostgresDialect({ pool })
}

/** PostgreSQL's number for bigint. Ours are times and offsets, which a number holds. */
const int8 = 20

async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw error instanceof Error ? error : new Error(`migration failed: ${String(error)}`)
}

async function clear(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const table of [...tables, 'tidemark_inbox', 'tidemark_outbox', 'tidemark_positions'])
      await tx.deleteFrom(table as never).execute()
  })
}
