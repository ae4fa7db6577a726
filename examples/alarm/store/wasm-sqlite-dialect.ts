import { rmSync } from 'node:fs'
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely'
import sqlite from 'node-sqlite3-wasm'

/** SQLite as WebAssembly: a real file, no native add-on. One connection; whoever comes second waits. */
export function wasmSqliteDialect(path: string): Dialect {
  return {
    createDriver: () => new WasmSqliteDriver(path),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

class WasmSqliteDriver implements Driver {
  #connection: WasmSqliteConnection | null = null
  /** Settles when the last one in the queue has released the connection. */
  #queue: Promise<void> = Promise.resolve()
  #release: () => void = () => undefined

  constructor(private readonly path: string) {}

  async init(): Promise<void> {
    this.#connection = new WasmSqliteConnection(openDatabase(this.path))
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#queue
    let release: () => void = () => undefined
    this.#queue = new Promise((resolve) => {
      release = resolve
    })
    await before
    this.#release = release
    if (!this.#connection) throw new Error(`${this.path} is closed`)
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    this.#release()
  }

  /** Immediate: the lock is taken now, not in the middle of the transaction, where a refusal would waste the work. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async destroy(): Promise<void> {
    this.#connection?.close()
    this.#connection = null
  }
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

class WasmSqliteConnection implements DatabaseConnection {
  /** Least recently used first. Statements live outside the garbage collector and must be finalized by hand. */
  readonly #statements = new Map<string, sqlite.Statement>()

  constructor(private readonly database: sqlite.Database) {}

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const statement = this.#prepare(query.sql)
    const values = query.parameters as sqlite.JSValue[]
    try {
      if (returnsRows(query.sql)) return { rows: statement.all(values) as Row[] }
      const { changes } = statement.run(values)
      return { rows: [], numAffectedRows: BigInt(changes) }
    } catch (error) {
      this.#discardFailed(query.sql, statement)
      throw error
    }
  }

  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streaming is not offered by this dialect; read by pages')
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize()
    this.#statements.clear()
    this.database.close()
  }

  #prepare(sql: string): sqlite.Statement {
    const known = this.#statements.get(sql)
    const statement = known ?? this.database.prepare(sql)
    if (known) this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    if (this.#statements.size > keptStatements) this.#dropOldest()
    return statement
  }

  /** A statement that failed says so once more when it is finalized; the caller has heard it. */
  #discardFailed(sql: string, statement: sqlite.Statement): void {
    this.#statements.delete(sql)
    try {
      statement.finalize()
    } catch (error) {
      if (!statement.isFinalized) throw error
    }
  }

  #dropOldest(): void {
    for (const [sql, statement] of this.#statements) {
      statement.finalize()
      this.#statements.delete(sql)
      return
    }
  }
}

function returnsRows(sql: string): boolean {
  return /^\s*(select|with|pragma)\b/i.test(sql) || /\breturning\b/i.test(sql)
}
