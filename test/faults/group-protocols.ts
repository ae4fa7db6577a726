import type { MemberOptions } from './member-log.js'

/** How the members of a cell divide the partitions among themselves, or have them divided. */
export type CellProtocol = 'eager' | 'cooperative' | 'consumer'

export const cellProtocols: readonly CellProtocol[] = ['eager', 'cooperative', 'consumer']

interface Times {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** What a member says of it: under the `consumer` protocol nothing of times, which are the broker's. */
export function memberOptionsFor(protocol: CellProtocol, times: Times): Partial<MemberOptions> {
  if (protocol === 'consumer') return { groupProtocol: 'consumer' }
  return { ...times, assignors: protocol === 'eager' ? ['sticky'] : ['cooperative-sticky', 'sticky'] }
}

export function brokerPropertiesFor(protocol: CellProtocol, times: Times): Readonly<Record<string, number>> {
  if (protocol !== 'consumer') return {}
  return {
    'group.consumer.min.session.timeout.ms': times.sessionTimeoutMs,
    'group.consumer.session.timeout.ms': times.sessionTimeoutMs,
    'group.consumer.min.heartbeat.interval.ms': times.heartbeatIntervalMs,
    'group.consumer.heartbeat.interval.ms': times.heartbeatIntervalMs,
  }
}
