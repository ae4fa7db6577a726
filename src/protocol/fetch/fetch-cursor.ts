import type { FetchedBatch } from '../../connection/requests/fetch.js'
import type { AssignedPartition } from '../../driver/consumer.js'
import type { Timer } from '../../runtime/clock.js'
import { EpochLine } from './epoch-line.js'

/** Can this partition be asked for, as far as the cluster is concerned? */
type FetchHealth =
  /** Assigned, but its reader is not ready for records yet. */
  | { readonly kind: 'held' }
  | { readonly kind: 'ready' }
  /** Asked for again when the timer fires. */
  | { readonly kind: 'backing-off'; readonly timer: Timer }
  /** Asked for again when the metadata names a leader. */
  | { readonly kind: 'awaiting-leader' }
  /** The leader is asked whether what was read last is still in its log. */
  | { readonly kind: 'checking' }
  /** Its position was refused; the owner of the policy says where to go on by `seek`, or gives up. */
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'failed' }
  /** Not ours any more. */
  | { readonly kind: 'gone' }

const ready: FetchHealth = { kind: 'ready' }

/** Which log a position lies in, and which leader wrote the record before it. */
export interface Place {
  /** `null` when unknown. */
  readonly topicId: string | null
  /** -1 when unknown. */
  readonly leaderEpoch: number
}

/** One assigned partition as the fetcher sees it. */
export class FetchCursor {
  readonly assigned: AssignedPartition
  /** Offsets count in this topic's log alone; `null` until brokers tell. */
  topicId: string | null
  /** Leadership under which the position is known to be in the log; `null` until it was looked at. */
  checkedEpoch: number | null = null
  /** Of the last record before the position; -1 when unknown. */
  lastEpoch: number
  epochs: EpochLine
  /** Next offset to ask for. */
  position: number
  /** Since when the reader wants no records (by `clock.now()`); independent of whether the cluster can give them. */
  pausedAt: number | null = null
  health: FetchHealth = { kind: 'held' }
  /** Raised whenever the position is set from outside: an answer to a question with an older token is dropped. */
  token = 0
  /** Failures in a row. */
  failures = 0
  /** Where unreadable bytes were met; met again at the same place they are no accident of the transfer. */
  unreadableAt: number | null = null

  constructor(assigned: AssignedPartition, place: Place) {
    this.assigned = assigned
    this.position = assigned.position
    this.topicId = place.topicId
    this.lastEpoch = place.leaderEpoch
    this.epochs = new EpochLine(assigned.position, place.leaderEpoch)
  }

  get isDue(): boolean {
    return this.pausedAt === null && this.health.kind === 'ready'
  }

  become(health: FetchHealth): void {
    if (this.health.kind === 'backing-off') this.health.timer.cancel()
    this.health = health
  }

  becomeReady(): void {
    this.become(ready)
  }

  /** Records from the position up to `nextOffset` were read; the last of them was written under `leaderEpoch`. */
  readTo(nextOffset: number, batches: readonly FetchedBatch[]): void {
    this.position = nextOffset
    for (const { baseOffset, leaderEpoch } of batches) {
      this.epochs.read(baseOffset, leaderEpoch)
      this.lastEpoch = leaderEpoch
    }
  }

  /** From outside, to a place in the log of now: who wrote the record before it is not known. */
  moveTo(position: number, topicId: string | null): void {
    this.topicId = topicId
    this.epochs = new EpochLine(position, -1)
    this.#move(position, -1)
  }

  /** From outside, to a place in the log that was read: whether it stands yet is looked at again. */
  moveWithin(position: number): void {
    this.checkedEpoch = null
    this.#move(position, this.epochs.before(position))
  }

  #move(position: number, lastEpoch: number): void {
    this.position = position
    this.lastEpoch = lastEpoch
    this.token += 1
    this.failures = 0
    this.unreadableAt = null
  }
}
