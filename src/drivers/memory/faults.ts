import { StateError } from '../../errors.js'
import type { Timer } from '../../runtime/clock.js'
import type { MetadataViews } from './broker/metadata-views.js'
import type { ClusterState } from './cluster/cluster-state.js'
import { HeldRequest, type FaultRules, type RandomFaults, type RequestMatch } from './network/fault-rules.js'
import type { GroupCoordinators } from './group/group-coordinators.js'
import type { Network } from './network/network.js'
import type { TransactionCoordinators } from './transactions/transaction-coordinators.js'

/** More may come. */
export type FaultKind =
  | 'lose-request'
  | 'lose-answer'
  | 'refuse'
  | 'throttle'
  | 'delay'
  | 'random-hold'
  | 'hold'
  | 'silence'
  | 'stop-broker'
  | 'move-leader'
  | 'kill-member'
  | 'move-coordinator'
  | 'move-transaction-coordinator'
  | 'pause-replication'
  | 'turn-away'
  | 'lag-metadata'

/** Counts what was done to the cluster, so that a run can prove that it was tested at all. */
export class FaultCounter {
  readonly #counts = new Map<FaultKind, number>()

  note(kind: FaultKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  get counts(): Readonly<Partial<Record<FaultKind, number>>> {
    return Object.fromEntries(this.#counts)
  }
}

/** Everything that can go wrong, on demand. Rules apply to requests written after them; each one is used up by one request. */
export interface Faults {
  /** The request never reaches the broker, and its connection breaks. */
  loseNextRequest(match?: RequestMatch): void
  /** The request has its effect, and its connection breaks instead of the answer. */
  loseNextAnswer(match?: RequestMatch): void
  /** The broker refuses everything in the request with this code, without any effect. */
  failNext(match: RequestMatch, errorCode: number): void
  /** The request arrives later by `delayMs`, and so does what follows it on its connection. */
  delayNext(match: RequestMatch, delayMs: number): void
  /** The answer asks the client to stay silent for `throttleMs`. */
  throttleNext(match: RequestMatch, throttleMs: number): void
  /** The request is kept on its way until `release`, and arrives then even when its client has given up on it. */
  holdRequest(match?: RequestMatch): HeldRequest
  /** Faults by chance for every request from now on; `null` ends them. */
  random(chances: RandomFaults | null): void
  /** Forgets all rules that have not been used and ends random faults. What is held stays held. */
  clear(): void
  /**
   * The broker takes connections and requests and answers nothing, as a stopped process does, for `forMs` or until
   * `endSilence`. Then it carries out what it was asked meanwhile. It keeps its partitions and groups.
   */
  silence(node: number, forMs?: number): void
  /** It answers again, first what it was asked meanwhile. */
  endSilence(node: number): void
  /**
   * The broker refuses every new connection, as one does that denies authentication or whose certificate has expired, and
   * breaks those it has; for `forMs` or until `endTurningAway`. It goes on leading and coordinating.
   */
  turnAway(node: number, forMs?: number): void
  /** It takes connections again. */
  endTurningAway(node: number): void
  /**
   * The broker learns of no change of topics, leaders and brokers any more: what it answers to metadata requests stays as it
   * is now, for `forMs` or until `endMetadataLag`.
   */
  lagMetadata(node: number, forMs?: number): void
  /** It learns what it has missed, at once. */
  endMetadataLag(node: number): void
  /** The broker dies: connections break; after the failover time others lead its partitions and coordinate its groups. */
  stopBroker(node: number): void
  /** The broker comes back with what it had, learns what it missed, copies what it lacks and rejoins the in-sync replicas. */
  startBroker(node: number): void
  /**
   * Another replica leads the partition: `toNode`, else the next in-sync one. What the new leader has not copied is lost.
   * @throws StateError when that replica does not exist or is down, or when no other is in sync.
   */
  moveLeader(topic: string, partition: number, toNode?: number): void
  /** Followers on this broker stop copying; they stay in sync by name until `dropFollower`. */
  pauseReplication(node: number): void
  /** They copy again what they lack. */
  resumeReplication(node: number): void
  /** The controller takes a follower that does not keep up out of the in-sync replicas of every partition. */
  dropFollower(node: number): void
  /** Throws a member out of its group, `'any'` the first one; false when there is none. */
  killMember(groupId: string, memberId: string): boolean
  /** Another broker coordinates the group; a rebalance under way is forgotten, as the old coordinator had not stored it. */
  moveCoordinator(groupId: string, toNode?: number): void
  /** Another broker coordinates the transactional id; a write that its followers do not have yet is lost. */
  moveTransactionCoordinator(transactionalId: string, toNode?: number): void
  /** How often each kind of fault was injected. */
  injected(): Readonly<Partial<Record<FaultKind, number>>>
}

export class ClusterFaults implements Faults {
  /** Deaths that the controller has not noticed yet, by broker. */
  readonly #unnoticed = new Map<number, Timer>()

  constructor(
    private readonly cluster: ClusterState,
    private readonly groups: GroupCoordinators,
    private readonly transactions: TransactionCoordinators,
    private readonly network: Network,
    private readonly rules: FaultRules,
    private readonly views: MetadataViews,
    private readonly counter: FaultCounter,
  ) {}

  loseNextRequest(match: RequestMatch = {}): void {
    this.rules.add(match, { kind: 'lose-request' })
  }

  loseNextAnswer(match: RequestMatch = {}): void {
    this.rules.add(match, { kind: 'lose-answer' })
  }

  failNext(match: RequestMatch, errorCode: number): void {
    this.rules.add(match, { kind: 'refuse', errorCode })
  }

  delayNext(match: RequestMatch, delayMs: number): void {
    this.rules.add(match, { kind: 'delay', delayMs })
  }

  throttleNext(match: RequestMatch, throttleMs: number): void {
    this.rules.add(match, { kind: 'throttle', throttleMs })
  }

  holdRequest(match: RequestMatch = {}): HeldRequest {
    const held = new HeldRequest()
    this.rules.add(match, { kind: 'hold', held })
    return held
  }

  random(chances: RandomFaults | null): void {
    this.rules.setRandom(chances)
  }

  clear(): void {
    this.rules.clear()
  }

  silence(node: number, forMs?: number): void {
    this.counter.note('silence')
    this.network.silence(node)
    if (forMs !== undefined) this.network.clock.setTimer(forMs, () => this.endSilence(node))
  }

  endSilence(node: number): void {
    this.network.endSilence(node)
  }

  turnAway(node: number, forMs?: number): void {
    this.counter.note('turn-away')
    this.network.turnAway(node)
    if (forMs !== undefined) this.network.clock.setTimer(forMs, () => this.endTurningAway(node))
  }

  endTurningAway(node: number): void {
    this.network.endTurningAway(node)
  }

  lagMetadata(node: number, forMs?: number): void {
    this.counter.note('lag-metadata')
    this.views.lag(node)
    if (forMs !== undefined) this.network.clock.setTimer(forMs, () => this.endMetadataLag(node))
  }

  endMetadataLag(node: number): void {
    this.views.catchUp(node)
  }

  stopBroker(node: number): void {
    if (!this.cluster.isUp(node)) return
    this.counter.note('stop-broker')
    this.cluster.kill(node)
    this.network.brokerGone(node)
    const { failoverMs } = this.cluster.settings
    if (failoverMs === 0) this.#failOver(node)
    else
      this.#unnoticed.set(
        node,
        this.network.clock.setTimer(failoverMs, () => this.#failOver(node)),
      )
  }

  startBroker(node: number): void {
    this.network.endSilence(node)
    this.views.catchUp(node)
    if (this.cluster.isUp(node)) return
    this.#failOver(node)
    this.cluster.revive(node)
  }

  moveLeader(topic: string, partition: number, toNode?: number): void {
    const found = this.cluster.partition(topic, partition)
    if (found === undefined) throw new StateError('unknown-partition', `there is no partition ${topic}-${partition}`)
    const target = toNode ?? found.successors()[0]
    if (target === undefined) {
      throw new StateError('no-successor', `${topic}-${partition} has no other in-sync replica that is up`)
    }
    if (!found.replicas.includes(target) || !this.cluster.isUp(target)) {
      throw new StateError('no-replica', `broker ${target} has no running replica of ${topic}-${partition}`)
    }
    this.counter.note('move-leader')
    found.moveLeaderTo(target)
  }

  pauseReplication(node: number): void {
    this.counter.note('pause-replication')
    this.cluster.setCopying(node, false)
  }

  resumeReplication(node: number): void {
    this.cluster.setCopying(node, true)
  }

  dropFollower(node: number): void {
    for (const partition of this.cluster.allPartitions()) partition.dropFromIsr(node)
  }

  killMember(groupId: string, memberId: string): boolean {
    const members = this.groups.facts(groupId)?.members ?? []
    const victim = memberId === 'any' ? members[0]?.memberId : memberId
    if (victim === undefined || !members.some((member) => member.memberId === victim)) return false
    this.counter.note('kill-member')
    this.groups.kick(groupId, victim)
    return true
  }

  moveCoordinator(groupId: string, toNode?: number): void {
    this.counter.note('move-coordinator')
    this.groups.move(groupId, toNode)
  }

  moveTransactionCoordinator(transactionalId: string, toNode?: number): void {
    this.counter.note('move-transaction-coordinator')
    this.transactions.move(transactionalId, toNode)
  }

  injected(): Readonly<Partial<Record<FaultKind, number>>> {
    return this.counter.counts
  }

  #failOver(node: number): void {
    this.#unnoticed.get(node)?.cancel()
    this.#unnoticed.delete(node)
    this.cluster.noticeDeath(node)
    this.groups.leaveBroker(node)
    this.transactions.leaveBroker(node)
  }
}
