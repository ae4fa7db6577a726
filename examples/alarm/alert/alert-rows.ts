import type { Insertable, Updateable } from 'kysely'
import { alertId } from '../ids.js'
import { insertAll, is, locked } from '../store/queries.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import { AlertStatus, type AlertEvent } from '../topics.js'

/** Puts what became of alerts into the outbox of the transaction. */
export type Tell = (tx: Tx, statuses: readonly AlertStatus[]) => Promise<unknown>

/** What alerts are about, with the one of them that is open. */
export type Key = Schema['alert_series'] & { open: AlertRow | null }

/** One line of an alert's history. */
interface Entry {
  readonly op: string
  readonly signal: AlertStatus['signal']
  readonly at: number
  readonly eventId?: string
  readonly detail?: string
}

/** The alerts of some keys in a transaction: read under the locks of their keys, changed here, and written at once. */
export class Alerts {
  readonly #keys: ReadonlyMap<string, Key>
  /** Of which an alert began or ended. */
  readonly #moved = new Set<Key>()
  readonly #changed = new Set<AlertRow>()
  readonly #begun = new Set<AlertRow>()
  readonly #lines: Insertable<Schema['alert_log']>[] = []
  readonly #statuses: AlertStatus[] = []

  private constructor(keys: readonly Key[]) {
    this.#keys = new Map(keys.map((key) => [key.alert_key, key]))
  }

  /** A key's row is its lock. They are taken in the order of keys, so that two who change several do not lock each other out. */
  static async lock(tx: Tx, names: readonly string[]): Promise<Alerts> {
    if (names.length === 0) return new Alerts([])
    const rows = tx.selectFrom('alert_series').where('alert_key', 'in', names)
    // Not locked before they are there: MySQL would lock the gaps in which others begin theirs.
    const found = new Set((await rows.select('alert_key').execute()).map((key) => key.alert_key))
    const fresh = names.flatMap((alert_key) =>
      found.has(alert_key) ? [] : [{ alert_key, generation: 0, current_alert_id: null, last_end_time: null }],
    )
    await insertAll(tx, 'alert_series', fresh)
    const keys = await locked(tx, rows.selectAll().orderBy('alert_key')).execute()
    const current = keys.flatMap(({ current_alert_id }) => current_alert_id ?? [])
    const open = new Map((await readAlerts(tx, current)).map((row) => [row.alert_key, row]))
    return new Alerts(keys.map((key) => ({ ...key, open: open.get(key.alert_key) ?? null })))
  }

  of(name: string): Key {
    const key = this.#keys.get(name)
    if (!key) throw new Error('a key was not locked')
    return key
  }

  /** Starts the key's next generation; the unique index refuses a second open alert. */
  open(key: Key, event: AlertEvent): AlertRow {
    const { alert_key, bk_biz_id, strategy_id, alert_name, target, severity, time } = event
    const generation = key.generation + 1
    const open: AlertRow = {
      ...{ alert_id: alertId(alert_key, generation), alert_key, open_marker: 1, generation },
      ...{ bk_biz_id, strategy_id, alert_name, target, severity, status: 'ABNORMAL' },
      ...{ begin_time: time, latest_time: time, end_time: null, first_anomaly_time: event.anomaly_time },
      ...{ event_count: 1, version: 0, is_ack: 0, is_shielded: 0 },
      ...{ dimensions: JSON.stringify(event.tags), extra: JSON.stringify(event.extra_info) },
    }
    this.#moved.add(Object.assign(key, { generation, current_alert_id: open.alert_id, open }))
    this.#begun.add(open)
    this.change(open, {}, { op: 'CREATE', signal: 'abnormal', at: time, eventId: event.event_id })
    return open
  }

  end(key: Key, open: AlertRow, entry: Omit<Entry, 'op'>): void {
    const [status, op] =
      entry.signal === 'recovered' ? (['RECOVERED', 'RECOVER'] as const) : (['CLOSED', 'CLOSE'] as const)
    this.change(open, { status, open_marker: null, end_time: entry.at }, { ...entry, op })
    this.#moved.add(Object.assign(key, { current_alert_id: null, last_end_time: entry.at, open: null }))
  }

  /** The alert's next version, with its line in the log and its word to all who listen. */
  change(row: AlertRow, changed: Updateable<AlertRow>, { op, signal, at, eventId, detail = '' }: Entry): void {
    this.#changed.add(Object.assign(row, changed, { version: row.version + 1 }))
    const { alert_id, version, severity, status } = row
    this.#lines.push({ alert_id, version, op_type: op, event_id: eventId ?? null, at, severity, status, detail })
    const flags = { ack: row.is_ack === 1, shield: row.is_shielded === 1 }
    this.#statuses.push(AlertStatus.parse({ ...row, ...flags, signal, at, tags: JSON.parse(row.dimensions) }))
  }

  async write(tx: Tx, tell: Tell): Promise<void> {
    if (this.#changed.size === 0) return
    const there = [...this.#changed].flatMap((row) => (this.#begun.has(row) ? [] : [row.alert_id]))
    // Delete and insert: the one upsert that SQLite, MySQL and PostgreSQL all understand. What is not there MySQL locks too.
    if (there.length > 0) await tx.deleteFrom('alert').where('alert_id', 'in', there).execute()
    await insertAll(tx, 'alert', [...this.#changed])
    for (const { alert_key, open: _, ...series } of this.#moved)
      // Never deleted: who waits for its lock would find no row, and take the key for a new one.
      await tx.updateTable('alert_series').set(series).where(is({ alert_key })).execute()
    await insertAll(tx, 'alert_log', this.#lines)
    await tell(tx, this.#statuses)
  }
}

/** As they are now: without the lock MySQL would show them as they were when the transaction first read anything. */
export async function readAlerts(tx: Tx, ids: readonly string[]): Promise<AlertRow[]> {
  return ids.length === 0 ? [] : locked(tx, tx.selectFrom('alert').selectAll().where('alert_id', 'in', ids)).execute()
}
