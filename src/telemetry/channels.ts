import { channel, type Channel } from 'node:diagnostics_channel'
import type { ClientEvent, EventKind } from './events.js'
import type { MetricScope } from './metric-names.js'

/** One for each kind, by name, so that an agent pays for what it hears and for nothing else. */
const channels = new Map<EventKind, Channel>()

function channelOf(kind: EventKind): Channel {
  let known = channels.get(kind)
  if (known === undefined) channels.set(kind, (known = channel(`tidemark:${kind}`)))
  return known
}

/** For agents that nobody passes to a client: events also go to `node:diagnostics_channel`, to `tidemark:` and their kind. */
export function publish(scope: MetricScope, event: ClientEvent): void {
  const to = channelOf(event.kind)
  if (to.hasSubscribers) to.publish({ ...scope, ...event })
}
