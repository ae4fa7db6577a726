import type { Connection } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type {
  ProduceAnswer,
  ProduceBatch,
  ProducedPartition,
  ProduceRequest,
} from '../../connection/requests/produce.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import type { Logger } from '../../telemetry/logger.js'
import type { AttemptEnd } from './decision.js'
import type { Identity } from './identity.js'

/** A batch that waits for a request to its broker, or travels in one. */
export interface BrokerQueueItem {
  readonly sizeBytes: number
  readonly deadline: number
  /** Its request is about to be written. Gives the batch as it goes out. */
  depart(): ProduceBatch
  ended(end: AttemptEnd): void
}

interface Departed {
  readonly item: BrokerQueueItem
  readonly batch: ProduceBatch
}

/** A request between hand-over to the connection and its end. */
interface RequestOut {
  readonly departed: readonly Departed[]
  /** Of the connection, once it has the request: whether nothing of it was written, and nothing will be. */
  takeBack: (() => boolean) | null
  isWithdrawn: boolean
}

export interface BrokerQueueSettings {
  readonly logger: Logger
  readonly acks: -1 | 0 | 1
  readonly maxRequestBytes: number
  readonly requestTimeoutMs: number
}

/**
 * Requests out to one broker at a time. Partitions never depend on each other, so several may be out: the broker works
 * on one while the next is on its way. More would only make batches smaller.
 */
const maxRequestsOut = 4

/** The broker's own time limit ends this much before ours, so that it tells us the outcome instead of our clock. */
const answerMarginMs = 500

/** Batches for the partitions that one broker leads. What is handed over in one go shares requests. */
export class BrokerQueue {
  readonly #node: number
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #settings: BrokerQueueSettings
  readonly #identity: Pick<Identity, 'transaction'>
  #waiting: BrokerQueueItem[] = []
  #requestsOut = 0
  #flushScheduled = false
  /**
   * Runs from the last answer while requests are out. A request may wait for the ones before it, which the broker takes
   * up one by one, so its own age says nothing: only a broker that answers none of them is silent. One that asked for
   * silence (a quota), or that is still being sent to over a slow link, is not.
   */
  #silence: Timer | null = null
  readonly #out = new Set<RequestOut>()
  /** One for all that are out: a signal for each would cost as much as a hundred records. */
  #silent = new AbortController()

  constructor(
    node: number,
    connection: Connection,
    clock: Clock,
    settings: BrokerQueueSettings,
    identity: Pick<Identity, 'transaction'>,
  ) {
    this.#node = node
    this.#connection = connection
    this.#clock = clock
    this.#settings = settings
    this.#identity = identity
  }

  add(item: BrokerQueueItem): void {
    this.#waiting.push(item)
    this.#scheduleFlush()
  }

