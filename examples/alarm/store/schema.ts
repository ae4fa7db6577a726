import { sql, type Generated, type Insertable, type Kysely, type Migration, type Selectable } from 'kysely'

/**
 * One schema for SQLite and MySQL: text keys have a length, times are Unix seconds of the *data* (no wall clock, so two
 * runs over the same input leave the same rows), flags that go into a unique index are NULL or 1.
 */
export interface Schema {
  /** access: how far each source was acknowledged. */
  source_checkpoint: { source: string; next_row: number }
  /** detect: the accepted points. */
  metric_point: { series: string; ts: number; value: number }
  /** detect: the points that a level found anomalous. */
  check_result: {
    strategy_id: number
    item_id: number
    series: string
    severity: number
    ts: number
    value: number
    triggered: number
  }
  /** detect: what each rule last said about each series. */
  rule_state: {
    strategy_id: number
    item_id: number
    series: string
    firing_severity: number | null
    last_trigger_ts: number | null
    newest_ts: number | null
  }
  /** alert: every event ever taken, and what it did. */
  event_inbox: { consumer: string; event_id: string; outcome: string; alert_id: string | null }
  alert_series: {
    alert_key: string
    generation: number
    current_alert_id: string | null
    last_end_time: number | null
  }
  alert: {
    alert_id: string
    alert_key: string
    /** 1 while open, NULL after: NULLs are distinct in a unique index, so the database allows one open alert a key. */
    open_marker: number | null
    generation: number
    bk_biz_id: number
    strategy_id: number
    alert_name: string
    severity: number
    status: string
    begin_time: number
    latest_time: number
    first_anomaly_time: number
    end_time: number | null
    event_count: number
    version: number
    is_ack: Generated<number>
    is_shielded: Generated<number>
    is_blocked: Generated<number>
    dimensions: string
    extra: string
  }
  /** alert: append-only history; versions of an alert are 1..n without holes. */
  alert_log: {
    alert_id: string
    version: number
    op_type: string
    event_id: string | null
    at: number
    severity: number
    status: string
    detail: string
  }
  /** detect: the series that should have points, and how far that was looked at (`detect/silence.ts`). */
  expected_series: {
    strategy_id: number
    item_id: number
    series: string
    part: number
    dimensions: string
    looked_at: number
    missing: number
    fired: number | null
  }
  /** detect: what was decided at each record, until Kafka has its offset. */
  decided_event: { part: number; raw_offset: number; seq: number; event: string }
  /** detect, alert: what the database has of each partition, and who may write it. */
  consumer_offset: {
    grp: string
    topic: string
    part: number
    next_offset: number
    epoch: number
    /** detect: what was decided before it is out. */
    send_from: Generated<number>
  }
}

export type AlertRow = Selectable<Schema['alert']>
export type NewAlert = Insertable<Schema['alert']>

/** Never change one that was released; add the next. */
export const migrations: Record<string, Migration> = {
  '0001-pipeline': { up: createPipelineTables },
  '0002-detect-places': { up: createDetectPlaces },
}

