import { brokerCode } from '../../connection/broker-error.js'
import type { LeaderHint } from '../../connection/requests/metadata.js'
import type { ProduceBatch, RefusedRecord } from '../../connection/requests/produce.js'
import { recalledCode, type BatchOutcome, type OutgoingBatch, type ProducerSettings } from '../../driver/producer.js'
import { DriverError, type FencedError } from '../../errors.js'
import { exponential } from '../../runtime/backoff.js'
import type { Timer } from '../../runtime/clock.js'
import { Linked } from '../../runtime/linked-set.js'
import type { Runtime } from '../../runtime/runtime.js'
import { tell } from '../../telemetry/tell.js'
import type { Cluster } from '../cluster/cluster.js'
import type { BrokerQueue, BrokerQueueItem } from './broker-queue.js'
import { decide, isDenied, mayHaveAppended, type AttemptEnd, type Decision, type IdentityNews } from './decision.js'
import type { IdentityWaiter, PartitionIdentity } from './identity.js'
import type { DelayedDeliveries } from './delayed-deliveries.js'
import type { LastStored } from './last-stored.js'

/** What the deliveries of one partition share. */
export interface PartitionParts {
  readonly identity: PartitionIdentity
  readonly lastStored: LastStored
  /** Handed over last, as long as it has not ended. */
  out: BatchDelivery | null
}

/** What every delivery of one producer shares. */
export interface BatchDeliveryParts {
  readonly runtime: Runtime
  readonly cluster: Cluster
  readonly settings: ProducerSettings
  readonly delayed: Pick<DelayedDeliveries, 'met'>
  queue(node: number): BrokerQueue
  /** Called once for each, before who handed it over is told. */
  finished(delivery: BatchDelivery, outcome: BatchOutcome): void
}

/**
 * Where a batch is.
 *
 * | state              | waits for                            | leaves to                                              |
 * |--------------------|--------------------------------------|--------------------------------------------------------|
 * | new                | –                                    | any but in-flight and backing-off                      |
 * | waiting-for-id     | a producer id                        | waiting-for-leader, in-queue                           |
 * | waiting-for-leader | metadata that names a leader         | waiting-for-leader (asks again), in-queue              |
 * | in-queue           | room for a request to that broker    | in-flight; waiting-for-leader, in-queue (leader moved) |
 * | in-flight          | the answer                           | backing-off, withdrawing                               |
 * | withdrawing        | the word that it was never written   | –                                                      |
 * | backing-off        | its delay; shorter for a new leader  | waiting-for-id, waiting-for-leader, in-queue           |
 * | done               | –                                    | –                                                      |
 *
 * Every state leaves to `done` at the deadline and on close, and only in-flight can put the batch in doubt. A batch in flight
 * whose request was not written yet (the lane still connects, or compresses) is withdrawn then, and is in no doubt.
 */
type Place =
  | { readonly state: 'new' | 'waiting-for-id' | 'done' }
  | { readonly state: 'waiting-for-leader'; readonly askAgain: Timer }
  | { readonly state: 'in-queue' | 'in-flight'; readonly leader: LeaderHint }
  | { readonly state: 'withdrawing'; readonly problem: DriverError }
  | { readonly state: 'backing-off'; readonly failedAt: LeaderHint; readonly delay: Timer }

const newPlace: Place = { state: 'new' }
const donePlace: Place = { state: 'done' }

const moves: Readonly<Record<Place['state'], readonly Place['state'][]>> = {
  new: ['waiting-for-id', 'waiting-for-leader', 'in-queue', 'done'],
  'waiting-for-id': ['waiting-for-leader', 'in-queue', 'done'],
  'waiting-for-leader': ['waiting-for-leader', 'in-queue', 'done'],
  'in-queue': ['in-flight', 'in-queue', 'waiting-for-leader', 'done'],
  'in-flight': ['backing-off', 'withdrawing', 'done'],
  withdrawing: ['done'],
  'backing-off': ['backing-off', 'waiting-for-id', 'waiting-for-leader', 'in-queue', 'done'],
  done: [],
}

const retryDelay = exponential({ initialMs: 30, maxMs: 1_000 })
/** The former transaction's markers are being written, which takes milliseconds. */
const markersDelay = exponential({ initialMs: 4, maxMs: 1_000 })
/** A complaint about missing leaders is forgotten after a while, so whoever still waits repeats it. */
const repeatComplaintMs = 1_000

