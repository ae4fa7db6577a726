import type { Updateable } from 'kysely'
import { alertId } from '../ids.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import { AlertStatus, type AlertEvent } from '../topics.js'

/** Puts what became of an alert into the outbox of the transaction. */
export type Tell = (tx: Tx, status: AlertStatus) => Promise<unknown>

/** One line of an alert's history. */
interface Entry {
  readonly op: string
  readonly signal: AlertStatus['signal']
  readonly at: number
  readonly eventId?: string
  readonly detail?: string
}

/** Starts the key's next generation; the unique index refuses a second open alert. Returns its id. */
export async function openAlert(tx: Tx, tell: Tell, generation: number, event: AlertEvent): Promise<string> {
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
  await record(tx, tell, row, { op: 'CREATE', signal: 'abnormal', at: time, eventId: event.event_id })
  return id
}

/** Latest moves only forward, begin only backward: a late event widens the alert, it never moves it. */
export function widened(open: AlertRow, event: AlertEvent): Updateable<Schema['alert']> {
  return {
    begin_time: Math.min(open.begin_time, event.time),
    latest_time: Math.max(open.latest_time, event.time),
    first_anomaly_time: Math.min(open.first_anomaly_time, event.anomaly_time),
    event_count: open.event_count + 1,
    extra: event.time >= open.latest_time ? JSON.stringify(event.extra_info) : open.extra,
  }
}

export async function endAlert(
  tx: Tx,
  tell: Tell,
  open: AlertRow,
  status: 'RECOVERED' | 'CLOSED',
  entry: Omit<Entry, 'op'>,
): Promise<void> {
  const series = { current_alert_id: null, last_end_time: entry.at }
  await tx.updateTable('alert_series').set(series).where('alert_key', '=', open.alert_key).execute()
  const op = status === 'RECOVERED' ? 'RECOVER' : 'CLOSE'
  await change(tx, tell, open, { status, open_marker: null, end_time: entry.at }, { ...entry, op })
}

/** Changes an alert: its next version, with its line in the log and its word to all who listen. */
export async function change(
  tx: Tx,
  tell: Tell,
  row: AlertRow,
  changed: Updateable<Schema['alert']>,
  entry: Entry,
): Promise<void> {
  const next = { ...changed, version: row.version + 1 }
  await tx.updateTable('alert').set(next).where('alert_id', '=', row.alert_id).execute()
  await record(tx, tell, { ...row, ...next } as AlertRow, entry)
}

async function record(
  tx: Tx,
  tell: Tell,
  row: AlertRow,
  { op, signal, at, eventId, detail = '' }: Entry,
): Promise<void> {
  const { alert_id, version, severity, status } = row
  const line = { alert_id, version, op_type: op, event_id: eventId ?? null, at, severity, status, detail }
  await tx.insertInto('alert_log').values(line).execute()
  const flags = { ack: row.is_ack === 1, shield: row.is_shielded === 1 }
  await tell(tx, AlertStatus.parse({ ...row, ...flags, signal, at, tags: JSON.parse(row.dimensions) }))
}