async function createPipelineTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('source_checkpoint')
    .addColumn('source', 'varchar(190)', (column) => column.notNull().primaryKey())
    .addColumn('next_row', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('metric_point')
    .addColumn('series', 'varchar(32)', (column) => column.notNull())
    .addColumn('ts', 'bigint', (column) => column.notNull())
    .addColumn('value', 'double precision', (column) => column.notNull())
    .addPrimaryKeyConstraint('metric_point_pk', ['series', 'ts'])
    .execute()
  await db.schema
    .createTable('check_result')
    .addColumn('strategy_id', 'integer', (column) => column.notNull())
    .addColumn('item_id', 'integer', (column) => column.notNull())
    .addColumn('series', 'varchar(32)', (column) => column.notNull())
    .addColumn('severity', 'integer', (column) => column.notNull())
    .addColumn('ts', 'bigint', (column) => column.notNull())
    .addColumn('value', 'double precision', (column) => column.notNull())
    .addColumn('triggered', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('check_result_pk', ['strategy_id', 'item_id', 'series', 'severity', 'ts'])
    .execute()
  await db.schema
    .createTable('rule_state')
    .addColumn('strategy_id', 'integer', (column) => column.notNull())
    .addColumn('item_id', 'integer', (column) => column.notNull())
    .addColumn('series', 'varchar(32)', (column) => column.notNull())
    .addColumn('firing_severity', 'integer')
    .addColumn('last_trigger_ts', 'bigint')
    .addColumn('newest_ts', 'bigint')
    .addPrimaryKeyConstraint('rule_state_pk', ['strategy_id', 'item_id', 'series'])
    .execute()
  await createAlertTables(db)
  await db.schema
    .createTable('consumer_offset')
    .addColumn('grp', 'varchar(100)', (column) => column.notNull())
    .addColumn('topic', 'varchar(100)', (column) => column.notNull())
    .addColumn('part', 'integer', (column) => column.notNull())
    .addColumn('next_offset', 'bigint', (column) => column.notNull())
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('consumer_offset_pk', ['grp', 'topic', 'part'])
    .execute()
}

async function createDetectPlaces(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('expected_series')
    .addColumn('strategy_id', 'integer', (column) => column.notNull())
    .addColumn('item_id', 'integer', (column) => column.notNull())
    .addColumn('series', 'varchar(32)', (column) => column.notNull())
    .addColumn('part', 'integer', (column) => column.notNull())
    .addColumn('dimensions', 'text', (column) => column.notNull())
    .addColumn('looked_at', 'bigint', (column) => column.notNull())
    .addColumn('missing', 'integer', (column) => column.notNull())
    .addColumn('fired', 'bigint')
    .addPrimaryKeyConstraint('expected_series_pk', ['strategy_id', 'item_id', 'series'])
    .execute()
  await db.schema
    .createTable('decided_event')
    .addColumn('part', 'integer', (column) => column.notNull())
    .addColumn('raw_offset', 'bigint', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('decided_event_pk', ['part', 'raw_offset', 'seq'])
    .execute()
  await db.schema
    .alterTable('consumer_offset')
    .addColumn('send_from', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
}

async function createAlertTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('event_inbox')
    .addColumn('consumer', 'varchar(100)', (column) => column.notNull())
    .addColumn('event_id', 'varchar(64)', (column) => column.notNull())
    .addColumn('outcome', 'varchar(32)', (column) => column.notNull())
    .addColumn('alert_id', 'varchar(64)')
    .addPrimaryKeyConstraint('event_inbox_pk', ['consumer', 'event_id'])
    .execute()
  await db.schema
    .createTable('alert_series')
    .addColumn('alert_key', 'varchar(64)', (column) => column.notNull().primaryKey())
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('current_alert_id', 'varchar(64)')
    .addColumn('last_end_time', 'bigint')
    .execute()
  await db.schema
    .createTable('alert')
    .addColumn('alert_id', 'varchar(64)', (column) => column.notNull().primaryKey())
    .addColumn('alert_key', 'varchar(64)', (column) => column.notNull())
    .addColumn('open_marker', 'integer')
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('bk_biz_id', 'integer', (column) => column.notNull())
    .addColumn('strategy_id', 'integer', (column) => column.notNull())
    .addColumn('alert_name', 'varchar(190)', (column) => column.notNull())
    .addColumn('severity', 'integer', (column) => column.notNull())
    .addColumn('status', 'varchar(16)', (column) => column.notNull())
    .addColumn('begin_time', 'bigint', (column) => column.notNull())
    .addColumn('latest_time', 'bigint', (column) => column.notNull())
    .addColumn('first_anomaly_time', 'bigint', (column) => column.notNull())
    .addColumn('end_time', 'bigint')
    .addColumn('event_count', 'integer', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('is_ack', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('is_shielded', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('is_blocked', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('dimensions', 'text', (column) => column.notNull())
    .addColumn('extra', 'text', (column) => column.notNull())
    .addUniqueConstraint('alert_one_open', ['alert_key', 'open_marker'])
    .addUniqueConstraint('alert_generation', ['alert_key', 'generation'])
    .addCheckConstraint('alert_open_marker_is_null_or_1', sql`open_marker = 1`)
    .execute()
  await db.schema
    .createTable('alert_log')
    .addColumn('alert_id', 'varchar(64)', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('op_type', 'varchar(32)', (column) => column.notNull())
    .addColumn('event_id', 'varchar(64)')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('severity', 'integer', (column) => column.notNull())
    .addColumn('status', 'varchar(16)', (column) => column.notNull())
    .addColumn('detail', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('alert_log_pk', ['alert_id', 'version'])
    .execute()
}