/** One batch on its way into the log: from hand-over to its last word, over as many attempts as its deadline allows. */
export class BatchDelivery extends Linked<BatchDelivery> implements BrokerQueueItem, IdentityWaiter {
  readonly outgoing: OutgoingBatch
  readonly sizeBytes: number
  readonly deadline: number
  readonly #partition: PartitionParts
  readonly #identity: PartitionIdentity
  readonly #lastStored: LastStored
  readonly #parts: BatchDeliveryParts
  readonly #finished: (outcome: BatchOutcome) => void
  #batch: ProduceBatch | null = null
  #place: Place = newPlace
  #attempts = 0
  /** Failed ones in a row under one leadership: a new leader is not made to wait for what the former one did. */
  #failuresHere = 0
  /** An attempt may have put the batch into the log, and none has told that it did. */
  #inDoubt = false
  /** Attempts from the first on that learnt that there is no such partition. */
  #denials = 0
  #lastProblem: DriverError | null = null

  /** @param finished called once; the delivery does nothing afterwards. */
  constructor(
    outgoing: OutgoingBatch,
    deadline: number,
    partition: PartitionParts,
    parts: BatchDeliveryParts,
    finished: (outcome: BatchOutcome) => void,
  ) {
    super()
    this.outgoing = outgoing
    this.sizeBytes = outgoing.sizeBytes
    this.deadline = deadline
    this.#partition = partition
    this.#identity = partition.identity
    this.#lastStored = partition.lastStored
    this.#parts = parts
    this.#finished = finished
  }

