import type { OutgoingRecords } from '../../../message/record.js'
import type { Clock } from '../../../runtime/clock.js'
import { EpochHistory } from './epoch-history.js'
import { PartitionLog } from './partition-log.js'
import type { ProducerOrigin, StoredBatch } from './stored-batch.js'
import type { TopicConfigs } from './topic-configs.js'

/** What a partition asks about the brokers that hold its replicas. */
export interface ReplicaHosts {
  isUp(node: number): boolean
  /** Up and following its leaders. */
  isCopying(node: number): boolean
}

/** A parked request. It is told of every change of high watermark, leader or in-sync replicas, and of deletion. */
export interface PartitionWatcher {
  partitionChanged(partition: Partition): void
}

/** The log of a partition of a cluster inside the process; offsets of the next record. */
export interface PartitionLogFacts {
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logEndOffset: number
}

/**
 * One partition and its replicas. A replica's log is always a prefix of the leader's, so one log and a length for each
 * replica say everything; a new leader cuts the log to its own length.
 */
export class Partition {
  readonly log = new PartitionLog()
  readonly epochs = new EpochHistory()
  #leader = -1
  #leaderEpoch = -1
  #isr: number[]
  #highWatermark = 0
  #deleted = false
  /** End offset of each replica's copy. */
  readonly #ends = new Map<number, number>()
  readonly #watchers = new Set<PartitionWatcher>()

  constructor(
    readonly topic: string,
    readonly index: number,
    readonly replicas: readonly number[],
    readonly configs: TopicConfigs,
    private readonly hosts: ReplicaHosts,
    private readonly clock: Clock,
    private readonly replicationDelayMs: number,
  ) {
    for (const replica of replicas) this.#ends.set(replica, 0)
    this.#isr = replicas.filter((replica) => hosts.isUp(replica))
    this.#lead(this.#isr[0]!)
  }

