import { MysqlAdapter, sql, type Migration } from 'kysely'
import { createInboxTable, createOutboxTables, createPositionsTable, type AnyKysely } from 'tidemark/sql'

/** What a column may hold, in the words of every database. */
const types = {
  name: 'varchar(64)',
  title: 'varchar(190)',
  text: 'text',
  /** A number as JavaScript writes it: of a double, MariaDB tells 92.2779806 where 92.27798059999999 is stored, so a replay would be a conflict. */
  exact: 'varchar(32)',
  small: 'integer',
  whole: 'bigint',
} as const

/** With `?` it may be NULL. */
type Column = keyof typeof types | `${keyof typeof types}?`
type ValueOf<Of> = Of extends `${infer Some}?` ? ValueOf<Some> | null : Of extends 'small' | 'whole' ? number : string

interface Table<Columns = Readonly<Record<string, Column>>> {
  readonly key: readonly string[]
  readonly columns: Columns
  readonly unique: readonly (readonly string[])[]
}

function table<const Columns extends Readonly<Record<string, Column>>>(
  key: readonly (keyof Columns & string)[],
  columns: Columns,
  ...unique: readonly (readonly (keyof Columns & string)[])[]
): Table<Columns> {
  return { key, columns, unique }
}

const item = { strategy_id: 'whole', item_id: 'small', series: 'name' } as const
const about = { bk_biz_id: 'whole', strategy_id: 'whole', target: 'title', severity: 'small' } as const

/**
 * One schema for SQLite, MySQL, MariaDB and PostgreSQL, said once: the types below come of it, and the tables. Text that is a
 * key has a length, times are Unix seconds of the *data* (no wall clock, so two runs over the same input leave the same rows),
 * and flags that go into a unique index are NULL or 1.
 */
const schema = {
  /** access: how far each source was acknowledged. */
  source_checkpoint: table(['source'], { source: 'title', next_row: 'whole' }),
  /** detect: the accepted points. */
  metric_point: table(['series', 'ts'], { series: 'name', ts: 'whole', value: 'exact' }),
  /** detect: the points that a level found anomalous. */
  check_result: table(['strategy_id', 'item_id', 'series', 'ts', 'severity'], {
    ...item,
    ...{ severity: 'small', ts: 'whole', value: 'exact', triggered: 'small' },
  }),
  /** detect: what each rule last said about each series. */
  rule_state: table(['strategy_id', 'item_id', 'series'], {
    ...item,
    ...{ firing_severity: 'small?', last_trigger_ts: 'whole?', newest_ts: 'whole?' },
  }),
  /** detect: the series that should have points, and how far that was looked at (`detect/silence.ts`). */
  expected_series: table(['strategy_id', 'item_id', 'series'], {
    ...item,
    ...{ part: 'small', dimensions: 'text', looked_at: 'whole', missing: 'small', fired: 'whole?' },
  }),
  /** detect: what was decided at each record, until Kafka has its offset. */
  decided_event: table(['part', 'raw_offset', 'seq'], {
    ...{ part: 'small', raw_offset: 'whole', seq: 'small', event: 'text' },
  }),
  /** alert: every event ever taken, and what it did. */
  event_inbox: table(['consumer', 'event_id'], {
    ...{ consumer: 'name', event_id: 'title', outcome: 'name', alert_id: 'name?' },
  }),
  /** alert: a key's row is its lock. */
  alert_series: table(['alert_key'], {
    ...{ alert_key: 'name', generation: 'small', current_alert_id: 'name?', last_end_time: 'whole?' },
  }),
  /** alert: NULLs are distinct in a unique index, so the database itself allows one open alert a key. */
  alert: table(
    ['alert_id'],
    {
      ...{ alert_id: 'name', alert_key: 'name', open_marker: 'small?', generation: 'small' },
      ...about,
      ...{ alert_name: 'title', status: 'name', dimensions: 'text', extra: 'text' },
      ...{ begin_time: 'whole', latest_time: 'whole', first_anomaly_time: 'whole', end_time: 'whole?' },
      ...{ event_count: 'small', version: 'small', is_ack: 'small', is_shielded: 'small' },
    },
    ['alert_key', 'open_marker'],
    ['alert_key', 'generation'],
  ),
  /** alert: append-only history; versions of an alert are 1..n without holes. */
  alert_log: table(['alert_id', 'version'], {
    ...{ alert_id: 'name', version: 'small', op_type: 'name', event_id: 'title?', at: 'whole' },
    ...{ severity: 'small', status: 'name', detail: 'text' },
  }),
  /** converge: what was folded into one, in a window of time; at most one is open in a dimension. */
  converge_instance: table(
    ['converge_id'],
    {
      ...{ converge_id: 'name', dimension: 'name', rule: 'name', open_marker: 'small?', part: 'small' },
      ...{ starts: 'whole', ends: 'whole', executed: 'small', skipped: 'small', late: 'small', root_cause: 'name?' },
    },
    ['dimension', 'open_marker'],
  ),
  /** converge: what became of each signal of an alert. */
  converge_relation: table(['alert_id', 'signal_version'], {
    ...{ alert_id: 'name', signal_version: 'small', converge_id: 'name', signal_name: 'name', outcome: 'name' },
    ...about,
    ...{ at: 'whole', begin_time: 'whole' },
  }),
  /** notice: what became of each, `sent` or `quiet`. */
  notice: table(['notice_id'], {
    ...{ notice_id: 'name', receiver: 'title', channel: 'name' },
    ...{ outcome: 'name', attempts: 'small', sent_at_ms: 'whole' },
  }),
}

