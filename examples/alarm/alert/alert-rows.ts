import type { Updateable } from 'kysely'
import { alertId } from '../ids.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent, AlertStatus } from '../topics.js'

/** Puts what became of an alert into the outbox of the transaction. */
export type Tell = (tx: Tx, status: AlertStatus) => Promise<unknown>

/** One line of an alert's history. */
interface Entry {
  readonly op: string
  readonly signal: AlertStatus['signal']
  readonly at: number
  readonly eventId?: string | null
  readonly detail?: string
}

/** Starts the key's next generation; the unique index refuses a second open alert. Returns its id. */
export async function openAlert(tx: Tx, tell: Tell, generation: number, event: AlertEvent): Promise<string> {
  const { alert_key, bk_biz_id, strategy_id, alert_name, target, severity, time } = event
  const id = alertId(alert_key, generation)
  const row: AlertRow = {
    ...{ alert_id: id, alert_key, open_marker: 1, generation, bk_biz_id, strategy_id, alert_name, target, severity },
    ...{
      status: 'ABNORMAL',
      begin_time: time,
      latest_time: time,
      first_anomaly_time: event.anomaly_time,
      end_time: null,
    },
    ...{ event_count: 1, version: 1, is_ack: 0, is_shielded: 0 },
    ...{ dimensions: JSON.stringify(event.tags), extra: JSON.stringify(event.extra_info) },
  }
  await tx.insertInto('alert').values(row).execute()
  const series = { generation, current_alert_id: id }
  await tx.updateTable('alert_series').set(series).where('alert_key', '=', alert_key).execute()
  await record(tx, tell, row, { op: 'CREATE', signal: 'abnormal', at: time, eventId: event.event_id })
  return id
}

/** Latest moves only forward, begin only backward: a late event widens the alert, it never moves it. */
export async function mergeEvent(tx: Tx, tell: Tell, open: AlertRow, event: AlertEvent): Promise<void> {
  const widened = {
    begin_time: Math.min(open.begin_time, event.time),
    latest_time: Math.max(open.latest_time, event.time),
    first_anomaly_time: Math.min(open.first_anomaly_time, event.anomaly_time),
    event_count: open.event_count + 1,
    extra: event.time >= open.latest_time ? JSON.stringify(event.extra_info) : open.extra,
  }
  await change(tx, tell, open, widened, { op: 'CONVERGE', signal: 'none', at: event.time, eventId: event.event_id })
}

export async function noteDropped(tx: Tx, tell: Tell, open: AlertRow, event: AlertEvent, why: string): Promise<void> {
  const entry = { op: 'EVENT_DROP', signal: 'none', at: event.time, eventId: event.event_id, detail: why } as const
  await change(tx, tell, open, {}, entry)
}

export interface Ending {
  readonly status: 'RECOVERED' | 'CLOSED'
  readonly detail: string
  /** `superseded`: the event's own entry stands in the log of the alert that takes its place. */
  readonly signal: 'ended' | 'superseded'
}

export async function endAlert(tx: Tx, tell: Tell, open: AlertRow, event: AlertEvent, end: Ending): Promise<void> {
  const { status, detail } = end
  const series = { current_alert_id: null, last_end_time: event.time }
  await tx.updateTable('alert_series').set(series).where('alert_key', '=', open.alert_key).execute()
  const op = status === 'RECOVERED' ? 'RECOVER' : 'CLOSE'
  const signal = end.signal === 'superseded' ? end.signal : status === 'RECOVERED' ? 'recovered' : 'closed'
  const eventId = signal === 'superseded' ? null : event.event_id
  const ended = { status, open_marker: null, end_time: event.time }
  await change(tx, tell, open, ended, { op, signal, at: event.time, eventId, detail })
}

/** Changes an alert: its next version, with its line in the log and its word to all who listen. */
export async function change(
  tx: Tx,
  tell: Tell,
  row: AlertRow,
  changed: Updateable<Schema['alert']>,
  entry: Entry,
): Promise<void> {
  const version = row.version + 1
  await tx
    .updateTable('alert')
    .set({ ...changed, version })
    .where('alert_id', '=', row.alert_id)
    .execute()
  await record(tx, tell, { ...row, ...changed, version } as AlertRow, entry)
}

async function record(tx: Tx, tell: Tell, row: AlertRow, { op, signal, at, ...entry }: Entry): Promise<void> {
  const { alert_id, version, severity, status } = row
  const { eventId: event_id = null, detail = '' } = entry
  await tx
    .insertInto('alert_log')
    .values({ alert_id, version, op_type: op, event_id, at, severity, status, detail })
    .execute()
  await tell(tx, toStatus(row, signal, at))
}

function toStatus(row: AlertRow, signal: AlertStatus['signal'], at: number): AlertStatus {
  const {
    alert_id,
    alert_key,
    version,
    alert_name,
    strategy_id,
    bk_biz_id,
    target,
    begin_time,
    latest_time,
    end_time,
  } = row
  return {
    ...{ alert_id, alert_key, version, signal, at },
    ...{ status: row.status as AlertStatus['status'], severity: row.severity as AlertStatus['severity'] },
    ...{ ack: row.is_ack === 1, shield: row.is_shielded === 1, alert_name, strategy_id, bk_biz_id, target },
    ...{
      tags: JSON.parse(row.dimensions) as AlertStatus['tags'],
      begin_time,
      latest_time,
      end_time,
      event_count: row.event_count,
    },
  }
}
