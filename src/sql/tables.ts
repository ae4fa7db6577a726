import { sql } from 'kysely'
import { asDatabaseError, isConflict, isTaken } from './database-errors.js'
import { databaseOf, namedBy, type AnyKysely, type Database, type SqlDialect, type SqlOptions } from './database.js'

/** Of MySQL and MariaDB, which have no lock on a number for the time of a transaction: keys share so many. */
export const mysqlLanes = 1_024

/**
 * The statements that make the table of an inbox, for a migration of yours; `createInboxTable` runs them. Each may run again.
 *
 * @throws ConfigError
 */
export function inboxTableSql(dialect: SqlDialect, options: Pick<SqlOptions, 'prefix'> = {}): string[] {
  const table = `${namedBy('inboxTableSql', dialect, options)}inbox`
  switch (dialect) {
    case 'sqlite':
      return [
        `create table if not exists ${table} (mark text not null primary key, marked_at integer not null) without rowid`,
        `create index if not exists ${table}_marked_at on ${table} (marked_at)`,
      ]
    case 'mysql':
      return [
        `create table if not exists ${table} (mark char(43) character set ascii collate ascii_bin not null primary key, ` +
          `marked_at bigint not null, key ${table}_marked_at (marked_at)) engine = innodb`,
      ]
    case 'postgres':
      return [
        `create table if not exists ${table} (mark text collate "C" not null primary key, marked_at bigint not null)`,
        `create index if not exists ${table}_marked_at on ${table} (marked_at)`,
      ]
  }
}

/**
 * The statements that make the tables of an outbox, for a migration of yours; `createOutboxTables` runs them. Each may run
 * again.
 *
 * @throws ConfigError
 */
export function outboxTablesSql(dialect: SqlDialect, options: Pick<SqlOptions, 'prefix'> = {}): string[] {
  const table = `${namedBy('outboxTablesSql', dialect, options)}outbox`
  const lease = `${table}_lease`
  switch (dialect) {
    case 'sqlite':
      return [
        `create table if not exists ${table} (number integer primary key autoincrement, lane text, topic text not null, ` +
          'record_key blob, value blob, headers text not null, record_partition integer, record_time integer not null, ' +
          "size_bytes integer not null, state text not null default 'pending', problem text, added_at integer not null)",
        `create index if not exists ${table}_lane on ${table} (lane, number)`,
        `create index if not exists ${table}_held on ${table} (number) where state = 'held'`,
        `create table if not exists ${lease} (name text not null primary key, holder text, until_ms integer not null, ` +
          'for_ms integer not null default 0)',
        `insert or ignore into ${lease} (name, until_ms) values ('relay', 0)`,
      ]
    case 'mysql':
      return [
        `create table if not exists ${table} (number bigint not null auto_increment primary key, ` +
          'lane char(43) character set ascii collate ascii_bin, ' +
          'topic varchar(249) character set ascii collate ascii_bin not null, ' +
          'record_key longblob, value longblob, headers longtext character set utf8mb4 not null, record_partition int, ' +
          'record_time bigint not null, size_bytes int not null, ' +
          "state varchar(16) character set ascii not null default 'pending', problem varchar(100), " +
          `added_at bigint not null, key ${table}_lane (lane, number), key ${table}_held (state, number)) engine = innodb`,
        `create table if not exists ${table}_lanes (lane smallint unsigned not null primary key) engine = innodb`,
        `insert ignore into ${table}_lanes (lane) values ` +
          Array.from({ length: mysqlLanes }, (_, lane) => `(${lane})`).join(','),
        `create table if not exists ${lease} (name varchar(32) character set ascii not null primary key, ` +
          'holder varchar(64) character set ascii, until_ms bigint not null, for_ms bigint not null default 0) engine = innodb',
        `insert ignore into ${lease} (name, until_ms) values ('relay', 0)`,
      ]
    case 'postgres':
      return [
        `create table if not exists ${table} (number bigint generated always as identity primary key, ` +
          'lane text collate "C", topic text not null, record_key bytea, value bytea, headers text not null, ' +
          'record_partition int, record_time bigint not null, size_bytes int not null, ' +
          "state text not null default 'pending', problem text, added_at bigint not null)",
        `create index if not exists ${table}_lane on ${table} (lane, number)`,
        `create index if not exists ${table}_held on ${table} (number) where state = 'held'`,
        `create table if not exists ${lease} (name text not null primary key, holder text, until_ms bigint not null, ` +
          'for_ms bigint not null default 0)',
        `insert into ${lease} (name, until_ms) values ('relay', 0) on conflict do nothing`,
      ]
  }
}

