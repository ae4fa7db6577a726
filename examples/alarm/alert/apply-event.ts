import { insertNew } from '../store/insert-new.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { dropEvent, endAlert, mergeEvent, openAlert, readKey, type KeyRow } from './alert-store.js'
import { nextStep, type Step } from './lifecycle.js'

const consumer = 'alert'

/** What became of an event; `repeated` = it was taken before and changed nothing now. */
export type EventFate = Step['do'] | 'repeated'

/**
 * Applies one event inside the batch's transaction. The inbox remembers every event for as long as the topic can send
 * it again, so an event that comes a second time changes nothing.
 */
export async function applyEvent(tx: Tx, event: AlertEvent): Promise<EventFate> {
  const place = { consumer, event_id: event.event_id }
  const isNew = await insertNew(tx, 'event_inbox', [{ ...place, outcome: 'taken', alert_id: null }])
  if (isNew === 0) return 'repeated'

  const key = await readKey(tx, event.alert_key)
  const open = key.open && { severity: key.open.severity, latestTime: key.open.latest_time }
  const step = nextStep({ open, lastEndTime: key.lastEndTime }, event)
  const alertId = await perform(tx, step, key, event)

  const outcome = step.do === 'ignore' ? step.reason : step.do
  await tx
    .updateTable('event_inbox')
    .set({ outcome, alert_id: alertId })
    .where((where) => where.and(place))
    .execute()
  return step.do
}

/** Returns the alert that shows the event, if any does. */
async function perform(tx: Tx, step: Step, key: KeyRow, event: AlertEvent): Promise<string | null> {
  if (step.do === 'ignore') return null
  if (step.do === 'open') return openAlert(tx, key, event)

  const { open } = key
  if (!open) throw new Error(`${step.do} needs an open alert`)
  switch (step.do) {
    case 'merge':
      await mergeEvent(tx, open, event)
      return open.alert_id
    case 'drop':
      await dropEvent(tx, open, event, step.reason)
      return open.alert_id
    case 'end':
      await endAlert(tx, open, event, { status: step.status, detail: event.description, eventId: event.event_id })
      return open.alert_id
    case 'escalate':
      await endAlert(tx, open, event, { status: 'CLOSED', detail: 'a more severe alert exists', eventId: null })
      return openAlert(tx, key, event)
  }
}
