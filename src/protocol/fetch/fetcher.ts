import { brokerCode, brokerCodeName } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { FetchAnswer, FetchedPartition, Unreadable } from '../../connection/requests/fetch.js'
import type { AssignedPartition, FetchedRecords } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { Runtime } from '../../runtime/runtime.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import type { Cluster } from '../cluster/cluster.js'
import { Denials } from '../cluster/denials.js'
import { judgeFetchCode } from './codes.js'
import { FetchCursor, type Asked, type Place, type Question } from './fetch-cursor.js'
import { askForPlace, judgePlace, type Loss } from './place-check.js'
import { defectOf, fetchRefused, listenerThrew, unreadableRecords } from './failures.js'
import { FetchLoops } from './fetch-loops.js'
import type { FetcherEvents } from './fetcher-events.js'
import { KnownLogs } from './known-logs.js'
import { leftOutOf } from './left-out.js'
import { ReadSources } from './read-sources.js'
import { fetchedRecords, readableBatches } from './readable-batches.js'
import { StandingQuestions } from './standing-questions.js'

/** One fetch in flight per broker; no broker waits for another. */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: ConsumeContext['settings']
  readonly #events: FetcherEvents
  /** In the order in which they are asked for: what just gave records goes to the end, so a byte limit starves nobody. */
  readonly #partitions = new Map<string, FetchCursor>()
  readonly #paused = new Set<FetchCursor>()
  readonly #questions = new StandingQuestions()
  readonly logs: KnownLogs
  readonly #denials: Denials
  readonly #loops: FetchLoops
  readonly #sources: ReadSources
  readonly #closed = new AbortController()
  readonly #stopWatching: () => void
  #lastFetchAt: number | null = null

  constructor({ cluster, runtime, settings }: ConsumeContext, events: FetcherEvents) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#events = events
    this.logs = new KnownLogs(cluster)
    this.#denials = new Denials({ runtime, settings })
    this.#loops = new FetchLoops((node) => this.#fetchFrom(node), { runtime, settings })
    this.#sources = new ReadSources({ cluster, runtime, settings })
    this.#stopWatching = cluster.onChange(() => this.#leadersMayHaveMoved())
  }

  /** When a broker last answered; `null` = never. */
  get lastFetchAt(): number | null {
    return this.#lastFetchAt
  }

  /** Takes partitions in without asking for them yet; pause and seek already count. */
  hold(assigned: readonly AssignedPartition[], places: readonly Place[]): void {
    for (const [index, partition] of assigned.entries()) {
      const cursor = new FetchCursor(partition, this.#questions.changed, places[index])
      this.logs.add(partition, cursor)
      this.#partitions.set(partitionKey(partition.topic, partition.partition), cursor)
    }
  }

  /** Fetching of held partitions begins. */
  release(assigned: readonly AssignedPartition[]): void {
    for (const at of assigned) {
      const partition = this.#find(at)
      if (partition?.assigned.epoch !== at.epoch || partition.health.kind !== 'held') continue
      partition.becomeReady()
      this.#wakeSourceOf(partition)
    }
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition)
      const cursor = this.#partitions.get(key)
      if (cursor === undefined) continue
      cursor.become({ kind: 'gone' })
      this.#partitions.delete(key)
      this.#paused.delete(cursor)
      this.#denials.forget(key)
    }
  }

  pause(at: TopicPartition): void {
    const partition = this.#find(at)
    if (!partition) return
    partition.pause(this.#runtime.clock.now())
    this.#paused.add(partition)
  }

  resume(at: TopicPartition): void {
    const partition = this.#find(at)
    if (!partition) return
    partition.resume()
    this.#paused.delete(partition)
    this.#wakeSourceOf(partition)
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
    this.#wakeSourceOf(partition)
  }

  /** Stops a partition visibly. */
  fail(at: AssignedPartition, error: TidemarkError): void {
    const partition = this.#find(at)
    if (partition?.assigned.epoch === at.epoch) this.#fail(partition, error)
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
    this.#loops.close()
  }

  #find({ topic, partition }: TopicPartition): FetchCursor | undefined {
    return this.#partitions.get(partitionKey(topic, partition))
  }

  #wakeSourceOf(partition: FetchCursor): void {
    if (!partition.isDue || this.#closed.signal.aborted) return
    const node = this.#sources.of(partition)
    if (node < 0) {
      partition.become({ kind: 'awaiting-leader' })
      this.#cluster.noteStale(partition.assigned.topic)
      return
    }
    this.#loops.wake(node)
  }

  #leadersMayHaveMoved(): void {
    this.#questions.changed()
    for (const partition of this.#partitions.values()) {
      partition.turnTo(this.#cluster.leaderOf(partition.assigned))
      if (partition.health.kind !== 'awaiting-leader') continue
      if (this.#sources.of(partition) >= 0) partition.becomeReady()
      // The background refresh gives up on topics that nobody complains about any more.
      else this.#cluster.noteStale(partition.assigned.topic)
    }
    // Also of those that rest: what was read of a former log must not be committed, nor gone on with later.
    for (const partition of [...this.#partitions.values()]) {
      if (partition.health.kind === 'ready' || partition.health.kind === 'backing-off') this.#mayBeRead(partition)
    }
    for (const partition of this.#partitions.values()) this.#wakeSourceOf(partition)
  }

  /** One fetch; the loop goes round again as long as there is something to ask for. */
  async #fetchFrom(node: number): Promise<void> {
    const due = this.#questions.of(node, () => this.#dueAt(node))
    if (due.size === 0 || this.#closed.signal.aborted) return
    const { asked, request, session } = this.#sources.next(node, due, this.#paused)
    let answer: FetchAnswer
    try {
      const deadline = this.#runtime.clock.now() + request.maxWaitMs + this.#settings.requestTimeoutMs
      answer = await this.#cluster.connection.request(node, 'fetch', request, deadline, this.#closed.signal)
    } catch (failure) {
      return this.#requestFailed(node, [...asked.values()], failure)
    }
    if (this.#closed.signal.aborted) return
    this.#lastFetchAt = this.#runtime.clock.now()
    if (session?.answered(answer) === 'anew') this.#settings.logger.debug({ node }, 'a fetch session is begun anew')
    else if (answer.errorCode === brokerCode.NONE) this.#take(asked, answer)
    else for (const each of asked.values()) this.#notServed(each, brokerCodeName(answer.errorCode))
    this.#loops.wake(node)
  }

  #dueAt(node: number): Map<string, Asked> {
    const asked = new Map<string, Asked>()
    // What is added meanwhile comes too, and is held; what is removed does not.
    for (const [key, partition] of this.#partitions) {
      if (!partition.isDue) continue
      const source = this.#sources.of(partition)
      // Its time at this follower may just be over, of which nobody tells.
      if (partition.source.hasFollowed) this.#questions.changed()
      if (source !== node && partition.source.hasFollowed) this.#wakeSourceOf(partition)
      if (source !== node || !this.#mayBeRead(partition)) continue
      const { token, position } = partition
      asked.set(key, { partition, token, position, leader: this.#cluster.leaderOf(partition.assigned), node })
    }
    return asked
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
      if (answer.kind === 'told') this.#wakeSourceOf(partition)
      else this.#backOff({ partition, leader, node: leader.leader }, answer.reason)
    } catch (failure) {
      if (!isWanted()) return
      partition.becomeReady()
      this.#requestFailed(leader.leader, [{ partition, leader, node: leader.leader }], failure)
    }
  }

  #requestFailed(node: number, asked: readonly Question[], failure: unknown): void {
    if (this.#closed.signal.aborted) return
    if (failure instanceof RequestError && failure.isFinal) {
      this.#events.refused(failure)
      return
    }
    const reason = failure instanceof RequestError ? failure.failure : String(failure)
    this.#settings.logger.debug({ node, reason }, 'fetch failed; the leaders are looked up again')
    for (const each of asked) this.#notServed(each, reason)
  }

  /** A follower's trouble says nothing of the leader, which is asked at once. */
  #notServed(asked: Question, reason: string): void {
    if (asked.node === asked.leader.leader) return this.#backOff(asked, reason)
    this.#sources.followerFailed(asked, reason)
    this.#wakeSourceOf(asked.partition)
  }

  #take(asked: ReadonlyMap<string, Asked>, answer: FetchAnswer): void {
    for (const fetched of answer.partitions) {
      const key = partitionKey(fetched.topic, fetched.partition)
      const question = asked.get(key)
      if (!question) continue
      const { partition, token } = question
      const fromLeader = question.node === question.leader.leader
      if (fetched.errorCode === brokerCode.NONE) this.#events.endSeen(fetched, fromLeader ? 'leader' : 'follower')
      const isWanted = this.#partitions.get(key) === partition && partition.token === token && partition.isDue
      if (!isWanted) continue
      if (fetched.errorCode === brokerCode.NONE) this.#handOrFail(key, question, fetched)
      // Of a place where the reader is no more: another broker was asked as well, and gave records. It is asked for again.
      else if (question.position !== partition.position) continue
      else if (fromLeader) this.#refusedPartition(key, question, fetched.errorCode)
      else this.#notServed(question, brokerCodeName(fetched.errorCode))
    }
    const leftOut = leftOutOf(asked, answer)
    if (leftOut !== null) this.#events.endsStand(leftOut)
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
    const { partition, leader, node } = asked
    const fromLeader = node === leader.leader
    const named = fromLeader ? this.#sources.named(asked, fetched.preferredReadReplica ?? -1) : 'stays'
    // With a name no records come.
    if (named === 'failed-lately') return this.#backOff(asked, 'the leader names a follower that failed')
    if (!fromLeader) partition.source.followerServed()
    else if (partition.failures > 0) {
      this.#cluster.leaderServes(partition.assigned)
      partition.failures = 0
    }
    this.#denials.forget(key)
    const before = partition.position
    const { batches, nextOffset } = readableBatches(fetched, before, this.#settings.isolation)
    if (nextOffset !== before) {
      // Moved before it is told, so that a seek made by the listener has the last word.
      partition.readTo(nextOffset, fetched.batches)
      this.#partitions.delete(key)
      this.#partitions.set(key, partition)
      this.#tell(partition, fetchedRecords(fetched, partition.assigned.epoch, batches, nextOffset))
    }
    if (fetched.unreadable !== null && this.#isCurrent(partition) && partition.position === nextOffset) {
      // Behind what another broker gave meanwhile it says nothing of the place where the reader is.
      if (asked.position === before) this.#unreadable(asked, fetched.unreadable)
    }
    if (named !== 'follows') return
    this.#questions.changed()
    this.#wakeSourceOf(partition)
  }

  #tell(partition: FetchCursor, fetched: FetchedRecords): void {
    try {
      this.#events.records(fetched)
    } catch (cause) {
      this.#fail(partition, listenerThrew(partition.assigned, cause))
    }
  }

  #unreadable(asked: Asked, why: Unreadable): void {
    const { partition, leader, node } = asked
    if (node !== leader.leader) return this.#notServed(asked, why.code)
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

  #backOff({ partition, leader }: Question, reason: string): void {
    if (!this.#isCurrent(partition) || partition.health.kind !== 'ready') return
    const { topic, partition: number } = partition.assigned
    partition.failures += 1
    const delayMs = brokerBackoff(partition.failures, this.#runtime.random)
    this.#settings.logger.debug({ topic, partition: number, reason, delayMs }, 'partition is fetched again later')
    this.#cluster.leaderLost(partition.assigned, leader)
    const timer = this.#runtime.clock.setTimer(delayMs, () => {
      partition.becomeReady()
      this.#wakeSourceOf(partition)
    })
    partition.become({ kind: 'backing-off', failedAt: leader, timer })
    // Who leads now may have been told by the answer itself, or while it was awaited.
    partition.turnTo(this.#cluster.leaderOf(partition.assigned))
    this.#wakeSourceOf(partition)
  }

  #isCurrent(partition: FetchCursor): boolean {
    return this.#find(partition.assigned) === partition
  }
}
