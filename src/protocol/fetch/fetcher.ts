import { brokerCode, brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { FetchAnswer, FetchedPartition, FetchRequest } from '../../connection/requests/fetch.js'
import type { AssignedPartition, ConsumerSettings, FetchedRecords } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { exponential } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import { SupervisedLoop } from '../../runtime/supervised-loop.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { Cluster } from '../cluster/cluster.js'
import { judgeFetchCode } from './codes.js'
import { FetchCursor } from './fetch-cursor.js'
import { readableBatches } from './readable-batches.js'

interface FetcherEvents {
  /** A broker told where the log ends. */
  endSeen(fetched: FetchedPartition): void
  records(fetched: FetchedRecords): void
  /** The broker refused the position. The partition waits for `seek` or `fail`. */
  outOfRange(partition: AssignedPartition, position: number): void
  /** The partition is not fetched any more, until `seek`. */
  partitionFailed(partition: AssignedPartition, error: TidemarkError): void
  /** The cluster refuses this client altogether. */
  refused(error: TidemarkError): void
}

type FetcherSettings = Pick<ConsumerSettings, 'fetch' | 'isolation' | 'requestTimeoutMs' | 'logger' | 'metrics'>

/** What was asked of one partition: the answer counts only while nobody has set the position meanwhile. */
interface Asked {
  readonly partition: FetchCursor
  readonly token: number
}

/** A defect will most likely be met again: no reason to hurry, and none to give up. */
const crashBackoff = exponential({ initialMs: 500, maxMs: 30_000 })

/** One fetch in flight per broker; no broker waits for another. */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: FetcherSettings
  readonly #events: FetcherEvents
  /** In the order in which they are asked for: what just gave records goes to the end, so a byte limit starves nobody. */
  readonly #partitions = new Map<string, FetchCursor>()
  readonly #loops = new Map<number, SupervisedLoop>()
  readonly #closed = new AbortController()
  readonly #stopWatching: () => void
  #lastFetchAt: number | null = null

  constructor(cluster: Cluster, runtime: Runtime, settings: FetcherSettings, events: FetcherEvents) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#events = events
    this.#stopWatching = cluster.onChange(() => this.#leadersMayHaveMoved())
  }

  /** When a broker last answered; `null` = never. */
  get lastFetchAt(): number | null {
    return this.#lastFetchAt
  }

  /** Takes partitions in without asking for them yet; pause and seek already count. */
  hold(assigned: readonly AssignedPartition[]): void {
    for (const partition of assigned) {
      this.#partitions.set(partitionKey(partition.topic, partition.partition), new FetchCursor(partition))
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

  /** Also takes up a failed partition again. */
  seek(at: TopicPartition, offset: number): void {
    const partition = this.#find(at)
    if (!partition) return
    partition.moveTo(offset)
    if (partition.health.kind === 'held') return
    partition.becomeReady()
    this.#wakeLeaderOf(partition)
  }

  /** Stops a partition visibly. */
  fail(at: AssignedPartition, error: TidemarkError): void {
    const partition = this.#find(at)
    if (partition?.assigned.epoch === at.epoch) this.#fail(partition, error)
  }

  /** Does the partition, still under that epoch, wait at the refused `position`? */
  isOutOfRange(at: AssignedPartition, position: number): boolean {
    const partition = this.#find(at)
    return (
      partition?.assigned.epoch === at.epoch &&
      partition.health.kind === 'out-of-range' &&
      partition.position === position
    )
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
    return this.#cluster.partition(assigned.topic, assigned.partition)?.leader ?? -1
  }

  #wakeAll(): void {
    for (const partition of this.#partitions.values()) this.#wakeLeaderOf(partition)
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
        onCrash: (error, restartMs) => this.#crashed(node, error, restartMs),
      })
      this.#loops.set(node, loop)
    }
    return loop
  }

  #crashed(node: number, error: unknown, restartMs: number): void {
    const { logger, metrics } = this.#settings
    metrics.count('tidemark_consumer_crashes_total', {})
    logger.error({ node, error, restartMs }, 'the fetch loop met a defect and starts again; please report it')
  }

  #leadersMayHaveMoved(): void {
    for (const partition of this.#partitions.values()) {
      if (partition.health.kind !== 'awaiting-leader') continue
      if (this.#leaderOf(partition) >= 0) partition.becomeReady()
      // The background refresh gives up on topics that nobody complains about any more.
      else this.#cluster.noteStale(partition.assigned.topic)
    }
    this.#wakeAll()
  }

  /** One fetch; the loop goes round again as long as there is something to ask for. */
  async #fetchFrom(node: number): Promise<void> {
    const asked = this.#dueAt(node)
    if (asked.size === 0 || this.#closed.signal.aborted) return
    let answer: FetchAnswer
    try {
      const maxWaitMs = this.#patience(node)
      const deadline = this.#runtime.clock.now() + maxWaitMs + this.#settings.requestTimeoutMs
      const request = this.#requestFor(asked, maxWaitMs)
      answer = await this.#cluster.connection.request(node, 'fetch', request, deadline, this.#closed.signal)
    } catch (failure) {
      this.#requestFailed(node, asked, failure)
      return
    }
    if (this.#closed.signal.aborted) return
    this.#lastFetchAt = this.#runtime.clock.now()
    if (answer.errorCode === brokerCode.NONE) this.#take(asked, answer)
    else for (const { partition } of asked.values()) this.#backOff(partition, brokerCodeName(answer.errorCode))
    this.#loopOf(node).wake()
  }

  #dueAt(node: number): Map<string, Asked> {
    const asked = new Map<string, Asked>()
    for (const [key, partition] of this.#partitions) {
      if (!partition.isDue) continue
      if (this.#leaderOf(partition) === node) asked.set(key, { partition, token: partition.token })
    }
    return asked
  }

  /**
   * How long the broker may wait for records. A paused partition cannot be asked for before the answer is there, so that
   * is no longer than it has been paused already: a short pause is not made long, a long one costs few requests.
   */
  #patience(node: number): number {
    const now = this.#runtime.clock.now()
    let waitMs = this.#settings.fetch.maxWaitMs
    for (const partition of this.#partitions.values()) {
      if (partition.pausedAt === null || now - partition.pausedAt >= waitMs) continue
      if (partition.health.kind === 'ready' && this.#leaderOf(partition) === node) waitMs = now - partition.pausedAt
    }
    return Math.max(1, waitMs)
  }

  #requestFor(asked: ReadonlyMap<string, Asked>, maxWaitMs: number): FetchRequest {
    const { minBytes, maxBytes, partitionMaxBytes } = this.#settings.fetch
    const partitions: FetchRequest['partitions'][number][] = []
    for (const { partition } of asked.values()) {
      const { topic, partition: number } = partition.assigned
      partitions.push({
        topic,
        partition: number,
        topicId: this.#cluster.topic(topic)?.topicId ?? null,
        currentLeaderEpoch: this.#cluster.partition(topic, number)?.leaderEpoch ?? -1,
        fetchOffset: partition.position,
        partitionMaxBytes,
      })
    }
    return { api: 'fetch', maxWaitMs, minBytes, maxBytes, isolation: this.#settings.isolation, partitions }
  }

  #requestFailed(node: number, asked: ReadonlyMap<string, Asked>, failure: unknown): void {
    if (this.#closed.signal.aborted) return
    if (failure instanceof RequestError && (failure.failure === 'refused' || failure.failure === 'unsupported')) {
      this.#events.refused(failure)
      return
    }
    const reason = failure instanceof RequestError ? failure.failure : String(failure)
    this.#settings.logger.debug({ node, reason }, 'fetch failed; the leaders are looked up again')
    for (const { partition } of asked.values()) if (this.#isCurrent(partition)) this.#backOff(partition, reason)
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
      if (fetched.errorCode === brokerCode.NONE) this.#handOrFail(key, partition, fetched)
      else this.#refusedPartition(partition, fetched.errorCode)
    }
  }

  /** A defect in one partition's answer must not keep the others from theirs. */
  #handOrFail(key: string, partition: FetchCursor, fetched: FetchedPartition): void {
    try {
      this.#hand(key, partition, fetched)
    } catch (cause) {
      const { topic, partition: number } = partition.assigned
      const message = `what was fetched of ${topic}-${number} met a defect; report it with its cause`
      this.#fail(partition, new DriverError('defect', message, { cause, topic, partition: number }))
    }
  }

  #hand(key: string, partition: FetchCursor, fetched: FetchedPartition): void {
    partition.failures = 0
    const before = partition.position
    const { batches, nextOffset } = readableBatches(fetched, before, this.#settings.isolation)
    if (nextOffset !== before) {
      // Moved before it is told, so that a seek made by the listener has the last word.
      partition.position = nextOffset
      this.#partitions.delete(key)
      this.#partitions.set(key, partition)
      this.#tell(partition, {
        topic: fetched.topic,
        partition: fetched.partition,
        epoch: partition.assigned.epoch,
        batches,
        nextOffset,
        highWatermark: fetched.highWatermark,
        lastStableOffset: fetched.lastStableOffset,
        sizeBytes: fetched.sizeBytes,
      })
    }
    if (fetched.corrupt !== null && this.#isCurrent(partition) && partition.position === nextOffset) {
      this.#corrupt(partition, fetched.corrupt)
    }
  }

  #tell(partition: FetchCursor, fetched: FetchedRecords): void {
    try {
      this.#events.records(fetched)
    } catch (cause) {
      const { topic, partition: number } = partition.assigned
      this.#fail(
        partition,
        new DriverError('listener-threw', `the consumer's own code threw on records of ${topic}-${number}: a defect`, {
          cause,
          topic,
          partition: number,
        }),
      )
    }
  }

  #corrupt(partition: FetchCursor, reason: string): void {
    if (partition.corruptAt !== partition.position) {
      partition.corruptAt = partition.position
      this.#backOff(partition, 'corrupt')
      return
    }
    const { topic, partition: number } = partition.assigned
    const offset = partition.position
    this.#fail(
      partition,
      new DriverError(
        'corrupt-record',
        `the records of ${topic}-${number} at offset ${offset} cannot be read (${reason}), also when fetched again; ` +
          'restore the partition from a replica, or seek past the damage and accept the loss',
        { topic, partition: number, offset },
      ),
    )
  }

  #refusedPartition(partition: FetchCursor, code: number): void {
    const { topic, partition: number } = partition.assigned
    switch (judgeFetchCode(code)) {
      case 'out-of-range':
        partition.become({ kind: 'out-of-range' })
        this.#events.outOfRange(partition.assigned, partition.position)
        return
      case 'corrupt':
        this.#corrupt(partition, brokerCodeName(code))
        return
      case 'look-up-again':
        this.#backOff(partition, brokerCodeName(code))
        return
      case 'fail':
        this.#fail(
          partition,
          brokerError(code, `fetching ${topic}-${number}`, { topic, partition: number, offset: partition.position }),
        )
    }
  }

  #fail(partition: FetchCursor, error: TidemarkError): void {
    if (!this.#isCurrent(partition)) return
    partition.become({ kind: 'failed' })
    this.#events.partitionFailed(partition.assigned, error)
  }

  #backOff(partition: FetchCursor, reason: string): void {
    if (!this.#isCurrent(partition) || partition.health.kind !== 'ready') return
    const { topic, partition: number } = partition.assigned
    partition.failures += 1
    const delayMs = brokerBackoff(partition.failures, this.#runtime.random)
    this.#settings.logger.debug({ topic, partition: number, reason, delayMs }, 'partition is fetched again later')
    this.#cluster.noteStale(topic)
    const timer = this.#runtime.clock.setTimer(delayMs, () => {
      partition.becomeReady()
      this.#wakeLeaderOf(partition)
    })
    partition.become({ kind: 'backing-off', timer })
  }

  #isCurrent(partition: FetchCursor): boolean {
    return this.#find(partition.assigned) === partition
  }
}
