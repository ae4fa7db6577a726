import type { Insertable, Updateable } from 'kysely'
import { alertId } from '../ids.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import { AlertStatus, type AlertEvent } from '../topics.js'

/** Puts what became of alerts into the outbox of the transaction. */
export type Tell = (tx: Tx, statuses: readonly AlertStatus[]) => Promise<unknown>

/** What became of alerts in a transaction, in order: lines of their log, and what is told. */
export interface Changes {
  readonly lines: Insertable<Schema['alert_log']>[]
  readonly statuses: AlertStatus[]
}

export async function writeChanges(tx: Tx, tell: Tell, { lines, statuses }: Changes): Promise<void> {
  if (lines.length > 0) await tx.insertInto('alert_log').values(lines).execute()
  await tell(tx, statuses)
}

type Change = Updateable<Schema['alert']>

/** One line of an alert's history. */
interface Entry {
  readonly op: string
  readonly signal: AlertStatus['signal']
  readonly at: number
  readonly eventId?: string
  readonly detail?: string
}

/** Starts the key's next generation; the unique index refuses a second open alert. Returns its id. */
export async function openAlert(tx: Tx, changes: Changes, generation: number, event: AlertEvent): Promise<string> {
  const { alert_key, bk_biz_id, strategy_id, alert_name, target, severity, time } = event
  const id = alertId(alert_key, generation)
  const row: AlertRow = {
    ...{ alert_id: id, alert_key, open_marker: 1, generation, bk_biz_id, strategy_id, alert_name, target, severity },
    ...{ status: 'ABNORMAL', begin_time: time, latest_time: time, end_time: null },
    ...{ first_anomaly_time: event.anomaly_time, event_count: 1, version: 1, is_ack: 0, is_shielded: 0 },
    ...{ dimensions: JSON.stringify(event.tags), extra: JSON.stringify(event.extra_info) },
  }
  await tx.insertInto('alert').values(row).execute()
  const series = { generation, current_alert_id: id }
  await tx.updateTable('alert_series').set(series).where('alert_key', '=', alert_key).execute()
  record(changes, row, { op: 'CREATE', signal: 'abnormal', at: time, eventId: event.event_id })
  return id
}

/** Latest moves only forward, begin only backward: a late event widens the alert, it never moves it. */
export function widened(open: AlertRow, event: AlertEvent): Change {
  return {
    begin_time: Math.min(open.begin_time, event.time),
    latest_time: Math.max(open.latest_time, event.time),
    first_anomaly_time: Math.min(open.first_anomaly_time, event.anomaly_time),
    event_count: open.event_count + 1,
    extra: event.time >= open.latest_time ? JSON.stringify(event.extra_info) : open.extra,
  }
}

export async function endAlert(tx: Tx, changes: Changes, open: AlertRow, entry: Omit<Entry, 'op'>): Promise<void> {
  const series = { current_alert_id: null, last_end_time: entry.at }
  await tx.updateTable('alert_series').set(series).where('alert_key', '=', open.alert_key).execute()
  const [status, op] = entry.signal === 'recovered' ? ['RECOVERED' as const, 'RECOVER'] : ['CLOSED' as const, 'CLOSE']
  await change(tx, changes, open, { status, open_marker: null, end_time: entry.at }, { ...entry, op })
}

/** Changes an alert: its next version, with its line in the log and its word to all who listen. */
export async function change(tx: Tx, changes: Changes, row: AlertRow, changed: Change, entry: Entry): Promise<void> {
  const next = { ...changed, version: row.version + 1 }
  await tx.updateTable('alert').set(next).where('alert_id', '=', row.alert_id).execute()
  record(changes, { ...row, ...next } as AlertRow, entry)
}

function record(changes: Changes, row: AlertRow, { op, signal, at, eventId, detail = '' }: Entry): void {
  const { alert_id, version, severity, status } = row
  changes.lines.push({ alert_id, version, op_type: op, event_id: eventId ?? null, at, severity, status, detail })
  const flags = { ack: row.is_ack === 1, shield: row.is_shielded === 1 }
  changes.statuses.push(AlertStatus.parse({ ...row, ...flags, signal, at, tags: JSON.parse(row.dimensions) }))
}
