import type { FetchedBatch, FetchPartition } from '../../connection/requests/fetch.js'
import type { LeaderHint } from '../../connection/requests/metadata.js'
import type { AssignedPartition } from '../../driver/consumer.js'
import type { Timer } from '../../runtime/clock.js'
import type { EpochRange } from '../../offsets/leader-epochs.js'
import { EpochLine } from './epoch-line.js'
import { ReadSource } from './read-source.js'

/** Can this partition be asked for, as far as the cluster is concerned? */
type FetchHealth =
  /** Assigned, but its reader is not ready for records yet. */
  | { readonly kind: 'held' }
  | { readonly kind: 'ready' }
  /** Asked for again when the timer fires, or there is a later leader than the one that failed. */
  | { readonly kind: 'backing-off'; readonly failedAt: LeaderHint; readonly timer: Timer }
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
  /** Who wrote what was read of the log before, also beyond the position. */
  readonly epochs: readonly EpochRange[]
}

const unknownPlace: Place = { topicId: null, leaderEpoch: -1, epochs: [] }

/** Whom one partition was asked of. */
export interface Question {
  readonly partition: FetchCursor
  /** Who led when it was asked, in which epoch. */
  readonly leader: LeaderHint
  /** Who was asked. */
  readonly node: number
}

/** What was asked of one partition: the answer counts only while nobody has set the position meanwhile. */
export interface Asked extends Question {
  readonly token: number
  /** Where it stood: another broker that was asked as well may have answered first. */
  readonly position: number
}

/** One assigned partition as the fetcher sees it. */
export class FetchCursor {
  readonly assigned: AssignedPartition
  /** Offsets count in this topic's log alone; `null` until brokers tell. */
  topicId: string | null
  /** Leadership under which the position is known to be in the log; `null` until it was looked at. */
  checkedEpoch: number | null = null
  /** Of what was read, and of what a commit names as completed beyond it. */
  epochs: EpochLine
  /** Next offset to ask for. */
  position: number
  #pausedAt: number | null = null
  #health: FetchHealth = { kind: 'held' }
  /** Raised whenever the position is set from outside: an answer to a question with an older token is dropped. */
  token = 0
  /** Whom it is fetched from. */
  readonly source = new ReadSource()
  /** Failures in a row. */
  failures = 0
  /** From where on the log was found to be cut, until somebody says where reading goes on. */
  cutFrom: number | null = null
  /** Where unreadable bytes were met; met again at the same place they are no accident of the transfer. */
  unreadableAt: number | null = null
  #place: FetchPartition | null = null
  readonly #changed: () => void

  /** @param changed told whenever it is asked for otherwise than before, or no more */
  constructor(assigned: AssignedPartition, changed: () => void, place = unknownPlace) {
    this.assigned = assigned
    this.#changed = changed
    this.position = assigned.position
    this.topicId = place.topicId
    this.epochs = new EpochLine(assigned.position, place.leaderEpoch, place.epochs)
  }

  /** Everything below was read or is completed, as far as it is known. */
  get knownEnd(): number {
    return Math.max(this.position, this.epochs.end)
  }

  /** Of the last record that was read or is completed; -1 when unknown. */
  get lastEpoch(): number {
    return this.epochs.before(this.knownEnd)
  }

  get health(): FetchHealth {
    return this.#health
  }

  /** Since when the reader wants no records (by `clock.now()`); independent of whether the cluster can give them. */
  get pausedAt(): number | null {
    return this.#pausedAt
  }

  get isDue(): boolean {
    return this.#pausedAt === null && this.#health.kind === 'ready'
  }

  pause(now: number): void {
    this.#pausedAt ??= now
    this.#changed()
  }

  resume(): void {
    this.#pausedAt = null
    this.#changed()
  }

  /** What a broker is asked for: the same object as long as nothing of it has changed, since most stand still. */
  place(partitionMaxBytes: number): FetchPartition {
    const { topicId, position: fetchOffset } = this
    const currentLeaderEpoch = this.checkedEpoch ?? -1
    const place = this.#place
    const isSame =
      place?.fetchOffset === fetchOffset &&
      place.topicId === topicId &&
      place.currentLeaderEpoch === currentLeaderEpoch &&
      place.partitionMaxBytes === partitionMaxBytes
    if (isSame) return place
    const { topic, partition } = this.assigned
    this.#place = { topic, topicId, partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes }
    return this.#place
  }

  /** A new leader is not made to wait for what the former one did. */
  turnTo(leader: LeaderHint): void {
    if (this.health.kind !== 'backing-off' || leader.leader < 0) return
    const { failedAt } = this.health
    const isWithoutEpochs = leader.leaderEpoch < 0 && leader.leader !== failedAt.leader
    if (leader.leaderEpoch <= failedAt.leaderEpoch && !isWithoutEpochs) return
    this.failures = 0
    this.becomeReady()
  }

  become(health: FetchHealth): void {
    if (this.#health.kind === 'backing-off') this.#health.timer.cancel()
    this.#health = health
    this.#changed()
  }

  becomeReady(): void {
    this.become(ready)
  }

  /** Records from the position up to `nextOffset` were read. */
  readTo(nextOffset: number, batches: readonly FetchedBatch[]): void {
    this.position = nextOffset
    this.#changed()
    for (const { baseOffset, lastOffset, leaderEpoch } of batches) {
      this.epochs.read(baseOffset, lastOffset + 1, leaderEpoch)
    }
  }

  /** From outside, to a place in the log of now: who wrote the record before it is not known. */
  moveTo(position: number, topicId: string | null): void {
    this.topicId = topicId
    this.epochs = new EpochLine(position, -1)
    this.#move(position)
  }

  /** From outside, forwards in the log that was read, to where it begins now. */
  moveToStart(position: number): void {
    this.epochs.forgetBelow(position)
    this.#move(position)
  }

  /** From outside, to a place in the log that was read: whether it stands yet is looked at again. */
  moveWithin(position: number): void {
    this.checkedEpoch = null
    this.#move(position)
  }

  #move(position: number): void {
    this.position = position
    this.token += 1
    this.failures = 0
    this.unreadableAt = null
    this.cutFrom = null
    this.#changed()
  }
}
