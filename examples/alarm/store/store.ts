import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, Migrator, MysqlDialect, PostgresDialect, type Dialect, type Transaction } from 'kysely'
import { takeOwnership } from './owner.js'
import { migrations, type Schema } from './schema.js'
import { wasmSqliteDialect } from './wasm-sqlite-dialect.js'

export type Tx = Transaction<Schema>

export interface Store {
  readonly db: Kysely<Schema>
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
  const db = new Kysely<Schema>({ dialect: isServer ? await serverDialect(place) : wasmSqliteDialect(place) })
  const close = (): Promise<void> => db.destroy().finally(giveUp)
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
  if (error === undefined) return { db, close }
  await close()
  throw error as Error
}

/** The drivers are loaded on demand: who has SQLite needs none. */
async function serverDialect(url: string): Promise<Dialect> {
  if (!url.startsWith('postgres')) {
    const { createPool } = await import('mysql2')
    return new MysqlDialect({ pool: createPool({ uri: url, connectTimeout: 5_000, keepAliveInitialDelay: 10_000 }) })
  }
  const { default: pg } = await import('pg')
  // Ours are times and offsets, which a number holds.
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  // A machine that is gone says nothing: without it, an answer would be waited for without end.
  const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 }
  const pool = new pg.Pool({ connectionString: url, types, connectionTimeoutMillis: 5_000, ...keepAlive })
  // Of connections that are not asked when the server goes away: else pg ends the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new PostgresDialect({ pool })
}
