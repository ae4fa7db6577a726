import { brokerCodeName, brokerError } from '../../connection/broker-error.js'
import type { InitProducerIdRequest } from '../../connection/requests/init-producer-id.js'
import type { DescribedTransaction, TransactionVersion } from '../../connection/requests/transactions.js'
import { FencedError, TidemarkError, TimeoutError, type DriverError } from '../../errors.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'
import { judgeDescribe, judgeInit } from './codes.js'
import type { Coordinator } from './coordinator.js'

/** Whoever asks so becomes the owner, again with every repeat. */
const anybody: ProducerIdentity = { producerId: -1, producerEpoch: -1 }
/** Nobody is that. The coordinator gives an id that it does not know to whoever asks, and a known one not to nobody. */
const nobody: ProducerIdentity = { producerId: Number.MAX_SAFE_INTEGER, producerEpoch: 0 }
/** Others take it over at the same time; one of them will have it. */
const mostTakeOvers = 10

/** What is known of a transactional id; `null`: the coordinator knows nothing of it. */
export type Description = DescribedTransaction | null

/**
 * Whether the id is still ours when its epoch is not the one we know, and from where to go on.
 *
 * | epoch    | state                                 | whose                                                            |
 * |----------|---------------------------------------|------------------------------------------------------------------|
 * | ours     | any                                   | ours                                                             |
 * | ours + 1 | `CompleteAbort`, version 2            | ours, timed out: another owner's first end comes to ours + 2     |
 * | ours + 1 | `CompleteCommit`, version 2           | ours, committed                                                  |
 * | ours + 1 | `CompleteAbort`, version 1            | ours, timed out, if it was open: taking over an open one comes to ours + 2 |
 * | ours + 1 | `Prepare…`                            | told when it is done                                             |
 * | else     | any                                   | another producer's                                               |
 */
export function whereWeStand(
  { producerId, producerEpoch, state }: DescribedTransaction,
  owner: ProducerIdentity,
  version: TransactionVersion,
  wasOpen: boolean,
): ProducerIdentity | 'taken' | 'being-ended' {
  const ahead = producerEpoch - owner.producerEpoch
  if (producerId !== owner.producerId || ahead < 0 || ahead > 1) return 'taken'
  if (state.startsWith('Prepare')) return 'being-ended'
  if (ahead === 0) return owner
  const isOurs = version === 2 ? state.startsWith('Complete') : state === 'CompleteAbort' && wasOpen
  return isOurs ? { producerId, producerEpoch } : 'taken'
}

