import { brokerCode, brokerCodeName } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { FetchAnswer, FetchedPartition, Unreadable } from '../../connection/requests/fetch.js'
import type { AssignedPartition, FetchedRecords } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { EpochRange } from '../../offsets/leader-epochs.js'
import { exponential } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import { SupervisedLoop } from '../../runtime/supervised-loop.js'
import { tell } from '../../telemetry/tell.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import type { Cluster } from '../cluster/cluster.js'
import { Denials } from '../cluster/denials.js'
import { judgeFetchCode } from './codes.js'
import { FetchCursor, type Asked, type Place } from './fetch-cursor.js'
import { askForPlace, isInAnotherLog, judgePlace, type Loss } from './place-check.js'
import { defectOf, fetchRefused, listenerThrew, unreadableRecords } from './failures.js'
import { fetchRequest, patience } from './fetch-request.js'
import type { FetcherEvents } from './fetcher-events.js'
import { readableBatches } from './readable-batches.js'

/** A defect will most likely be met again: no reason to hurry, and none to give up. */
const crashBackoff = exponential({ initialMs: 500, maxMs: 30_000 })

/** One fetch in flight per broker; no broker waits for another. */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: ConsumeContext['settings']
  readonly #events: FetcherEvents
  /** In the order in which they are asked for: what just gave records goes to the end, so a byte limit starves nobody. */
  readonly #partitions = new Map<string, FetchCursor>()
  /** Outlives the time in which the partition is fetched: the last commit comes after that. */
  readonly #cursors = new WeakMap<AssignedPartition, FetchCursor>()
  readonly #denials: Denials
  readonly #loops = new Map<number, SupervisedLoop>()
  readonly #closed = new AbortController()
  readonly #stopWatching: () => void
  #lastFetchAt: number | null = null

  constructor({ cluster, runtime, settings }: ConsumeContext, events: FetcherEvents) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#events = events
    this.#denials = new Denials({ runtime, settings })
    this.#stopWatching = cluster.onChange(() => this.#leadersMayHaveMoved())
  }

  /** When a broker last answered; `null` = never. */
  get lastFetchAt(): number | null {
    return this.#lastFetchAt
  }

  /** Takes partitions in without asking for them yet; pause and seek already count. */
  hold(assigned: readonly AssignedPartition[], places: readonly Place[]): void {
    for (const [index, partition] of assigned.entries()) {
      const cursor = new FetchCursor(partition, places[index])
      this.#cursors.set(partition, cursor)
      this.#partitions.set(partitionKey(partition.topic, partition.partition), cursor)
    }
  }

  /** Fetching of held partitions begins. */
  release(assigned: readonly AssignedPartition[]): void {
    for (const at of assigned) {
      const partition = this.#find(at)
      if (partition?.assigned.epoch !== at.epoch || partition.health.kind !== 'held') continue
      partition.becomeReady()
      this.#wakeLeaderOf(partition)
    }
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition)
      this.#partitions.get(key)?.become({ kind: 'gone' })
      this.#partitions.delete(key)
      this.#denials.forget(key)
    }
  }

  pause(at: TopicPartition): void {
    const partition = this.#find(at)
    if (partition) partition.pausedAt ??= this.#runtime.clock.now()
  }

  resume(at: TopicPartition): void {
    const partition = this.#find(at)
    if (!partition) return
    partition.pausedAt = null
    this.#wakeLeaderOf(partition)
  }

  /** Also takes up a failed partition again. `start`: where the log that was read begins now. */
  seek(at: TopicPartition, offset: number, log: 'now' | 'read' | 'start' = 'now'): void {
    const partition = this.#find(at)
    if (!partition) return
    if (log === 'read') partition.moveWithin(offset)
    else if (log === 'start') partition.moveToStart(offset)
    else partition.moveTo(offset, this.#cluster.topic(at.topic)?.topicId ?? partition.topicId)
    if (partition.health.kind === 'held') return
    partition.becomeReady()
    this.#wakeLeaderOf(partition)
  }

  /** Stops a partition visibly. */
  fail(at: AssignedPartition, error: TidemarkError): void {
    const partition = this.#find(at)
    if (partition?.assigned.epoch === at.epoch) this.#fail(partition, error)
  }

  /** Whose log its offsets count in; `null` while brokers do not tell. Also after `remove`. */
  topicIdOf(at: AssignedPartition): string | null {
    return this.#cursors.get(at)?.topicId ?? null
  }

  /** How often the position was set from outside. Also after `remove`. */
  seeksOf(at: AssignedPartition): number {
    return this.#cursors.get(at)?.token ?? 0
  }

  /** Which leader wrote the last record before `offset`, as far as it was read; -1 when unknown. Also after `remove`. */
  leaderEpochBefore(at: AssignedPartition, offset: number): number {
    return this.#cursors.get(at)?.epochs.before(offset) ?? -1
  }

  /** Which leaders wrote what was read from `from` up to `to`. Also after `remove`. */
  leaderEpochs(at: AssignedPartition, from: number, to: number): readonly EpochRange[] {
    return this.#cursors.get(at)?.epochs.within(from, to) ?? []
  }

  /**
   * Does the offset count in another log, of a topic of that name that brokers have named since the partition was assigned, or
   * beyond where the log was found to be cut? Also after `remove`.
   */
  isInAnotherLog(at: AssignedPartition, offset: number): boolean {
    const cursor = this.#cursors.get(at)
    if (cursor === undefined) return false
    return offset > (cursor.cutFrom ?? Infinity) || isInAnotherLog(cursor, this.#cluster)
  }

  /** Does the partition, still under that epoch, wait at the refused `position`? */
  isOutOfRange(at: AssignedPartition, position: number): boolean {
    const partition = this.#find(at)
    if (partition?.assigned.epoch !== at.epoch || partition.health.kind !== 'out-of-range') return false
    return partition.position === position
  }

  /** No event comes after this. */
  close(): void {
    this.#closed.abort(new DriverError('closed', 'the consumer was closed'))
    this.#stopWatching()
    for (const partition of this.#partitions.values()) partition.become({ kind: 'gone' })
    this.#partitions.clear()
    for (const loop of this.#loops.values()) loop.close()
  }

  #find({ topic, partition }: TopicPartition): FetchCursor | undefined {
    return this.#partitions.get(partitionKey(topic, partition))
  }

  #leaderOf({ assigned }: FetchCursor): number {
    return this.#cluster.leaderOf(assigned).leader
  }

  #wakeLeaderOf(partition: FetchCursor): void {
    if (!partition.isDue || this.#closed.signal.aborted) return
    const leader = this.#leaderOf(partition)
    if (leader < 0) {
      partition.become({ kind: 'awaiting-leader' })
      this.#cluster.noteStale(partition.assigned.topic)
      return
    }
    this.#loopOf(leader).wake()
  }

  #loopOf(node: number): SupervisedLoop {
    let loop = this.#loops.get(node)
    if (!loop) {
      loop = new SupervisedLoop(() => this.#fetchFrom(node), {
        runtime: this.#runtime,
        backoff: crashBackoff,
        onCrash: (error, restartMs) => tell(this.#settings, { kind: 'fetch-crashed', node, error, restartMs }),
      })
      this.#loops.set(node, loop)
    }
    return loop
  }

  #leadersMayHaveMoved(): void {
    for (const partition of this.#partitions.values()) {
      partition.turnTo(this.#cluster.leaderOf(partition.assigned))
      if (partition.health.kind !== 'awaiting-leader') continue
      if (this.#leaderOf(partition) >= 0) partition.becomeReady()
      // The background refresh gives up on topics that nobody complains about any more.
      else this.#cluster.noteStale(partition.assigned.topic)
    }
    // Also of those that rest: what was read of a former log must not be committed, nor gone on with later.
    for (const partition of [...this.#partitions.values()]) {
      if (partition.health.kind === 'ready' || partition.health.kind === 'backing-off') this.#mayBeRead(partition)
    }
    for (const partition of this.#partitions.values()) this.#wakeLeaderOf(partition)
  }

  /** One fetch; the loop goes round again as long as there is something to ask for. */
  async #fetchFrom(node: number): Promise<void> {
    const asked = this.#dueAt(node)
    if (asked.size === 0 || this.#closed.signal.aborted) return
    const cursors = [...asked.values()].map(({ partition }) => partition)
    let answer: FetchAnswer
    try {
      const maxWaitMs = this.#patienceAt(node)
      const deadline = this.#runtime.clock.now() + maxWaitMs + this.#settings.requestTimeoutMs
      const request = fetchRequest(cursors, maxWaitMs, this.#settings)
      answer = await this.#cluster.connection.request(node, 'fetch', request, deadline, this.#closed.signal)
    } catch (failure) {
      return this.#requestFailed(node, [...asked.values()], failure)
    }
    if (this.#closed.signal.aborted) return
    this.#lastFetchAt = this.#runtime.clock.now()
    if (answer.errorCode === brokerCode.NONE) this.#take(asked, answer)
    else for (const each of asked.values()) this.#backOff(each, brokerCodeName(answer.errorCode))
    this.#loopOf(node).wake()
  }

  #dueAt(node: number): Map<string, Asked> {
    const asked = new Map<string, Asked>()
    for (const [key, partition] of [...this.#partitions]) {
      const leader = this.#cluster.leaderOf(partition.assigned)
      if (!partition.isDue || leader.leader !== node || !this.#mayBeRead(partition)) continue
      asked.set(key, { partition, token: partition.token, leader })
    }
    return asked
  }

  #patienceAt(node: number): number {
    const ofNode = [...this.#partitions.values()].filter((partition) => this.#leaderOf(partition) === node)
    return patience(ofNode, this.#settings.fetch.maxWaitMs, this.#runtime.clock.now())
  }

  #mayBeRead(partition: FetchCursor): boolean {
    const verdict = judgePlace(partition, this.#cluster)
    if (verdict === 'good') return true
    if (verdict === 'another-log') this.#lose(partition, { kind: 'another-log' })
    else if (partition.isDue) void this.#checkPlace(partition) // never rejects
    return false
  }

  #lose(partition: FetchCursor, loss: Loss): void {
    partition.become({ kind: 'out-of-range' })
    if (loss.kind === 'cut') partition.cutFrom = loss.from ?? 0
    this.#events.outOfRange(partition.assigned, partition.position, loss)
  }

  async #checkPlace(partition: FetchCursor): Promise<void> {
    const leader = this.#cluster.leaderOf(partition.assigned)
    const { token } = partition
    const { requestTimeoutMs } = this.#settings
    partition.become({ kind: 'checking' })
    const isWanted = () =>
      this.#isCurrent(partition) && partition.token === token && partition.health.kind === 'checking'
    try {
      const parts = { cluster: this.#cluster, runtime: this.#runtime, requestTimeoutMs, signal: this.#closed.signal }
      const answer = await askForPlace(partition, leader.leader, parts)
      if (!isWanted()) return
      if (answer.kind === 'told' && answer.loss !== null) return this.#lose(partition, answer.loss)
      partition.becomeReady()
      if (answer.kind === 'told') this.#wakeLeaderOf(partition)
      else this.#backOff({ partition, leader }, answer.reason)
    } catch (failure) {
      if (!isWanted()) return
      partition.becomeReady()
      this.#requestFailed(leader.leader, [{ partition, leader }], failure)
    }
  }

  #requestFailed(node: number, asked: readonly Omit<Asked, 'token'>[], failure: unknown): void {
    if (this.#closed.signal.aborted) return
    if (failure instanceof RequestError && failure.isFinal) {
      this.#events.refused(failure)
      return
    }
    const reason = failure instanceof RequestError ? failure.failure : String(failure)
    this.#settings.logger.debug({ node, reason }, 'fetch failed; the leaders are looked up again')
    for (const each of asked) this.#backOff(each, reason)
  }

  #take(asked: ReadonlyMap<string, Asked>, answer: FetchAnswer): void {
    for (const fetched of answer.partitions) {
      const key = partitionKey(fetched.topic, fetched.partition)
      const question = asked.get(key)
      if (!question) continue
      const { partition, token } = question
      if (fetched.errorCode === brokerCode.NONE) this.#events.endSeen(fetched)
      const isWanted = this.#partitions.get(key) === partition && partition.token === token && partition.isDue
      if (!isWanted) continue
      if (fetched.errorCode === brokerCode.NONE) this.#handOrFail(key, question, fetched)
      else this.#refusedPartition(key, question, fetched.errorCode)
    }
  }

  /** A defect in one partition's answer must not keep the others from theirs. */
  #handOrFail(key: string, asked: Asked, fetched: FetchedPartition): void {
    try {
      this.#hand(key, asked, fetched)
    } catch (cause) {
      this.#fail(asked.partition, defectOf(asked.partition.assigned, cause))
    }
  }

  #hand(key: string, asked: Asked, fetched: FetchedPartition): void {
    const { partition } = asked
    if (partition.failures > 0) this.#cluster.leaderServes(partition.assigned)
    partition.failures = 0
    this.#denials.forget(key)
    const before = partition.position
    const { batches, nextOffset } = readableBatches(fetched, before, this.#settings.isolation)
    if (nextOffset !== before) {
      // Moved before it is told, so that a seek made by the listener has the last word.
      partition.readTo(nextOffset, fetched.batches)
      this.#partitions.delete(key)
      this.#partitions.set(key, partition)
      const { topic, partition: number, highWatermark, lastStableOffset, sizeBytes } = fetched
      const ends = { highWatermark, lastStableOffset }
      const { epoch } = partition.assigned
      this.#tell(partition, { topic, partition: number, epoch, batches, nextOffset, ...ends, sizeBytes })
    }
    if (fetched.unreadable !== null && this.#isCurrent(partition) && partition.position === nextOffset) {
      this.#unreadable(asked, fetched.unreadable)
    }
  }

  #tell(partition: FetchCursor, fetched: FetchedRecords): void {
    try {
      this.#events.records(fetched)
    } catch (cause) {
      this.#fail(partition, listenerThrew(partition.assigned, cause))
    }
  }

  #unreadable(asked: Asked, why: Unreadable): void {
    const { partition } = asked
    if (partition.unreadableAt !== partition.position) {
      partition.unreadableAt = partition.position
      this.#backOff(asked, why.code)
      return
    }
    this.#fail(partition, unreadableRecords(partition.assigned, partition.position, why))
  }

  #refusedPartition(key: string, asked: Asked, code: number): void {
    const { partition } = asked
    const error = fetchRefused(partition.assigned, partition.position, code)
    switch (judgeFetchCode(code)) {
      case 'out-of-range':
        this.#lose(partition, { kind: 'outside' })
        return
      case 'corrupt':
        this.#unreadable(asked, { code: 'corrupt-record', reason: brokerCodeName(code) })
        return
      case 'look-up-again':
        this.#backOff(asked, brokerCodeName(code))
        return
      case 'fail':
        if (this.#denials.isFinal(key, error)) this.#fail(partition, error)
        else this.#backOff(asked, brokerCodeName(code))
    }
  }

  #fail(partition: FetchCursor, error: TidemarkError): void {
    if (!this.#isCurrent(partition)) return
    partition.become({ kind: 'failed' })
    this.#events.partitionFailed(partition.assigned, error)
  }

  #backOff({ partition, leader }: Omit<Asked, 'token'>, reason: string): void {
    if (!this.#isCurrent(partition) || partition.health.kind !== 'ready') return
    const { topic, partition: number } = partition.assigned
    partition.failures += 1
    const delayMs = brokerBackoff(partition.failures, this.#runtime.random)
    this.#settings.logger.debug({ topic, partition: number, reason, delayMs }, 'partition is fetched again later')
    this.#cluster.leaderLost(partition.assigned, leader)
    const timer = this.#runtime.clock.setTimer(delayMs, () => {
      partition.becomeReady()
      this.#wakeLeaderOf(partition)
    })
    partition.become({ kind: 'backing-off', failedAt: leader, timer })
    // Who leads now may have been told by the answer itself, or while it was awaited.
    partition.turnTo(this.#cluster.leaderOf(partition.assigned))
    this.#wakeLeaderOf(partition)
  }

  #isCurrent(partition: FetchCursor): boolean {
    return this.#find(partition.assigned) === partition
  }
}
