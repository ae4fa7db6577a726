import { is, locked } from '../store/queries.js'
import type { AlertRow, Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { change, endAlert, openAlert, widened, writeChanges, type Changes, type Tell } from './alert-rows.js'
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
  const changes: Changes = { lines: [], statuses: [] }
  const noted: Schema['event_inbox'][] = []
  const fates: EventFate[] = []
  for (const event of events) {
    if (known.has(event.event_id)) {
      fates.push('repeated')
      continue
    }
    const key = await readKey(tx, event.alert_key)
    const step = nextStep(key, event)
    const outcome = step.do === 'ignore' ? step.reason : step.do
    const alert_id = await perform(tx, changes, step, key, event)
    noted.push({ consumer, event_id: event.event_id, outcome, alert_id })
    fates.push(step.do)
    known.add(event.event_id)
  }
  await writeChanges(tx, tell, changes)
  await note(tx, noted)
  return fates
}

/** Returns the alert that shows the event, if any does. */
async function perform(tx: Tx, changes: Changes, step: Step, key: Key, event: AlertEvent): Promise<string | null> {
  const { generation, open } = key
  if (step.do === 'ignore') return null
  if (step.do === 'open') return openAlert(tx, changes, generation + 1, event)
  if (!open) throw new Error(`${step.do} needs an open alert`)
  const entry = { at: event.time, eventId: event.event_id }
  switch (step.do) {
    case 'merge':
      await change(tx, changes, open, widened(open, event), { ...entry, op: 'CONVERGE', signal: 'none' })
      break
    case 'drop':
      await change(tx, changes, open, {}, { ...entry, op: 'EVENT_DROP', signal: 'none', detail: step.reason })
      break
    case 'end': {
      const signal = step.status === 'RECOVERED' ? 'recovered' : 'closed'
      await endAlert(tx, changes, open, { ...entry, signal, detail: event.description })
      break
    }
    case 'escalate': {
      // The event's own line stands in the log of the alert that takes its place.
      const end = { at: event.time, signal: 'superseded', detail: 'a more severe alert exists' } as const
      await endAlert(tx, changes, open, end)
      return openAlert(tx, changes, generation + 1, event)
    }
  }
  return open.alert_id
}

type Key = Schema['alert_series'] & { readonly open: AlertRow | null }

/** The key's row is its lock: whoever changes an alert reads it first. */
export async function readKey(tx: Tx, key: string): Promise<Key> {
  const query = tx.selectFrom('alert_series').selectAll().where('alert_key', '=', key)
  let series = await locked(tx, query).executeTakeFirst()
  if (!series) {
    series = { alert_key: key, generation: 0, current_alert_id: null, last_end_time: null }
    await tx.insertInto('alert_series').values(series).execute()
  }
  const { current_alert_id: current } = series
  return { ...series, open: current === null ? null : await readAlert(tx, current) }
}

/** As it is now: without the lock MySQL would show it as it was when the transaction first read anything. */
export function readAlert(tx: Tx, alertId: string): Promise<AlertRow> {
  return locked(tx, tx.selectFrom('alert').selectAll().where('alert_id', '=', alertId)).executeTakeFirstOrThrow()
}

/** Says in the inbox what became of events. */
export async function note(tx: Tx, noted: readonly Schema['event_inbox'][]): Promise<void> {
  if (noted.length === 0) return
  const before = tx.deleteFrom('event_inbox').where(is({ consumer, outcome: 'dead-letter' }))
  const ids = noted.map(({ event_id }) => event_id)
  await before.where('event_id', 'in', ids).execute()
  await tx.insertInto('event_inbox').values(noted).execute()
}