type Row<Columns> = { -readonly [Name in keyof Columns]: ValueOf<Columns[Name]> }
export type Schema = { [Name in keyof typeof schema]: Row<(typeof schema)[Name]['columns']> }
export type AlertRow = Schema['alert']

export const tables = Object.keys(schema) as (keyof Schema)[]

/** Never change one that was released; add the next, with the columns it brings. */
export const migrations: Record<string, Migration> = {
  // In one transaction, where the database has that for tables: all of them or none.
  '0005-exact-values': { up: (db) => (db.isTransaction ? createTables(db) : db.transaction().execute(createTables)) },
  '0006-indexes': {
    up: async (db) => {
      for (const [of, ...columns] of [
        ['converge_instance', 'open_marker', 'part', 'ends'],
        ['converge_relation', 'converge_id', 'at'],
        ['converge_relation', 'signal_name', 'bk_biz_id', 'target'],
        ['notice', 'receiver', 'sent_at_ms'],
      ] as const)
        await db.schema.createIndex(`${of}_${columns[0]}`).on(of).columns(columns).execute()
    },
  },
  '0007-positions': { up: (db) => createPositionsTable(db) },
}

async function createTables(db: AnyKysely): Promise<void> {
  const isMysql = db.getExecutor().adapter instanceof MysqlAdapter
  for (const [name, { key, unique, columns }] of Object.entries<Table>(schema)) {
    let create = db.schema.createTable(name).addPrimaryKeyConstraint(`${name}_pk`, [...key] as never[])
    for (const [index, some] of unique.entries())
      create = create.addUniqueConstraint(`${name}_${index}`, [...some] as never[])
    for (const [column, kind] of Object.entries(columns)) {
      const said = types[kind.replace('?', '') as keyof typeof types]
      // There `text` ends at 64 KiB, which a long window fills with what it names.
      const type = isMysql && said === 'text' ? sql`mediumtext` : said
      create = create.addColumn(column, type, (made) => (kind.endsWith('?') ? made : made.notNull()))
    }
    // Else two keys that differ in case are one.
    await (isMysql ? create.modifyEnd(sql`character set utf8mb4 collate utf8mb4_bin`) : create).execute()
  }
  await createInboxTable(db)
  await createOutboxTables(db)
}
