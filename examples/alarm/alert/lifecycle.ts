import type { AlertRow } from '../store/schema.js'
import type { AlertEvent } from '../topics.js'

/** What the store has about the event's key, read under its lock. */
export interface KeyState {
  readonly open: Pick<AlertRow, 'severity' | 'latest_time'> | null
  /** When the key's last alert ended; `null` before the first end. */
  readonly last_end_time: number | null
}

/** What an event does to the alerts of its key. */
export type Step =
  /** A new alert, the key's next generation. */
  | { readonly do: 'open' }
  /** One more event of the open alert. */
  | { readonly do: 'merge' }
  /** The open alert ends and a severer one takes its place. */
  | { readonly do: 'escalate' }
  | { readonly do: 'end'; readonly status: 'RECOVERED' | 'CLOSED' }
  /** Noted in the open alert's log, changes nothing. */
  | { readonly do: 'drop'; readonly reason: string }
  /** There is no alert to note it in. */
  | { readonly do: 'ignore'; readonly reason: 'nothing-open' | 'late' }

/**
 * The state table. `ABNORMAL` is the one open state; `RECOVERED` and `CLOSED` are final, what comes after makes a new
 * alert.
 *
 * | open alert | event | step |
 * | --- | --- | --- |
 * | none | ends something | ignore |
 * | none | abnormal, from before the last end | ignore: it belongs to an alert that is over |
 * | none | abnormal | open |
 * | any | ends a milder level | drop: the severe level may still be wrong |
 * | any | ends, but is older than the newest anomaly | drop |
 * | any | ends | end |
 * | milder | abnormal | escalate |
 * | severer | abnormal | drop |
 * | equal | abnormal, from before the last end | drop: alerts of one key never overlap |
 * | equal | abnormal | merge |
 *
 * The status is looked at before the severity: a severe *recovery* must end an alert, never open one.
 */
export function nextStep(state: KeyState, event: AlertEvent): Step {
  const { open, last_end_time: lastEnd } = state
  if (!open) {
    if (event.status !== 'ABNORMAL') return { do: 'ignore', reason: 'nothing-open' }
    if (lastEnd !== null && event.time < lastEnd) return { do: 'ignore', reason: 'late' }
    return { do: 'open' }
  }
  // Severity 1 is the worst.
  const milder = event.severity > open.severity
  if (event.status !== 'ABNORMAL') {
    if (milder) return { do: 'drop', reason: 'the end of a milder level' }
    if (event.time < open.latest_time) return { do: 'drop', reason: 'an end from before the newest anomaly' }
    return { do: 'end', status: event.status }
  }
  if (milder) return { do: 'drop', reason: 'milder than the open alert' }
  if (event.severity < open.severity) {
    // The old alert ends where the new one begins; one that is late would begin before.
    if (event.time < open.latest_time) return { do: 'drop', reason: 'severer, but from before the newest anomaly' }
    return { do: 'escalate' }
  }
  if (lastEnd !== null && event.time < lastEnd) return { do: 'drop', reason: 'belongs to an alert that is over' }
  return { do: 'merge' }
}
