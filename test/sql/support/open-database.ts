import { Kysely, MysqlDialect, PostgresDialect, type Dialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { wasmSqliteDialect } from '../../../examples/alarm/store/wasm-sqlite-dialect.js'

/** Where a database is; plain data, so that it can be told to another process. */
export type DatabasePlace =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'mariadb'; readonly port: number }
  | { readonly kind: 'postgres'; readonly port: number }

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests write plain SQL
export type TestKysely = Kysely<any>

export const openDatabase = (
  place: DatabasePlace,
  through: (dialect: Dialect) => Dialect = (dialect) => dialect,
): TestKysely => new Kysely({ dialect: through(dialectOf(place)) })

function dialectOf(place: DatabasePlace): Dialect {
  switch (place.kind) {
    case 'sqlite':
      return wasmSqliteDialect(place.file)
    case 'mariadb': {
      const { port } = place
      return new MysqlDialect({
        pool: createPool({ host: '127.0.0.1', port, user: 'root', database: 'test', connectionLimit: 10 }),
      })
    }
    case 'postgres': {
      const { port } = place
      const pool = new Pool({ host: '127.0.0.1', port, user: 'tidemark', database: 'postgres', max: 10 })
      // Of connections that are not asked when the server goes away: else pg ends the process.
      pool.on('error', () => undefined)
      pool.on('connect', (client) => client.on('error', () => undefined))
      return new PostgresDialect({ pool })
    }
  }
}