/** The questions of who owns a transactional id. */
export class Ownership {
  readonly #coordinator: Coordinator

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator
  }

  /**
   * Takes the id over: whoever owned it before is fenced, and what it left open is aborted. Asked for as whoever it belongs
   * to now, so that an attempt which arrives when we have the id already is refused, instead of taking it from us.
   *
   * An attempt that was not granted may have fenced the owner, who then has the next epoch for the asking, and a repeat would
   * give us that same epoch too. So who owns the id is asked anew before each.
   */
  async takeOver(timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    for (let attempt = 1, fenced = 0; ; attempt += 1) {
      const owner = await this.#presentOwner(deadline)
      let problem: TidemarkError
      try {
        const asked = await this.#initOnce(owner, timeoutMs, deadline)
        if (asked.kind === 'given') return asked.owner
        ;({ problem } = asked)
      } catch (error) {
        fenced += 1
        if (!(error instanceof FencedError) || fenced === mostTakeOvers) throw error
        problem = error
      }
      if (!(await this.#coordinator.rest(attempt, deadline))) throw this.#notInTime(problem)
    }
  }

  async #presentOwner(deadline: number): Promise<ProducerIdentity> {
    try {
      return (await this.describe(deadline)) ?? nobody
    } catch (error) {
      // Brokers before Kafka 3.0 do not tell, nor do others without the permission.
      if (error instanceof TidemarkError && !error.retriable) return anybody
      throw error
    }
  }

  /**
   * The next epoch, given only to who still is the owner. Repeated after a lost answer it gives the same epoch again.
   *
   * @throws FencedError when somebody else is
   */
  renew(owner: ProducerIdentity, timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    return this.#init(owner, timeoutMs, deadline)
  }

  /** @throws TidemarkError when nobody tells before the deadline, or the broker does not know how (before Kafka 3.0) */
  async describe(deadline: number): Promise<Description> {
    const { key } = this.#coordinator
    const request = { api: 'describeTransactions', transactionalIds: [key] } as const
    let problem: TidemarkError | null = null
    for (let attempt = 1; ; attempt += 1) {
      const asked = await this.#coordinator.ask(request, deadline)
      if (asked.kind === 'answered') {
        const found = asked.answer.transactions.find(({ transactionalId }) => transactionalId === key)
        const errorCode = found?.errorCode ?? -1
        const verdict = judgeDescribe(errorCode)
        if (verdict === 'described') return found as DescribedTransaction
        if (verdict === 'not-known') return null
        problem = brokerError(errorCode, `asking about transactional id "${key}"`)
        if (verdict === 'refused') throw problem
        if (verdict === 'look-up') this.#coordinator.lost()
      } else {
        problem = asked.problem
        if (asked.isFinal) throw problem
      }
      if (!(await this.#coordinator.rest(attempt, deadline))) throw problem
    }
  }

  async #init(owner: ProducerIdentity, timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    for (let attempt = 1; ; attempt += 1) {
      const asked = await this.#initOnce(owner, timeoutMs, deadline)
      if (asked.kind === 'given') return asked.owner
      if (!(await this.#coordinator.rest(attempt, deadline))) throw this.#notInTime(asked.problem)
    }
  }

  /** @throws TidemarkError when asking again cannot help; FencedError when somebody else is the owner */
  async #initOnce(owner: ProducerIdentity, timeoutMs: number, deadline: number): Promise<InitAsked> {
    const { key } = this.#coordinator
    const { producerId: knownId, producerEpoch: knownEpoch } = owner
    const request: InitProducerIdRequest = {
      ...{ api: 'initProducerId', transactionalId: key, transactionTimeoutMs: timeoutMs },
      ...{ producerId: knownId, producerEpoch: knownEpoch },
    }
    const asked = await this.#coordinator.ask(request, deadline)
    if (asked.kind === 'unanswered') {
      if (asked.isFinal) throw asked.problem
      return { kind: 'not-given', problem: asked.problem }
    }
    const { errorCode, producerId, producerEpoch } = asked.answer
    const verdict = judgeInit(errorCode)
    if (verdict === 'given') return { kind: 'given', owner: { producerId, producerEpoch } }
    if (verdict === 'fenced') throw fencedBy(key, errorCode)
    const problem = initProblem(key, errorCode, timeoutMs)
    if (verdict === 'refused') throw problem
    if (verdict === 'look-up') this.#coordinator.lost()
    return { kind: 'not-given', problem }
  }

  #notInTime(problem: TidemarkError): TimeoutError {
    const message = `transactional id "${this.#coordinator.key}" was not given to this producer in time: ${problem.message}`
    return new TimeoutError('transaction-init-timeout', message, { cause: problem, retriable: true })
  }
}

type InitAsked =
  | { readonly kind: 'given'; readonly owner: ProducerIdentity }
  | { readonly kind: 'not-given'; readonly problem: TidemarkError }

export function fencedBy(transactionalId: string, errorCode: number | null): FencedError {
  const code = errorCode === null ? '' : ` (${brokerCodeName(errorCode)})`
  return new FencedError(
    'transactional-id-taken',
    `another producer has taken over transactional id "${transactionalId}"${code}; give every instance an id of its own, and use it in one place at a time`,
  )
}

const fixes: Readonly<Record<string, string>> = {
  INVALID_TRANSACTION_TIMEOUT: "lower the transaction's timeoutMs, or raise transaction.max.timeout.ms of the brokers",
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'grant WRITE and DESCRIBE on the transactional id',
  CLUSTER_AUTHORIZATION_FAILED: 'grant WRITE on the transactional id',
}

function initProblem(transactionalId: string, errorCode: number, timeoutMs: number): DriverError {
  const fix = fixes[brokerCodeName(errorCode)]
  const doing = `taking transactional id "${transactionalId}" (timeoutMs ${timeoutMs})`
  return brokerError(errorCode, doing, fix === undefined ? {} : { fix })
}
