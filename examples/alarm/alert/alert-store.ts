import { alertId } from '../ids.js'
import type { AlertRow } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'

/** The key's row and its open alert. The row stands for the key's lock: whoever changes an alert reads it first. */
export interface KeyRow {
  readonly generation: number
  readonly lastEndTime: number | null
  readonly open: AlertRow | null
}

/** SQLite's `begin immediate` has locked the whole file already; on MySQL add `.forUpdate()` to the first query. */
export async function readKey(tx: Tx, key: string): Promise<KeyRow> {
  const series = await tx.selectFrom('alert_series').selectAll().where('alert_key', '=', key).executeTakeFirst()
  if (!series) {
    await tx
      .insertInto('alert_series')
      .values({ alert_key: key, generation: 0, current_alert_id: null, last_end_time: null })
      .execute()
    return { generation: 0, lastEndTime: null, open: null }
  }
  const { generation, last_end_time: lastEndTime, current_alert_id: currentId } = series
  if (currentId === null) return { generation, lastEndTime, open: null }
  const open = await tx.selectFrom('alert').selectAll().where('alert_id', '=', currentId).executeTakeFirstOrThrow()
  return { generation, lastEndTime, open }
}

/** Starts the key's next generation; the unique index refuses a second open alert. Returns its id. */
export async function openAlert(tx: Tx, key: KeyRow, event: AlertEvent): Promise<string> {
  const generation = key.generation + 1
  const id = alertId(event.alert_key, generation)
  await tx
    .insertInto('alert')
    .values({
      alert_id: id,
      alert_key: event.alert_key,
      open_marker: 1,
      generation,
      bk_biz_id: event.bk_biz_id,
      strategy_id: event.strategy_id,
      alert_name: event.alert_name,
      severity: event.severity,
      status: 'ABNORMAL',
      begin_time: event.time,
      latest_time: event.time,
      first_anomaly_time: event.anomaly_time,
      end_time: null,
      event_count: 1,
      version: 1,
      dimensions: JSON.stringify(event.tags),
      extra: JSON.stringify(event.extra_info),
    })
    .execute()
  await tx
    .updateTable('alert_series')
    .set({ generation, current_alert_id: id })
    .where('alert_key', '=', event.alert_key)
    .execute()
  await writeLog(tx, id, 1, event, { opType: 'CREATE', eventId: event.event_id, status: 'ABNORMAL', detail: '' })
  return id
}

/** Latest moves only forward, begin only backward: a late event widens the alert, it never moves it. */
export async function mergeEvent(tx: Tx, open: AlertRow, event: AlertEvent): Promise<void> {
  const newest = event.time >= open.latest_time
  const version = open.version + 1
  await tx
    .updateTable('alert')
    .set({
      begin_time: Math.min(open.begin_time, event.time),
      latest_time: Math.max(open.latest_time, event.time),
      first_anomaly_time: Math.min(open.first_anomaly_time, event.anomaly_time),
      event_count: open.event_count + 1,
      extra: newest ? JSON.stringify(event.extra_info) : open.extra,
      version,
    })
    .where('alert_id', '=', open.alert_id)
    .execute()
  const entry = { opType: 'CONVERGE', eventId: event.event_id, status: 'ABNORMAL', detail: '' }
  await writeLog(tx, open.alert_id, version, event, entry)
}

export async function dropEvent(tx: Tx, open: AlertRow, event: AlertEvent, reason: string): Promise<void> {
  const version = open.version + 1
  await tx.updateTable('alert').set({ version }).where('alert_id', '=', open.alert_id).execute()
  const entry = { opType: 'EVENT_DROP', eventId: event.event_id, status: 'ABNORMAL', detail: reason }
  await writeLog(tx, open.alert_id, version, event, entry)
}

export interface Ending {
  readonly status: 'RECOVERED' | 'CLOSED'
  readonly detail: string
  /** `null` when the event's own entry stands in another alert's log. */
  readonly eventId: string | null
}

export async function endAlert(tx: Tx, open: AlertRow, event: AlertEvent, ending: Ending): Promise<void> {
  const version = open.version + 1
  await tx
    .updateTable('alert')
    .set({ status: ending.status, open_marker: null, end_time: event.time, version })
    .where('alert_id', '=', open.alert_id)
    .execute()
  await tx
    .updateTable('alert_series')
    .set({ current_alert_id: null, last_end_time: event.time })
    .where('alert_key', '=', open.alert_key)
    .execute()
  const opType = ending.status === 'RECOVERED' ? 'RECOVER' : 'CLOSE'
  await writeLog(tx, open.alert_id, version, event, { opType, ...ending })
}

interface LogEntry {
  readonly opType: string
  readonly eventId: string | null
  readonly status: string
  readonly detail: string
}

async function writeLog(tx: Tx, id: string, version: number, event: AlertEvent, entry: LogEntry): Promise<void> {
  await tx
    .insertInto('alert_log')
    .values({
      alert_id: id,
      version,
      op_type: entry.opType,
      event_id: entry.eventId,
      at: event.time,
      severity: event.severity,
      status: entry.status,
      detail: entry.detail,
    })
    .execute()
}
