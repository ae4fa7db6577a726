import type { Connection, Node } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { MetadataRequest } from '../../connection/requests/metadata.js'
import { DriverError } from '../../errors.js'
import { pause } from '../../runtime/pause.js'
import type { Runtime } from '../../runtime/runtime.js'
import { brokerBackoff } from './broker-backoff.js'

/** Asks brokers in turn until one answers. Only for requests that may be carried out twice. */
export class BrokerRotation {
  readonly #connection: Connection
  readonly #runtime: Runtime
  readonly #knownBrokers: () => readonly number[]
  readonly #closed: AbortSignal
  /** Of the cluster that brokers told first. */
  readonly #clusterId: () => string | null
  #turn: number
  /** Since a broker last answered. */
  #lastFailure: RequestError | undefined

  /** @param closed aborts once the connection is closed */
  constructor(
    connection: Connection,
    runtime: Runtime,
    known: { readonly brokers: () => readonly number[]; readonly clusterId: () => string | null },
    closed: AbortSignal,
  ) {
    this.#connection = connection
    this.#runtime = runtime
    this.#knownBrokers = known.brokers
    this.#clusterId = known.clusterId
    this.#closed = closed
    this.#turn = Math.floor(runtime.random.next() * 1_000)
  }

  /**
   * @param attemptMs silence of one broker after which the next is asked.
   * @throws DriverError `cluster-unreachable` when nobody answered until `deadline`; a RequestError that no other broker
   * could better (closed, aborted) at once, and one that each broker of a round gave (authentication refused, broker too
   * old) after that round.
   */
  async ask<R extends Request>(
    request: R,
    deadline: number,
    attemptMs: number,
    signal?: AbortSignal,
  ): Promise<AnswerTo<R>> {
    const { clock, random } = this.#runtime
    for (let round = 1; ; round += 1) {
      let refusedByAll = true
      for (const node of this.#nodesOfRound()) {
        const now = clock.now()
        if (now >= deadline) throw this.unreachable(request.api)
        try {
          const attemptDeadline = Math.min(deadline, now + attemptMs)
          const answer = await this.#connection.request(node, 'metadata', request, attemptDeadline, signal)
          if (request.api === 'metadata') this.#requireOurs(node, answer as AnswerTo<MetadataRequest>)
          this.#lastFailure = undefined
          return answer
        } catch (failure) {
          if (!(failure instanceof RequestError)) throw failure
          if (!failure.isOfOneBroker && !failure.retriable) throw failure
          if (!failure.isOfOneBroker) refusedByAll = false
          // An attempt that the caller's deadline cut short says less than any other.
          const cutShort = failure.failure === 'timed-out' && now + attemptMs > deadline
          if (!cutShort || this.#lastFailure === undefined) this.#lastFailure = failure
        }
      }
      if (refusedByAll && this.#lastFailure !== undefined) throw final(this.#lastFailure)
      const pauseMs = Math.min(brokerBackoff(round, random), deadline - clock.now())
      if (pauseMs > 0) await this.rest(pauseMs, signal)
    }
  }

  /** Ends early when the connection is closed: the next request tells so. Rejects with the reason of `signal`. */
  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    const either = signal === undefined ? this.#closed : AbortSignal.any([signal, this.#closed])
    await pause(this.#runtime.clock, ms, either)
    signal?.throwIfAborted()
  }

  /** What to tell a caller whose time is up. */
  unreachable(api: string): DriverError {
    const cause = this.#lastFailure
    const reason =
      cause === undefined
        ? 'none has refused either; check the addresses of the brokers'
        : `last failure: ${cause.message}`
    return new DriverError('cluster-unreachable', `no broker answered ${api} in time; ${reason}`, {
      cause,
      retriable: true,
    })
  }

  /** At an address that was ours before, or behind a name of `brokers`, another cluster may answer by now. */
  #requireOurs(node: Node, { clusterId }: AnswerTo<MetadataRequest>): void {
    const ours = this.#clusterId()
    if (ours === null || clusterId === null || clusterId === ours) return
    const message =
      `${node === 'bootstrap' ? 'a broker of those that were configured' : `the broker at the address of broker ${node}`} ` +
      `belongs to cluster ${clusterId}, and this client to cluster ${ours}; if the cluster was replaced, start the client anew`
    throw new RequestError('turned-away', 'never', message)
  }

  /** Every known broker once, beginning with another one each time, and then an address the user gave. */
  #nodesOfRound(): readonly Node[] {
    const brokers = this.#knownBrokers()
    this.#turn += 1
    const first = brokers.length === 0 ? 0 : this.#turn % brokers.length
    return [...brokers.slice(first), ...brokers.slice(0, first), 'bootstrap']
  }
}

/** Nobody is left who might take us. */
function final(failure: RequestError): RequestError {
  return failure.failure === 'unsupported'
    ? failure
    : new RequestError('refused', 'never', failure.message, failure.cause)
}