/** Kafka prints 22 characters. */
const topicIdTypes: Readonly<Record<SqlDialect, string>> = {
  sqlite: 'text',
  mysql: 'varchar(64) character set ascii collate ascii_bin',
  postgres: 'varchar(64) collate "C"',
}

/**
 * The statement that makes the table of positions, for a migration of yours; `createPositionsTable` runs it. It may run again.
 *
 * @throws ConfigError
 */
export function positionsTableSql(dialect: SqlDialect, options: Pick<SqlOptions, 'prefix'> = {}): string[] {
  const table = `${namedBy('positionsTableSql', dialect, options)}positions`
  const place =
    'epoch bigint not null, written bigint not null default 0, next_offset bigint, reached bigint, ' +
    `topic_id ${topicIdTypes[dialect]}, primary key (grp, topic, part)`
  switch (dialect) {
    case 'sqlite':
      return [
        `create table if not exists ${table} (grp text not null, topic text not null, part integer not null, ${place}) ` +
          'without rowid',
      ]
    case 'mysql':
      return [
        `create table if not exists ${table} (grp varchar(190) character set utf8mb4 collate utf8mb4_bin not null, ` +
          `topic varchar(249) character set ascii collate ascii_bin not null, part int not null, ${place}) engine = innodb`,
      ]
    case 'postgres':
      return [
        `create table if not exists ${table} (grp text collate "C" not null, topic text collate "C" not null, ` +
          `part int not null, ${place})`,
      ]
  }
}

/** Makes the table of an inbox where it is not there yet. Applications with migrations take `inboxTableSql`. */
export async function createInboxTable(db: AnyKysely, options: SqlOptions = {}): Promise<void> {
  await runAll(db, inboxTableSql, databaseOf('createInboxTable', db, options))
}

/** Makes the tables of an outbox where they are not there yet. Applications with migrations take `outboxTablesSql`. */
export async function createOutboxTables(db: AnyKysely, options: SqlOptions = {}): Promise<void> {
  await runAll(db, outboxTablesSql, databaseOf('createOutboxTables', db, options))
}

/** Makes the table of positions where it is not there yet. Applications with migrations take `positionsTableSql`. */
export async function createPositionsTable(db: AnyKysely, options: SqlOptions = {}): Promise<void> {
  await runAll(db, positionsTableSql, databaseOf('createPositionsTable', db, options))
}

async function runAll(db: AnyKysely, of: typeof inboxTableSql, { dialect, prefix }: Database): Promise<void> {
  for (const statement of of(dialect, { prefix })) await runOnce(db, statement)
}

/** PostgreSQL: a table, an index or a type of that name. */
const isThere: ReadonlySet<unknown> = new Set(['42P07', '42710'])
const mostTries = 5

/** `if not exists` of PostgreSQL does not see what another process is making: it is there when it is asked for again. */
async function runOnce(db: AnyKysely, statement: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await sql.raw(statement).execute(db)
      return
    } catch (error) {
      const isRace = isTaken(error) || isConflict(error) || isThere.has(asDatabaseError(error).code)
      if (!isRace || tries === mostTries) throw error
    }
  }
}
