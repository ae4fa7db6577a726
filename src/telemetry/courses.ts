import type { EventKind, EventOf } from './events.js'

/** How something that lasts is told. */
export interface Course {
  /** It counts when it has lasted so long; what ends before was none. */
  readonly afterMs: number
  /** What ends it. These are told of troubles that were told, and of no other. */
  readonly ends: readonly EventKind[]
  /** What ends it too, and is told whether there was a trouble or not. */
  readonly endsToo?: readonly EventKind[] | undefined
  /** Whoever meets it tells it again and again, so when nobody did since it was last told it is over: this is told then. */
  readonly lapsesInto?: EventKind | 'silence' | undefined
  /** Of the surroundings: one for all clients of a messaging. */
  readonly shared?: boolean | undefined
}

/**
 * What lasts: told once, again at rising distances, and when it ends. Of one kind there is one for each place (topic and
 * partition, or node) that its event names.
 */
export const courses: { readonly [Kind in EventKind]?: Course } = {
  'broker-silent': { afterMs: 5_000, ends: ['broker-answers'], lapsesInto: 'broker-unasked', shared: true },
  'topic-unavailable': { afterMs: 2_000, ends: ['topic-available'] },
  'starts-unknown': { afterMs: 10_000, ends: ['starts-known'] },
  'watermark-held': { afterMs: 30_000, ends: ['watermark-moves'] },
  stalled: { afterMs: 0, ends: ['stall-ended'] },
  'partition-stopped': { afterMs: 0, ends: ['partition-restarted'] },
  'dead-letter-delayed': { afterMs: 0, ends: [], endsToo: ['dead-lettered', 'partition-stopped'] },
  'put-off-delayed': { afterMs: 0, ends: [], endsToo: ['put-off', 'partition-stopped'] },
  'outage-began': { afterMs: 2_000, ends: ['outage-ended'] },
  'decoding-held-up': { afterMs: 2_000, ends: ['decoding-goes-on'] },
  'readers-held-up': { afterMs: 0, ends: ['readers-go-on'] },
  'fetch-unanswered': { afterMs: 0, ends: ['fetch-answered'] },
  'commit-delayed': { afterMs: 10_000, ends: ['commit-caught-up'] },
  'outside-group': { afterMs: 10_000, ends: ['inside-group-again'] },
  'member-stuck': { afterMs: 0, ends: ['member-moves'] },
  'outbox-unreachable': { afterMs: 5_000, ends: ['outbox-reached'] },
  'outbox-not-sent': { afterMs: 5_000, ends: ['outbox-sent-again'] },
  'deliveries-delayed': { afterMs: 5_000, ends: ['deliveries-resumed'], lapsesInto: 'silence' },
}

/** What happens again and again is told in full once in a minute for each cause; the rest is news. */
export const repeating: { readonly [Kind in EventKind]?: (event: EventOf<Kind>) => string } = {
  'dead-lettered': ({ topic, reason }) => `${topic}/${reason}`,
  'put-off': ({ topic }) => topic,
  'handler-overruns': ({ topic }) => topic,
  'failed-meanwhile': ({ topic }) => topic,
  'hook-failed': ({ hook }) => hook,
  'transaction-aborted': () => '',
}
/** What one messaging tells once, whichever of its clients it happens to. */
export const toldOnce: ReadonlySet<EventKind> = new Set(['connected'])

/** What a kind of event ends, and whether it is told where nothing was to be ended. */
export interface Ending {
  readonly of: readonly EventKind[]
  readonly isToldAlone: boolean
}

export const endings: ReadonlyMap<EventKind, Ending> = endingsOf(Object.entries(courses) as [EventKind, Course][])

function endingsOf(all: readonly (readonly [EventKind, Course])[]): ReadonlyMap<EventKind, Ending> {
  const endings = new Map<EventKind, Ending>()
  for (const [kind, { ends, endsToo = [] }] of all) {
    for (const end of [...ends, ...endsToo]) {
      const known = endings.get(end)
      const isToldAlone = endsToo.includes(end) || known?.isToldAlone === true
      endings.set(end, { of: [...(known?.of ?? []), kind], isToldAlone })
    }
  }
  return endings
}
