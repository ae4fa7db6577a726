import type { Timer } from '../../../runtime/clock.js'
import { setBrokerTimer } from '../cluster/broker-timer.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'
import type { Outcome } from './end-transaction.js'
import type { Participant, Transaction } from './transaction.js'

/** How long until a participant that could not be reached is tried again. */
const retryMs = 20

interface WrittenMarker {
  readonly offset: number
  readonly leaderEpoch: number
}

/**
 * The markers of one transaction that is decided: one to every participant, tried again until each is on the in-sync
 * replicas of its partition. A partition without a leader keeps the transaction from being complete for as long.
 */
export class Markers {
  readonly #left: Map<string, Participant>
  /** What waits for its followers; a new leader may not have it. */
  readonly #written = new Map<string, WrittenMarker>()
  readonly #outcome: Outcome
  #timer: Timer | null

  constructor(
    private readonly cluster: ClusterState,
    private readonly groups: GroupCoordinators,
    private readonly transaction: Transaction,
    delayMs: number,
    private readonly coordinatorIsUp: () => boolean,
    private readonly onAllWritten: () => void,
  ) {
    this.#left = new Map(transaction.participants)
    this.#outcome = transaction.state === 'PrepareCommit' ? 'commit' : 'abort'
    this.#timer = setBrokerTimer(cluster.runtime.clock, delayMs, () => this.#writeAll())
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #writeAll(): void {
    if (this.coordinatorIsUp()) this.#writeLeft()
    this.#timer = null
    if (this.#left.size === 0 && this.coordinatorIsUp()) this.onAllWritten()
    else this.#timer = setBrokerTimer(this.cluster.runtime.clock, retryMs, () => this.#writeAll())
  }

  #writeLeft(): void {
    for (const [key, participant] of this.#left) if (this.#isMarked(key, participant)) this.#left.delete(key)
  }

  #isMarked(key: string, participant: Participant): boolean {
    const { producerId, epoch } = this.transaction
    if (participant.kind === 'offsets') {
      return this.groups.endTransaction(participant.groupId, producerId, this.#outcome)
    }
    const partition = this.cluster.partition(participant.topic, participant.partition)
    // What is deleted has no transaction to end.
    if (partition === undefined) return true
    const written = this.#written.get(key)
    if (written?.leaderEpoch === partition.leaderEpoch) return partition.highWatermark > written.offset
    if (!this.cluster.isUp(partition.leader) || !partition.hasEnoughReplicas) return false
    const { baseOffset } = partition.appendMarker(this.#outcome, producerId, epoch)
    this.#written.set(key, { offset: baseOffset, leaderEpoch: partition.leaderEpoch })
    return partition.highWatermark > baseOffset
  }
}
