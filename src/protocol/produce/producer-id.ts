import { brokerCode, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import { DriverError } from '../../errors.js'
import { exponential } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from '../cluster/cluster.js'
import { lastEpochToStartAt, type ProducerIdentity } from './partition-sequence.js'

const betweenAsks = exponential({ initialMs: 30, maxMs: 1_000 })

const hopeless: ReadonlySet<number> = new Set([
  brokerCode.CLUSTER_AUTHORIZATION_FAILED,
  brokerCode.UNSUPPORTED_VERSION,
  brokerCode.SECURITY_DISABLED,
])

/** Some services speak Kafka's protocol without producer ids. */
const wayOut = "do without idempotence: profile 'ap', or defineProfile with idempotent: false"

/** Somebody who cannot go on without a producer id. */
export interface ProducerIdWaiter {
  idGiven(identity: ProducerIdentity): void
  /** Asking again will not help. */
  idRefused(problem: DriverError): void
  /** Why there is none yet; asking goes on. */
  idDelayed(problem: DriverError): void
}

/** The producer id that all partitions share. Asked for once at a time, and only while somebody waits for it. */
export class ProducerIds {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #attemptMs: number
  readonly #waiters = new Set<ProducerIdWaiter>()
  readonly #closed = new AbortController()
  #current: ProducerIdentity | null = null
  #asking = false

  constructor(cluster: Cluster, runtime: Runtime, attemptMs: number) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#attemptMs = attemptMs
  }

  get current(): ProducerIdentity | null {
    return this.#current
  }

  /** Nobody is given this id again. Partitions that hold it keep it. */
  retire(producerId: number): void {
    if (this.#current?.producerId === producerId) this.#current = null
  }

  wait(waiter: ProducerIdWaiter): void {
    this.#waiters.add(waiter)
    if (this.#asking || this.#closed.signal.aborted) return
    this.#asking = true
    void this.#askWhileWanted()
  }

  stopWaiting(waiter: ProducerIdWaiter): void {
    this.#waiters.delete(waiter)
  }

  close(): void {
    this.#closed.abort(new DriverError('closed', 'the producer was closed'))
    this.#waiters.clear()
  }

  async #askWhileWanted(): Promise<void> {
    for (let attempt = 1; this.#waiters.size > 0; attempt += 1) {
      const end = await this.#ask()
      if (end.kind === 'given') {
        this.#current = end.identity
        this.#release((waiter) => waiter.idGiven(end.identity))
      } else if (end.kind === 'refused') {
        this.#release((waiter) => waiter.idRefused(end.problem))
      } else {
        for (const waiter of [...this.#waiters]) waiter.idDelayed(end.problem)
        await this.#pause(attempt)
      }
    }
    this.#asking = false
  }

  #release(tell: (waiter: ProducerIdWaiter) => void): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    waiters.forEach(tell)
  }

  async #ask(): Promise<AskEnd> {
    const deadline = this.#runtime.clock.now() + this.#attemptMs
    try {
      const request = {
        api: 'initProducerId',
        transactionalId: null,
        transactionTimeoutMs: 0,
        producerId: -1,
        producerEpoch: -1,
      } as const
      const { errorCode, producerId, producerEpoch } = await this.#cluster.anyBroker(
        request,
        deadline,
        this.#closed.signal,
      )
      if (errorCode === brokerCode.NONE && producerEpoch > lastEpochToStartAt) {
        const message = `the cluster gave producer id ${producerId} at epoch ${producerEpoch}, which leaves too few epochs; another is asked for`
        return { kind: 'delayed', problem: new DriverError('no-producer-id', message, { retriable: true }) }
      }
      if (errorCode === brokerCode.NONE) return { kind: 'given', identity: { producerId, producerEpoch } }
      if (!hopeless.has(errorCode)) {
        return { kind: 'delayed', problem: brokerError(errorCode, 'asking for a producer id', { retriable: true }) }
      }
      const fix =
        errorCode === brokerCode.CLUSTER_AUTHORIZATION_FAILED ? `grant IDEMPOTENT_WRITE, or ${wayOut}` : wayOut
      return { kind: 'refused', problem: brokerError(errorCode, 'asking for a producer id', { fix }) }
    } catch (error) {
      if (!(error instanceof DriverError)) {
        const message = `no producer id: ${String(error)}`
        return {
          kind: 'delayed',
          problem: new DriverError('no-producer-id', message, { cause: error, retriable: true }),
        }
      }
      if (!(error instanceof RequestError) || error.retriable) return { kind: 'delayed', problem: error }
      return { kind: 'refused', problem: error.failure === 'unsupported' ? withWayOut(error) : error }
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#runtime
    // An abort is the close: there is nobody left to ask for, which the loop sees.
    await clock.sleep(betweenAsks(attempt, random), this.#closed.signal).catch(() => undefined)
  }
}

type AskEnd =
  | { readonly kind: 'given'; readonly identity: ProducerIdentity }
  | { readonly kind: 'refused'; readonly problem: DriverError }
  | { readonly kind: 'delayed'; readonly problem: DriverError }

function withWayOut(error: RequestError): RequestError {
  return new RequestError(error.failure, error.sent, `${error.message}; or ${wayOut}`, error)
}
