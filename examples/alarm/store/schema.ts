import { MysqlAdapter, PostgresAdapter, sql, type Migration } from 'kysely'
import { inboxTableSql, outboxTablesSql, type AnyKysely } from 'tidemark/sql'

/** A column: its type in every database, and in TypeScript by `Of`. */
interface Column<Of> {
  readonly type: `varchar(${number})` | 'bigint' | 'integer' | 'text'
  readonly isNullable?: true
  readonly of?: Of
}

const name = (length = 64): Column<string> => ({ type: `varchar(${length})` })
const whole: Column<number> = { type: 'bigint' }
/** A number as JavaScript writes it: of a double, MariaDB tells 92.2779806 where 92.27798059999999 is stored, so a replay would be a conflict. */
const exact: Column<string> = { type: 'varchar(32)' }
const small: Column<number> = { type: 'integer' }
const text: Column<string> = { type: 'text' }
const orNull = <Of>(column: Column<Of>): Column<Of | null> => ({ ...column, isNullable: true }) as Column<Of | null>

/**
 * One schema for SQLite, MySQL, MariaDB and PostgreSQL, said once: the types below come of it, and the tables. Text that is a
 * key has a length, times are Unix seconds of the *data* (no wall clock, so two runs over the same input leave the same rows),
 * and flags that go into a unique index are NULL or 1.
 */
const schema = {
  /** access: how far each source was acknowledged. */
  source_checkpoint: { key: ['source'], columns: { source: name(190), next_row: whole } },
  /** detect: the accepted points. */
  metric_point: { key: ['series', 'ts'], columns: { series: name(32), ts: whole, value: exact } },
  /** detect: the points that a level found anomalous. */
  check_result: {
    key: ['strategy_id', 'item_id', 'series', 'severity', 'ts'],
    columns: {
      strategy_id: small,
      item_id: small,
      series: name(32),
      severity: small,
      ts: whole,
      value: exact,
      triggered: small,
    },
  },
  /** detect: what each rule last said about each series. */
  rule_state: {
    key: ['strategy_id', 'item_id', 'series'],
    columns: {
      ...{ strategy_id: small, item_id: small, series: name(32) },
      ...{ firing_severity: orNull(small), last_trigger_ts: orNull(whole), newest_ts: orNull(whole) },
    },
  },
  /** detect: the series that should have points, and how far that was looked at (`detect/silence.ts`). */
  expected_series: {
    key: ['strategy_id', 'item_id', 'series'],
    columns: {
      ...{ strategy_id: small, item_id: small, series: name(32), part: small, dimensions: text },
      ...{ looked_at: whole, missing: small, fired: orNull(whole) },
    },
  },
  /** detect: what was decided at each record, until Kafka has its offset. */
  decided_event: {
    key: ['part', 'raw_offset', 'seq'],
    columns: { part: small, raw_offset: whole, seq: small, event: text },
  },
  /** Who reads what: what the database has of each partition, and who may write it. */
  consumer_offset: {
    key: ['grp', 'topic', 'part'],
    // send_from: Kafka had its commit up to there when the partition came.
    columns: { grp: name(100), topic: name(100), part: small, next_offset: whole, epoch: whole, send_from: whole },
  },
  /** alert, converge: every event ever taken, and what it did. */
  event_inbox: {
    key: ['consumer', 'event_id'],
    columns: { consumer: name(), event_id: name(190), outcome: name(), alert_id: orNull(name()) },
  },
  /** alert: a key's row is its lock. */
  alert_series: {
    key: ['alert_key'],
    columns: { alert_key: name(), generation: small, current_alert_id: orNull(name()), last_end_time: orNull(whole) },
  },
  alert: {
    key: ['alert_id'],
    // NULLs are distinct in a unique index, so the database itself allows one open alert a key.
    unique: [
      ['alert_key', 'open_marker'],
      ['alert_key', 'generation'],
    ],
    columns: {
      ...{ alert_id: name(), alert_key: name(), open_marker: orNull(small), generation: small },
      ...{
        bk_biz_id: small,
        strategy_id: small,
        alert_name: name(190),
        target: name(190),
        severity: small,
        status: name(16),
      },
      ...{ begin_time: whole, latest_time: whole, first_anomaly_time: whole, end_time: orNull(whole) },
      ...{ event_count: small, version: small, is_ack: small, is_shielded: small, dimensions: text, extra: text },
    },
  },
  /** alert: append-only history; versions of an alert are 1..n without holes. */
  alert_log: {
    key: ['alert_id', 'version'],
    columns: {
      ...{ alert_id: name(), version: small, op_type: name(32), event_id: orNull(name(190)), at: whole },
      ...{ severity: small, status: name(16), detail: text },
    },
  },
  /** converge: what was folded into one, in a window of time; at most one is open in a dimension. */
  converge_instance: {
    key: ['converge_id'],
    unique: [['dimension', 'open_marker']],
    columns: {
      ...{ converge_id: name(), dimension: name(), rule: name(), open_marker: orNull(small), part: small },
      ...{ starts: whole, ends: whole, executed: small, skipped: small, late: small, root_cause: orNull(name()) },
    },
  },
  /** converge: what became of each signal of an alert. */
  converge_relation: {
    key: ['alert_id', 'signal_version'],
    columns: {
      ...{ alert_id: name(), signal_version: small, converge_id: name(), signal_name: name(16), outcome: name(16) },
      ...{ at: whole, severity: small, begin_time: whole, target: name(190), bk_biz_id: small, strategy_id: small },
    },
  },
  /** notice: what became of each, `sent` or `quiet`. */
  notice: {
    key: ['notice_id'],
    columns: {
      notice_id: name(),
      receiver: name(),
      channel: name(32),
      outcome: name(16),
      attempts: small,
      sent_at_ms: whole,
    },
  },
} as const satisfies Record<string, Table>

interface Table {
  readonly key: readonly string[]
  readonly unique?: readonly (readonly string[])[]
  readonly columns: Readonly<Record<string, Column<unknown>>>
}

type Row<Columns> = { -readonly [Name in keyof Columns]: Columns[Name] extends Column<infer Of> ? Of : never }
export type Schema = { [Name in keyof typeof schema]: Row<(typeof schema)[Name]['columns']> }
export type AlertRow = Schema['alert']

export const tables = Object.keys(schema) as (keyof Schema)[]

/** Never change one that was released; add the next, with the columns it brings. */
export const migrations: Record<string, Migration> = {
  // In one transaction, where the database has that for tables: SQLite is much quicker then.
  '0005-exact-values': { up: (db) => (db.isTransaction ? createTables(db) : db.transaction().execute(createTables)) },
}

async function createTables(db: AnyKysely): Promise<void> {
  const { adapter } = db.getExecutor()
  const isMysql = adapter instanceof MysqlAdapter
  const dialect = isMysql ? 'mysql' : adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite'
  for (const [table, { key, unique = [], columns }] of Object.entries<Table>(schema)) {
    let create = db.schema.createTable(table).addPrimaryKeyConstraint(`${table}_pk`, [...key] as never[])
    for (const [index, some] of unique.entries())
      create = create.addUniqueConstraint(`${table}_${index}`, [...some] as never[])
    for (const [column, { type, isNullable }] of Object.entries(columns)) {
      create = create.addColumn(column, type, (made) => (isNullable ? made : made.notNull()))
    }
    // Else two keys that differ in case are one.
    await (isMysql ? create.modifyEnd(sql`character set utf8mb4 collate utf8mb4_bin`) : create).execute()
  }
  for (const statement of [...inboxTableSql(dialect), ...outboxTablesSql(dialect)]) await sql.raw(statement).execute(db)
}
