import { insertAll, is } from '../store/queries.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { Alerts, type Key, type Tell } from './alert-rows.js'
import { nextStep, type Step } from './lifecycle.js'

const consumer = 'alert'

/** What became of an event; `repeated` = it was taken before and changed nothing now. */
export type EventFate = Step['do'] | 'repeated'

/**
 * Applies events inside the batch's transaction. The inbox remembers every event for as long as the topic can send it again,
 * so one that comes a second time changes nothing. One that became a dead letter may come back, mended or not.
 */
export async function applyEvents(tx: Tx, tell: Tell, events: readonly AlertEvent[]): Promise<EventFate[]> {
  const ids = [...new Set(events.map((event) => event.event_id))]
  const taken = tx.selectFrom('event_inbox').select(['event_id', 'outcome']).where('consumer', '=', consumer)
  const inbox = await taken.where('event_id', 'in', ids).execute()
  const known = new Set(inbox.filter(({ outcome }) => outcome !== 'dead-letter').map((row) => row.event_id))
  const fresh = events.filter((event) => !known.has(event.event_id))
  const alerts = await Alerts.lock(tx, [...new Set(fresh.map((event) => event.alert_key))])
  const noted: Schema['event_inbox'][] = []
  const fates: EventFate[] = []
  for (const event of events) {
    if (known.has(event.event_id)) {
      fates.push('repeated')
      continue
    }
    const key = alerts.of(event.alert_key)
    const step = nextStep(key, event)
    const outcome = step.do === 'ignore' ? step.reason : step.do
    noted.push({ consumer, event_id: event.event_id, outcome, alert_id: perform(alerts, step, key, event) })
    fates.push(step.do)
    known.add(event.event_id)
  }
  await alerts.write(tx, tell)
  const buried = inbox.flatMap(({ event_id, outcome }) => (outcome === 'dead-letter' ? [event_id] : []))
  await note(tx, noted, buried)
  return fates
}

/** Returns the alert that shows the event, if any does. */
function perform(alerts: Alerts, step: Step, key: Key, event: AlertEvent): string | null {
  if (step.do === 'ignore') return null
  if (step.do === 'open') return alerts.open(key, event).alert_id
  const { open } = key
  if (!open) throw new Error(`${step.do} needs an open alert`)
  const entry = { at: event.time, eventId: event.event_id }
  switch (step.do) {
    case 'merge':
      alerts.change(open, widened(open, event), { ...entry, op: 'CONVERGE', signal: 'none' })
      break
    case 'drop':
      alerts.change(open, {}, { ...entry, op: 'EVENT_DROP', signal: 'none', detail: step.reason })
      break
    case 'end': {
      const signal = step.status === 'RECOVERED' ? 'recovered' : 'closed'
      alerts.end(key, open, { ...entry, signal, detail: event.description })
      break
    }
    case 'escalate':
      // The event's own line stands in the log of the alert that takes its place.
      alerts.end(key, open, { at: event.time, signal: 'superseded', detail: 'a more severe alert exists' })
      return alerts.open(key, event).alert_id
  }
  return open.alert_id
}

/** Latest moves only forward, begin only backward: a late event widens the alert, it never moves it. */
function widened(open: AlertRow, event: AlertEvent): Partial<AlertRow> {
  return {
    begin_time: Math.min(open.begin_time, event.time),
    latest_time: Math.max(open.latest_time, event.time),
    first_anomaly_time: Math.min(open.first_anomaly_time, event.anomaly_time),
    event_count: open.event_count + 1,
    extra: event.time >= open.latest_time ? JSON.stringify(event.extra_info) : open.extra,
  }
}

/** Says in the inbox what became of events. @param buried those that it has as dead letters */
export async function note(
  tx: Tx,
  noted: readonly Schema['event_inbox'][],
  buried: readonly string[] = noted.map(({ event_id }) => event_id),
): Promise<void> {
  const before = tx.deleteFrom('event_inbox').where(is({ consumer, outcome: 'dead-letter' }))
  if (buried.length > 0) await before.where('event_id', 'in', buried).execute()
  await insertAll(tx, 'event_inbox', noted)
}
