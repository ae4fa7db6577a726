import type { KnownEnd } from '../../driver/consumer.js'
import type { WaitsFor } from '../../telemetry/events.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

/**
 * `null` when there is nothing to do, or not yet, or the user paused it. A partition that wants records and whose end was last told
 * before `blindBefore` (by `clock.now()`) may have work that nobody sees, so it counts as waiting for its broker.
 */
export function workOf(partition: OwnedPartition, end: KnownEnd | null, blindBefore: number): WaitsFor | null {
  const { state, lanes, gate, tracker, inflow } = partition
  if (state.is('draining', 'gone')) return null
  if (partition.deadLetterFailures > 0) return 'dead-letter'
  if (gate.isClosedBy('delay-topic') || gate.isClosedBy('put-off')) return 'delay-topic'
  if (gate.isClosedBy('outage') && !gate.isClosedBy('user') && partition.heldRecords > 0) return 'outage'
  if (lanes.running > lanes.resting) return 'handler'
  if (lanes.running > 0) return partition.lettersUnderWay > 0 ? 'dead-letter' : 'retry'
  if (gate.isClosedBy('hook')) return 'hook'
  if (gate.isClosedBy('user')) return null
  if (gate.isClosedBy('commit')) return 'commit'
  const isBehind = end !== null && end.offset > tracker.committable
  if (state.is('stopped')) return partition.heldRecords > 0 || isBehind || partition.failed > 0 ? 'seek' : null
  if (gate.isClosedBy('former') && partition.heldRecords > 0) return 'handler'
  if (gate.isClosedBy('schema')) return 'schema'
  if (partition.heldRecords > 0 && inflow.waitsInOrder) return 'order'
  if (partition.heldRecords > 0) return inflow.keepsBackUntil === null ? 'place' : null
  const isBlind = (end?.at ?? partition.takenAt) < blindBefore
  return isBehind || isBlind ? 'fetch' : null
}