  start(): void {
    if (this.#parts.runtime.clock.now() >= this.deadline) this.runOutOfTime()
    else this.#dispatch()
  }

  // ── What may happen to it ───────────────────────────────────────────────────────────────────────────────────────

  identityReady(): void {
    if (this.#place.state === 'waiting-for-id') this.#dispatch()
  }

  identityRefused(problem: DriverError): void {
    if (this.#place.state === 'waiting-for-id') this.#giveUp(problem, 'nothing', problem.code)
  }

  identityDelayed(problem: DriverError): void {
    this.#lastProblem = problem
    this.#parts.delayed.met(this.outgoing, problem)
  }

  /** Metadata was taken in. A batch in flight stays where it is: only its answer tells what became of it. */
  leadersChanged(): void {
    const place = this.#place
    const leader = this.#leader()
    switch (place.state) {
      case 'waiting-for-leader':
        if (leader.leader >= 0 || this.#isGone()) this.#dispatch()
        break
      case 'in-queue':
        if (leader.leader !== place.leader.leader) this.#dispatch()
        break
      case 'backing-off':
        if (this.#isGone()) this.#endAs(this.#gone())
        else this.#turnTo(leader, place.failedAt)
        break
      case 'new':
      case 'waiting-for-id':
      case 'in-flight':
      case 'withdrawing':
      case 'done':
    }
  }

  /** The same batch for every attempt under one stamp, so its bytes are made once. */
  depart(): ProduceBatch {
    if (this.#place.state !== 'in-queue') throw new Error(`a batch that is ${this.#place.state} was sent`)
    this.#move({ state: 'in-flight', leader: this.#place.leader })
    this.#attempts += 1
    return (this.#batch ??= this.#stamped())
  }

  ended(end: AttemptEnd): void {
    if (this.#place.state === 'withdrawing') return this.#withdrawn(end, this.#place)
    // An answer after the deadline changes nothing: the outcome was told, and the epoch was raised past this batch.
    if (this.#place.state !== 'in-flight') return
    const isOnlyDenied = isDenied(end) && this.#denials === this.#attempts - 1
    const decision = decide(end, this.#inDoubt, this.#parts.settings, this.outgoing)
    if (isOnlyDenied) this.#denials += 1
    else if (decision.next !== 'stored' && mayHaveAppended(end)) this.#inDoubt = true
    switch (decision.next) {
      case 'stored':
        this.#store(decision)
        break
      case 'send-again':
        this.#backOff(decision, this.#place.leader)
        break
      case 'give-up':
        this.#giveUp(decision.problem, decision.identity, decision.reason, decision.refused)
    }
  }

  runOutOfTime(): void {
    this.#runOut('delivery-timeout', 'its delivery deadline passed')
  }

  close(): void {
    this.#runOut('closed', 'the producer was closed')
  }

  /** Ends it as not stored, at once or as soon as it is known never to be written. False when it may have been. */
  recall(): boolean {
    const place = this.#place
    if (place.state === 'withdrawing') return true
    if (place.state === 'done' || this.#inDoubt) return false
    const problem = this.#outOfTimeError(recalledCode, 'it was wanted back')
    if (place.state !== 'in-flight') this.#endAs(problem)
    else if (this.#parts.queue(place.leader.leader).withdraw(this)) this.#move({ state: 'withdrawing', problem })
    else return false
    return true
  }

  // ── What it does then ───────────────────────────────────────────────────────────────────────────────────────────

  #dispatch(): void {
    if (!this.#identity.ready(this)) return this.#move({ state: 'waiting-for-id' })
    if (this.#isGone()) return this.#endAs(this.#gone())
    const leader = this.#leader()
    if (leader.leader < 0) {
      this.#move({ state: 'waiting-for-leader', askAgain: this.#after(repeatComplaintMs, () => this.#dispatch()) })
      this.#parts.cluster.noteStale(this.outgoing.topic)
      this.#parts.delayed.met(this.outgoing, this.#lastProblem ?? leaderless(this.outgoing))
      return
    }
    this.#move({ state: 'in-queue', leader })
    this.#parts.queue(leader.leader).add(this)
  }

  #store({ baseOffset, logAppendTime }: Decision & { next: 'stored' }): void {
    const { topic, partition, records } = this.outgoing
    this.#identity.stored(records.count, baseOffset)
    const wasInDoubt = this.#inDoubt
    const wentBack = baseOffset !== null && this.#lastStored.wentBack(baseOffset, records.count)
    this.#finish({ outcome: 'stored', baseOffset, logAppendTime })
    if (this.#attempts > 1) this.#parts.cluster.leaderServes(this.outgoing)
    if (wasInDoubt) {
      const { count } = records
      tell(this.#parts.settings, { kind: 'doubt-resolved', topic, partition, records: count, attempts: this.#attempts })
    }
    if (wentBack) tell(this.#parts.settings, { kind: 'offset-regressed', topic, partition, offset: baseOffset })
  }

  #backOff({ refresh, identity, problem, reason }: Decision & { next: 'send-again' }, failedAt: LeaderHint): void {
    const { cluster, runtime, settings } = this.#parts
    const { topic, partition } = this.outgoing
    this.#lastProblem = problem
    if (identity === 'lost-state') {
      if (this.#identity.refused(identity, reason) === 'give-up') return this.#giveUp(problem, 'nothing', reason)
      this.#batch = null
    }
    const isSoonOver = problem.brokerCode === brokerCode.CONCURRENT_TRANSACTIONS
    this.#failuresHere += 1
    const delayMs = (isSoonOver ? markersDelay : retryDelay)(this.#failuresHere, runtime.random)
    this.#move({ state: 'backing-off', failedAt, delay: this.#after(delayMs, () => this.#dispatch()) })
    if (refresh) cluster.leaderLost(this.outgoing, failedAt)
    this.#parts.delayed.met(this.outgoing, problem)
    tell(settings, { kind: 'retried', topic, partition, reason, delayMs })
    // Who leads now may have been told by the answer itself, or while it was awaited.
    if (this.#place.state === 'backing-off') this.#turnTo(this.#leader(), failedAt)
  }

  /**
   * While it backs off: there may be somebody else to ask. At once under a later epoch, which rises with each election; else
   * not, since two brokers that both deny the partition must not be asked in a loop.
   */
  #turnTo(leader: LeaderHint, failedAt: LeaderHint): void {
    if (leader.leader < 0) return
    const isLater = leader.leaderEpoch > failedAt.leaderEpoch
    if (!isLater && leader.leader === failedAt.leader) return
    this.#failuresHere = 0
    if (isLater) return this.#dispatch()
    const delayMs = retryDelay(1, this.#parts.runtime.random)
    this.#move({ state: 'backing-off', failedAt: leader, delay: this.#after(delayMs, () => this.#dispatch()) })
  }

  #giveUp(
    problem: DriverError | FencedError,
    identity: IdentityNews,
    reason: string,
    refused: readonly RefusedRecord[] = [],
  ): void {
    this.#tellIdentity(identity, reason)
    this.#finish(
      this.#inDoubt ? { outcome: 'unknown', error: problem } : { outcome: 'not-stored', error: problem, refused },
    )
  }

  /** The rule that everything rests on: not stored only if no attempt can have stored it. */
  #runOut(code: string, why: string): void {
    const place = this.#place
    if (place.state === 'done' || place.state === 'withdrawing') return
    const problem = this.#outOfTimeError(code, why)
    if (place.state === 'in-flight') {
      if (!this.#inDoubt && this.#parts.queue(place.leader.leader).withdraw(this)) {
        return this.#move({ state: 'withdrawing', problem })
      }
      this.#inDoubt = true
    }
    this.#endAs(problem)
  }

  #withdrawn(end: AttemptEnd, { problem }: Place & { state: 'withdrawing' }): void {
    const decision = decide(end, this.#inDoubt, this.#parts.settings, this.outgoing)
    if (decision.next === 'stored') return this.#store(decision)
    if (mayHaveAppended(end)) this.#inDoubt = true
    this.#endAs(problem)
  }

  #endAs(problem: DriverError): void {
    this.#giveUp(problem, this.#inDoubt ? 'doubt' : 'nothing', problem.code)
  }

  #outOfTimeError(code: string, why: string): DriverError {
    const { topic, partition, records } = this.outgoing
    const what = `${records.count} record(s) for ${topic} partition ${partition}: ${why}`
    const where = `while ${this.#place.state} after ${this.#attempts} attempt(s)`
    const last = this.#lastProblem === null ? '' : `; last problem: ${this.#lastProblem.message}`
    return new DriverError(code, `${what} ${where}${last}`, {
      topic,
      partition,
      cause: this.#lastProblem ?? undefined,
      retriable: code === 'delivery-timeout',
    })
  }

  #tellIdentity(news: IdentityNews, reason: string): void {
    if (news === 'doubt') this.#identity.doubt(reason)
    else if (news !== 'nothing') this.#identity.refused(news, reason)
  }

  #finish(outcome: BatchOutcome): void {
    this.#move(donePlace)
    if (this.#partition.out === this) this.#partition.out = null
    this.#parts.finished(this, outcome)
    this.#finished(outcome)
  }

  /** The only place that changes `#place`; what the old place held is let go here. */
  #move(to: Place): void {
    const from = this.#place
    if (!moves[from.state].includes(to.state)) throw new Error(`a batch cannot go from ${from.state} to ${to.state}`)
    if (from.state === 'waiting-for-id') this.#identity.stopWaiting(this)
    if (from.state === 'waiting-for-leader') from.askAgain.cancel()
    if (from.state === 'backing-off') from.delay.cancel()
    if (from.state === 'in-queue' && to.state !== 'in-flight') this.#parts.queue(from.leader.leader).remove(this)
    this.#place = to
  }

  #after(delayMs: number, action: () => void): Timer {
    return this.#parts.runtime.clock.setTimer(delayMs, action)
  }

  #leader(): LeaderHint {
    return this.#parts.cluster.leaderOf(this.outgoing)
  }

  /** A topic loses partitions only by being made anew, which its id tells; without ids it may be a broker that lags. */
  #isGone(): boolean {
    const topic = this.#parts.cluster.topic(this.outgoing.topic)
    if (topic === undefined || topic.topicId === null || topic.errorCode !== brokerCode.NONE) return false
    return topic.partitions.length > 0 && this.outgoing.partition >= topic.partitions.length
  }

  #gone(): DriverError {
    const { topic, partition } = this.outgoing
    const count = this.#parts.cluster.topic(topic)?.partitions.length
    const message = `topic ${topic} was made anew with ${count} partition(s), so partition ${partition} is gone; send again, to one of those`
    return new DriverError('topic-recreated', message, { topic, partition, retriable: true })
  }

  #stamped(): ProduceBatch {
    const { topic, partition, records } = this.outgoing
    const { compression } = this.#parts.settings
    const { producerId, producerEpoch, baseSequence } = this.#identity.stamp()
    return {
      topic,
      partition,
      producerId,
      producerEpoch,
      baseSequence,
      isTransactional: this.#identity.isTransactional,
      compression,
      records,
    }
  }
}

function leaderless({ topic, partition }: OutgoingBatch): DriverError {
  return new DriverError('no-leader', `${topic} partition ${partition} has no leader now`, {
    topic,
    partition,
    retriable: true,
  })
}