  /** Only before `sent`. */
  remove(item: BrokerQueueItem): void {
    const index = this.#waiting.indexOf(item)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  /**
   * After `depart`: takes back the request that the batch travels in, if it was not written yet. It never will be then: the
   * connection says so soon, and whatever else is in it goes again. False when the broker may have it.
   */
  withdraw(item: BrokerQueueItem): boolean {
    for (const out of this.#out) {
      if (!out.departed.some((departed) => departed.item === item)) continue
      out.isWithdrawn ||= out.takeBack?.() ?? false
      return out.isWithdrawn
    }
    return false
  }

  /** One microtask later: whatever else is handed over in the same turn travels along. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    queueMicrotask(() => {
      this.#flushScheduled = false
      while (this.#waiting.length > 0 && this.#requestsOut < maxRequestsOut) void this.#send(this.#takeOneRequest())
    })
  }

  /** As many as fit; the first always does. */
  #takeOneRequest(): readonly BrokerQueueItem[] {
    const waiting = this.#waiting
    let sizeBytes = 0
    let count = 0
    for (const item of waiting) {
      sizeBytes += item.sizeBytes
      if (count > 0 && sizeBytes > this.#settings.maxRequestBytes) break
      count += 1
    }
    this.#waiting = waiting.slice(count)
    return count === waiting.length ? waiting : waiting.slice(0, count)
  }

  async #send(items: readonly BrokerQueueItem[]): Promise<void> {
    const departed = items.map((item) => ({ item, batch: item.depart() }))
    this.#requestsOut += 1
    if (this.#requestsOut === 1) this.#listen()
    await this.#attempt(departed)
    this.#requestsOut -= 1
    if (this.#requestsOut > 0) this.#listen()
    else this.#listenNoMore()
    this.#scheduleFlush()
  }

  #listen(forMs = this.#settings.requestTimeoutMs): void {
    this.#listenNoMore()
    const silence = this.#clock.setTimer(forMs, () => {
      // Pending I/O first: it may have been this process that stood still, and the answer is here.
      this.#clock.defer(() => {
        if (this.#silence === silence) this.#judgeSilence()
      })
    })
    this.#silence = silence
  }

  #judgeSilence(): void {
    const endsAt = this.#connection.lastSign(this.#node, 'main') + this.#settings.requestTimeoutMs
    const leftMs = endsAt - this.#clock.now()
    if (leftMs > 0) this.#listen(leftMs)
    else this.#giveUpAll()
  }

  #listenNoMore(): void {
    this.#silence?.cancel()
    this.#silence = null
  }

  #giveUpAll(): void {
    const silent = this.#silent
    this.#silent = new AbortController()
    silent.abort()
  }

  /** Never rejects: every item is told how its attempt ended. */
  async #attempt(departed: readonly Departed[]): Promise<void> {
    const { requestTimeoutMs } = this.#settings
    const now = this.#clock.now()
    const latest = latestDeadline(departed)
    const request = this.#request(departed, Math.min(requestTimeoutMs, latest - now))
    // Not the batches' own deadlines, which end them all the same: a request past its deadline takes its socket with it,
    // and with that every other request. A silent broker is given up long before.
    const deadline = Math.max(now, latest) + maxRequestsOut * requestTimeoutMs
    const out: RequestOut = { departed, takeBack: null, isWithdrawn: false }
    this.#out.add(out)
    const { signal } = this.#silent
    const onTaken = (takeBack: () => boolean) => (out.takeBack = takeBack)
    let answer: ProduceAnswer
    try {
      answer = await this.#connection.request(this.#node, 'main', request, deadline, signal, onTaken)
    } catch (failure) {
      this.#out.delete(out)
      await this.#failed(departed, this.#asRequestError(failure, out))
      return
    }
    this.#out.delete(out)
    this.#tell(departed, ({ batch }, index) => {
      return this.#settings.acks === 0 ? { kind: 'written' } : answerFor(batch, answer, index)
    })
  }

  async #failed(departed: readonly Departed[], error: RequestError): Promise<void> {
    // One batch that cannot be encoded must not end the others that happened to travel with it.
    if (departed.length > 1 && error.sent === 'never' && error.isFinal) {
      await Promise.all(departed.map((one) => this.#attempt([one])))
    } else this.#tell(departed, () => ({ kind: 'failed', error }))
  }

  /** Each learns how its own attempt ended, whatever goes wrong with another: an answer that is here is never lost. */
  #tell(departed: readonly Departed[], endOf: (one: Departed, index: number) => AttemptEnd): void {
    for (let index = 0; index < departed.length; index += 1) {
      const one = departed[index]!
      try {
        one.item.ended(endOf(one, index))
      } catch (error) {
        const { topic, partition } = one.batch
        this.#settings.logger.error({ topic, partition, error }, 'defect: a batch could not take its answer')
      }
    }
  }

  #asRequestError(failure: unknown, { isWithdrawn }: RequestOut): RequestError {
    // A connection that fails in any other way than it promised has told nothing, so nothing is claimed.
    if (!(failure instanceof RequestError)) {
      return new RequestError('unreadable-answer', 'maybe', `a Produce request failed: ${String(failure)}`, failure)
    }
    if (failure.failure !== 'aborted') return failure
    const message = isWithdrawn
      ? `a Produce request to broker ${this.#node} was taken back before it was written`
      : `broker ${this.#node} answered no Produce request for ${this.#settings.requestTimeoutMs} ms`
    return new RequestError('timed-out', failure.sent, message, failure)
  }

  /** One producer has one transaction at a time, which ends when no batch of it is out any more. */
  #ofTransaction(): Pick<ProduceRequest, 'transactionalId' | 'transactionVersion'> {
    const { transaction } = this.#identity
    if (transaction === null) return { transactionalId: null }
    return { transactionalId: transaction.transactionalId, transactionVersion: transaction.version }
  }

  #request(departed: readonly Departed[], limitMs: number): ProduceRequest {
    return {
      api: 'produce',
      acks: this.#settings.acks,
      timeoutMs: Math.max(1, Math.floor(Math.max(limitMs - answerMarginMs, limitMs / 2))),
      ...this.#ofTransaction(),
      batches: departed.map(({ batch }) => batch),
    }
  }
}

function latestDeadline(departed: readonly Departed[]): number {
  return departed.reduce((latest, { item }) => Math.max(latest, item.deadline), 0)
}

function answerFor({ topic, partition }: ProduceBatch, { partitions }: ProduceAnswer, index: number): AttemptEnd {
  const isOurs = (candidate: ProducedPartition | undefined) =>
    candidate !== undefined && candidate.partition === partition && candidate.topic === topic
  const likely = partitions[index]
  const answer = isOurs(likely) ? likely : partitions.find(isOurs)
  return answer === undefined ? { kind: 'missing' } : { kind: 'answered', answer }
}