  /** -1 while there is none. */
  get leader(): number {
    return this.#leader
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  get isr(): readonly number[] {
    return this.#isr
  }

  get deleted(): boolean {
    return this.#deleted
  }

  /** Records below it are on every in-sync replica, and only they can be read. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** High watermark, held back by the first transaction whose end is not certain. */
  get lastStableOffset(): number {
    return Math.min(this.log.transactions.firstUnstableOffset(this.#highWatermark), this.#highWatermark)
  }

  /** How far `node` holds the log; -1 when it has no replica. */
  endAt(node: number): number {
    return this.#ends.get(node) ?? -1
  }

  /** Enough in-sync replicas for acks=all. */
  get hasEnoughReplicas(): boolean {
    return this.#isr.length >= Math.min(this.configs.minInsyncReplicas, this.replicas.length)
  }

  /** Not in sync while too few are, and yet they hold all that was acknowledged. */
  get eligible(): readonly number[] {
    if (this.hasEnoughReplicas) return []
    return this.replicas.filter((replica) => !this.#isr.includes(replica) && this.endAt(replica) >= this.#highWatermark)
  }

  get facts(): PartitionLogFacts {
    return {
      leader: this.#leader,
      leaderEpoch: this.#leaderEpoch,
      replicas: this.replicas,
      isr: [...this.#isr],
      logStartOffset: this.log.startOffset,
      highWatermark: this.#highWatermark,
      lastStableOffset: this.lastStableOffset,
      logEndOffset: this.log.endOffset,
    }
  }

  append(records: OutgoingRecords, origin: ProducerOrigin): StoredBatch {
    const batch = this.log.append(
      records,
      { ...origin, leaderEpoch: this.#leaderEpoch },
      this.configs.appendTime ? this.clock.wallTime() : null,
    )
    if (this.configs.retentionBytes >= 0) this.log.retain(this.configs.retentionBytes)
    this.#replicate()
    return batch
  }

  appendMarker(control: 'abort' | 'commit', producerId: number, producerEpoch: number): StoredBatch {
    const origin = { producerId, producerEpoch, leaderEpoch: this.#leaderEpoch }
    const batch = this.log.appendMarker(control, origin, this.clock.wallTime())
    this.#replicate()
    return batch
  }

  watch(watcher: PartitionWatcher): void {
    this.#watchers.add(watcher)
  }

  unwatch(watcher: PartitionWatcher): void {
    this.#watchers.delete(watcher)
  }

  delete(): void {
    this.#deleted = true
    this.#leader = -1
    this.#tellWatchers()
  }

  /** The controller learnt that a broker is gone: it leaves the in-sync replicas, and another one leads. */
  brokerGone(node: number): void {
    if (!this.#ends.has(node)) return
    // The last in-sync replica stays listed: it alone may lead again without losing records.
    if (this.#isr.length > 1) this.#isr = this.#isr.filter((replica) => replica !== node)
    if (this.#leader === node) this.#elect()
    this.#changed()
  }

  /** A broker is back: it leads what has no leader if it may, and copies the rest. */
  brokerBack(node: number): void {
    if (!this.#ends.has(node)) return
    if (this.#leader === -1) this.#elect()
    this.#replicate()
  }

  /** A follower that did not copy for a while goes on. */
  resumeCopying(): void {
    this.#replicate()
  }

  /** A follower that is up but did not keep up leaves the in-sync replicas. */
  dropFromIsr(node: number): void {
    if (node === this.#leader || !this.#isr.includes(node)) return
    // Without a leader nobody shrinks the list, and its last replica alone may lead again.
    if (this.#leader === -1) return
    this.#isr = this.#isr.filter((replica) => replica !== node)
    this.#changed()
  }

  /** Makes a replica the leader. What it has not copied is lost, so only an in-sync one keeps what acks=all confirmed. */
  moveLeaderTo(node: number): void {
    if (!this.#isr.includes(node)) this.#isr = [node]
    this.#lead(node)
    this.#changed()
  }

  /** In-sync replicas that could lead instead of the present leader, in order. */
  successors(): readonly number[] {
    return this.replicas.filter(
      (replica) => replica !== this.#leader && this.#isr.includes(replica) && this.hosts.isUp(replica),
    )
  }

  #elect(): void {
    const [next] = this.successors()
    if (next !== undefined) {
      this.#lead(next)
      return
    }
    const unclean = this.configs.uncleanElection
      ? this.replicas.find((replica) => this.hosts.isUp(replica) && replica !== this.#leader)
      : undefined
    if (unclean === undefined) {
      this.#leader = -1
      this.#leaderEpoch += 1
      return
    }
    this.#isr = [unclean]
    this.#lead(unclean)
  }

  #lead(node: number): void {
    this.#leader = node
    this.#leaderEpoch += 1
    const end = this.#ends.get(node)!
    this.log.truncate(end)
    this.epochs.truncate(end)
    this.epochs.begin(this.#leaderEpoch, end)
    for (const [replica, replicaEnd] of this.#ends) if (replicaEnd > end) this.#ends.set(replica, end)
    this.#highWatermark = Math.min(this.#highWatermark, end)
    this.#replicate()
  }

  /** Followers copy what the leader has now, at once or after the replication delay. */
  #replicate(): void {
    if (this.#leader === -1) return
    const end = this.log.endOffset
    this.#ends.set(this.#leader, end)
    if (this.replicationDelayMs === 0) {
      this.#followersReach(end)
      return
    }
    const epoch = this.#leaderEpoch
    this.clock.setTimer(this.replicationDelayMs, () => {
      if (epoch === this.#leaderEpoch && !this.#deleted) this.#followersReach(end)
    })
    this.#changed()
  }

  #followersReach(end: number): void {
    for (const replica of this.replicas) {
      if (replica === this.#leader || !this.hosts.isCopying(replica)) continue
      if (end > this.#ends.get(replica)!) this.#ends.set(replica, end)
      if (!this.#isr.includes(replica) && this.#ends.get(replica)! >= this.#highWatermark) this.#joinIsr(replica)
    }
    this.#changed()
  }

  #joinIsr(node: number): void {
    this.#isr = this.replicas.filter((replica) => replica === node || this.#isr.includes(replica))
  }

  #changed(): void {
    let lowest = Infinity
    for (const replica of this.#isr) lowest = Math.min(lowest, this.#ends.get(replica)!)
    if (lowest > this.#highWatermark && this.#leader !== -1) this.#highWatermark = lowest
    this.#tellWatchers()
  }

  #tellWatchers(): void {
    if (this.#watchers.size === 0) return
    for (const watcher of [...this.#watchers]) watcher.partitionChanged(this)
  }
}
