import { rmSync } from 'node:fs'
import { SqliteDialect, type Dialect, type SqliteDatabase, type SqliteStatement } from 'kysely'
import sqlite from 'node-sqlite3-wasm'

/** SQLite as WebAssembly: a real file, no native add-on. kysely gives it one connection; whoever comes second waits. */
export function wasmSqliteDialect(path: string): Dialect {
  return new SqliteDialect({ database: async () => new WasmSqlite(openDatabase(path)) })
}

/**
 * Write-ahead log under an exclusive lock, because this build's file layer takes its own lock for another writer's: with
 * the default rollback journal it never rolls back what a killed process left half written, and the file is corrupt.
 */
function openDatabase(path: string): sqlite.Database {
  // The lock of a killed process; our ownership (owner.ts) says that no living one holds it.
  rmSync(`${path}.lock`, { recursive: true, force: true })
  const database = new sqlite.Database(path)
  try {
    database.exec('pragma locking_mode = exclusive')
    const mode = database.get('pragma journal_mode = wal')?.['journal_mode']
    if (mode !== 'wal') throw new Error(`expected ${path} in journal mode wal, got ${String(mode)}`)
    // The Kafka commit relies on this one: it must outlive a power cut, not only the process.
    database.exec('pragma synchronous = full')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const keptStatements = 64

class WasmSqlite implements SqliteDatabase {
  /** Least recently used first. Statements live outside the garbage collector and must be finalized by hand. */
  readonly #statements = new Map<string, sqlite.Statement>()

  constructor(private readonly database: sqlite.Database) {}

  prepare(sql: string): SqliteStatement {
    const statement = this.#statements.get(sql) ?? this.database.prepare(sql)
    this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    const [oldest] = this.#statements
    if (this.#statements.size > keptStatements && oldest) this.#forget(oldest[0], oldest[1])
    const call = <Result>(run: (values: sqlite.JSValue[]) => Result, values: readonly unknown[]): Result => {
      try {
        return run(values as sqlite.JSValue[])
      } catch (error) {
        this.#forget(sql, statement)
        throw error
      }
    }
    return {
      reader: /^\s*(select|with|pragma)\b/i.test(sql) || /\breturning\b/i.test(sql),
      all: (values) => call((some) => statement.all(some), values),
      run: (values) => call((some) => statement.run(some), values),
      iterate: () => {
        throw new Error('streaming is not offered here; read by pages')
      },
    }
  }

  close(): void {
    for (const [sql, statement] of this.#statements) this.#forget(sql, statement)
    this.database.close()
  }

  #forget(sql: string, statement: sqlite.Statement): void {
    this.#statements.delete(sql)
    try {
      statement.finalize()
    } catch (error) {
      // One that failed says so once more when it is finalized; the caller has heard it.
      if (!statement.isFinalized) throw error
    }
  }
}
