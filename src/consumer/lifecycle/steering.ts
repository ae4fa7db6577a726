import type { DriverConsumer } from '../../driver/consumer.js'
import { StateError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { Clock } from '../../runtime/clock.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { RunningCalls } from '../handling/running-calls.js'
import type { OwnedPartition, PartitionStart } from '../partition/owned-partition.js'
import type { OwnedPartitions } from '../partition/owned-partitions.js'
import type { OffsetRange } from '../../offsets/offset-range.js'
import type { Place } from '../partition/user-pauses.js'
import { progressOf } from '../../offsets/progress.js'
import { uncommittedRanges } from '../release/drain.js'
import type { Ledger } from '../settling/ledger.js'
import type { Gauges } from '../watch/gauges.js'
import { noOffset } from './refusals.js'

export interface SteeringParts {
  readonly partitions: OwnedPartitions
  readonly ledger: Ledger
  readonly running: RunningCalls
  readonly gauges: Gauges
  readonly driver: () => Pick<DriverConsumer, 'seek' | 'resume'>
  readonly clock: Clock
  readonly telemetry: Telemetry
}

/** On its way to another place, or (`null`) to the one where handling stands. */
interface Seek {
  offset: number | null
  ended: Promise<void>
}

/** A call of the user. */
interface Asked {
  ended: Promise<void>
}

/** What the user asks of partitions that are ours: to rest, to go on, to go on elsewhere. */
export class Steering {
  /** How long running handlers may finish before a seek. */
  readonly #drainMs: number
  readonly #parts: SteeringParts
  readonly #seeks = new Map<OwnedPartition, Seek>()
  /** What the user asked for last, by partition; it may have ended. */
  readonly #asked = new Map<string, Asked>()

  constructor(drainMs: number, parts: SteeringParts) {
    this.#drainMs = drainMs
    this.#parts = parts
  }

  setPaused(places: readonly Place[], isPaused: boolean): void {
    const { partitions, gauges } = this.#parts
    partitions.setPaused(places, isPaused)
    gauges.changed()
  }

  /**
   * Drops what waits, lets what runs end (bounded), and starts again: at an offset with nothing settled, or (`null`) exactly
   * where handling stands. An offset may still have to be looked up (-1: there is none): who asked last says where to go on,
   * whoever knows first.
   */
  seek(place: TopicPartition, to: number | null | Promise<number>): Promise<void> {
    this.#parts.partitions.require(place)
    const asked: Asked = { ended: Promise.resolve() }
    this.#asked.set(partitionKey(place.topic, place.partition), asked)
    asked.ended = to instanceof Promise ? this.#whenFound(place, to, asked) : this.#move(place, to)
    return asked.ended
  }

  async #whenFound(place: TopicPartition, found: Promise<number>, asked: Asked): Promise<void> {
    const [end] = await Promise.allSettled([found])
    const last = this.#asked.get(partitionKey(place.topic, place.partition))
    if (last !== undefined && last !== asked) return last.ended
    if (end.status === 'rejected') throw end.reason
    if (end.value < 0) throw noOffset(place)
    return this.#move(place, end.value)
  }

  #move(place: TopicPartition, offset: number | null): Promise<void> {
    const owned = this.#parts.partitions.require(place)
    if (offset === null && owned.tracker.committable < 0) return Promise.reject(noPlace(place))
    const underWay = this.#seeks.get(owned)
    if (underWay !== undefined) {
      // The last call says where to go on.
      underWay.offset = offset
      return underWay.ended
    }
    const seek: Seek = { offset, ended: Promise.resolve() }
    this.#seeks.set(owned, seek)
    seek.ended = this.#goElsewhere(owned, seek).finally(() => this.#seeks.delete(owned))
    return seek.ended
  }

  /**
   * What was settled since the partition was last on record was taken back: it goes on there, at once. Handlers that run are
   * told to end, and nothing of them counts. One that had stopped stops again where it did.
   */
  rewind(owned: OwnedPartition): void {
    const { partitions, running, driver } = this.#parts
    const { topic, partition, acknowledged, startedAt } = owned
    if (partitions.get(topic, partition) !== owned || owned.state.is('draining', 'gone')) return
    running.abort(owned, new StateError('taken-back', `the transaction of ${topic}-${partition} was aborted`))
    owned.leave()
    const position = acknowledged?.offset ?? startedAt
    const completed = acknowledged === null ? [] : progressOf(acknowledged).completed
    const fresh = partitions.own(owned.assigned, { position, completed, acknowledged, leftBehind: owned.leftBehind })
    owned.successor = fresh
    driver().seek(fresh.assigned, position, 'read')
    if (fresh.gate.isOpen('fetch')) driver().resume(fresh.assigned)
  }

  async #goElsewhere(owned: OwnedPartition, seek: Seek): Promise<void> {
    const { partitions, ledger, running, driver, telemetry } = this.#parts
    const { topic, partition } = owned
    owned.gate.close('seek')
    owned.close()
    await this.#idle(owned)
    await this.#parts.ledger.beforeMove(owned, this.#parts.clock.now() + this.#drainMs)
    if (owned.successor !== null) return this.#followReset(owned.successor, seek)
    if (partitions.get(topic, partition) !== owned || owned.state.is('draining', 'gone')) {
      throw takenAway(owned)
    }
    const leftBehind = uncommittedRanges(owned, ledger)
    running.abort(owned, new StateError('sought-away', `${topic}-${partition} was sought elsewhere`))
    const wasStopped = owned.stoppedBy !== null
    owned.leave()
    const start =
      seek.offset === null
        ? whereHandlingStands(owned, leftBehind)
        : { position: seek.offset, completed: [], acknowledged: null, leftBehind }
    const fresh = partitions.own(owned.assigned, start)
    if (wasStopped) tell(telemetry, { kind: 'partition-restarted', topic, partition, offset: start.position })
    driver().seek(fresh.assigned, start.position, seek.offset === null ? 'read' : 'now')
    if (fresh.gate.isOpen('fetch')) driver().resume(fresh.assigned)
    // Nothing may come after the new place: it must be on record all the same.
    ledger.moved(fresh)
  }

  /** A reset came first. It goes on from another place by itself; a place that the user chose is the last word. */
  async #followReset(successor: OwnedPartition, { offset }: Seek): Promise<void> {
    const { topic, partition } = successor
    if (this.#parts.partitions.get(topic, partition) !== successor) throw takenAway(successor)
    if (offset !== null) await this.#move(successor, offset)
  }

  /** Until no handler of the partition runs, it is gone, or the time that handlers have is over. */
  async #idle(owned: OwnedPartition): Promise<void> {
    await withinDeadline(owned.whenIdleOrGone(), {
      clock: this.#parts.clock,
      deadline: this.#parts.clock.now() + this.#drainMs,
      onLate: () => undefined,
    })
  }
}

function takenAway({ topic, partition }: TopicPartition): StateError {
  return new StateError('not-assigned', `${topic}-${partition} was taken away during the seek`, { topic, partition })
}

function noPlace({ topic, partition }: TopicPartition): StateError {
  return new StateError(
    'no-place',
    `nobody could tell where ${topic}-${partition} is to be read from, so there is no place to go on; mend what stopped it ` +
      'and start a new consumer, or seek to an offset',
    { topic, partition },
  )
}

function whereHandlingStands(
  { tracker, acknowledged }: OwnedPartition,
  leftBehind: readonly OffsetRange[],
): PartitionStart {
  const [position, completed] = [tracker.committable, tracker.completedRanges()]
  return { position, completed, acknowledged, leftBehind, begun: leftBehind }
}
