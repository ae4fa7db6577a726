import { brokerCodeName, brokerError } from '../../connection/broker-error.js'
import type { InitProducerIdRequest } from '../../connection/requests/init-producer-id.js'
import type { DescribedTransaction, TransactionVersion } from '../../connection/requests/transactions.js'
import { FencedError, TimeoutError, type DriverError, type TidemarkError } from '../../errors.js'
import type { Clock } from '../../runtime/clock.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'
import { judgeDescribe, judgeInit } from './codes.js'
import type { Coordinator } from './coordinator.js'
import type { OpenAsTold } from './identity.js'

/** Whoever asks so becomes the owner, under an epoch that nobody else is given; again with every repeat. */
const anybody: ProducerIdentity = { producerId: -1, producerEpoch: -1 }
/** What nobody answered for so long is not carried out any more: its connection has been closed, and its queue emptied. */
const lateForMs = 120_000

/** What is known of a transactional id; `null`: the coordinator knows nothing of it. */
export type Description = DescribedTransaction | null

/** What else we know of a transaction and of its id. */
export interface Standing {
  readonly open: OpenAsTold
  /** Attempts of ours to take the id over, each of which may yet be carried out. */
  readonly lateAttempts: number
}

/**
 * Whether the id is still ours when its epoch is not the one we know, and from where to go on.
 *
 * | epoch      | state                                 | whose                                                            |
 * |------------|---------------------------------------|------------------------------------------------------------------|
 * | ours       | any                                   | ours                                                             |
 * | ours + 1   | `CompleteAbort`                       | ours, timed out, if it was open: taking over an open one comes to ours + 2 |
 * |            |                                       | if it may not have been: cannot be told, another owner under version 1 may have come to that and aborted one |
 * | ours + 1   | `CompleteCommit`, version 2           | ours, committed, if it was open                                  |
 * | ours + 1   | `Prepare…`                            | told when it is done                                             |
 * | ours + 1…n | `Empty`                               | n late attempts of ours may have come to that: cannot be told    |
 * | else       | any                                   | another producer's                                               |
 *
 * What version we work by says nothing of a rival's: one that has not heard of version 2, or never will, ends under version 1.
 * Going on from an epoch that another owner may have been given is not for `renew`: both would be given the same next one.
 */
export function whereWeStand(
  { producerId, producerEpoch, state }: DescribedTransaction,
  owner: ProducerIdentity,
  version: TransactionVersion,
  { open, lateAttempts }: Standing,
): ProducerIdentity | 'taken' | 'being-ended' | 'cannot-be-told' {
  const ahead = producerEpoch - owner.producerEpoch
  if (producerId !== owner.producerId || ahead < 0) return 'taken'
  if (ahead > 0 && ahead <= lateAttempts && state === 'Empty') return 'cannot-be-told'
  if (ahead > 1) return 'taken'
  if (state.startsWith('Prepare')) return 'being-ended'
  if (ahead === 0) return owner
  if (open === 'not-open') return 'taken'
  if (state === 'CompleteAbort') return open === 'not-told' ? 'cannot-be-told' : { producerId, producerEpoch }
  return version === 2 && state === 'CompleteCommit' && open === 'open' ? { producerId, producerEpoch } : 'taken'
}

/** The questions of who owns a transactional id. */
export class Ownership {
  readonly #coordinator: Coordinator
  readonly #clock: Clock
  #lateAttempts = 0
  #lateUntil = -Infinity

  constructor(coordinator: Coordinator, clock: Clock) {
    this.#coordinator = coordinator
    this.#clock = clock
  }

  /** Attempts to take the id over that nobody answered; one that arrives yet takes the id from us, for nobody. */
  get lateAttempts(): number {
    return this.#clock.now() < this.#lateUntil ? this.#lateAttempts : 0
  }

  /**
   * Takes the id over: whoever owned it before is fenced, and what it left open is aborted.
   *
   * Asked for as nobody in particular, so that the epoch is raised for certain. By naming the present epoch two would be
   * given the same next one: whoever names it second, another newcomer or the owner itself, is taken for a repeat (KIP-360);
   * and each would take the records of the other for its own repeats. What it costs: an attempt without an answer may arrive
   * when we have the id already, and takes it from us. `lateAttempts` counts them.
   */
  takeOver(timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    return this.#init(anybody, timeoutMs, deadline)
  }

  /** Once more, where we may have taken it from ourselves. Each late attempt excuses one, so that it ends. */
  takeOverAgain(timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    if (this.#lateAttempts > 0) this.#lateAttempts -= 1
    return this.takeOver(timeoutMs, deadline)
  }

  /**
   * The next epoch, given only to who still is the owner. Repeated after a lost answer it gives the same epoch again, so it
   * is only for an epoch that nobody else was given.
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

  /** @throws TidemarkError when asking again cannot help; FencedError when somebody else is the owner */
  async #init(owner: ProducerIdentity, timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    const { key } = this.#coordinator
    const { producerId: knownId, producerEpoch: knownEpoch } = owner
    const request: InitProducerIdRequest = {
      ...{ api: 'initProducerId', transactionalId: key, transactionTimeoutMs: timeoutMs },
      ...{ producerId: knownId, producerEpoch: knownEpoch },
    }
    for (let attempt = 1; ; attempt += 1) {
      const asked = await this.#coordinator.ask(request, deadline)
      let problem: TidemarkError
      if (asked.kind === 'answered') {
        const { errorCode, producerId, producerEpoch } = asked.answer
        const verdict = judgeInit(errorCode)
        if (verdict === 'given') return { producerId, producerEpoch }
        if (verdict === 'fenced') throw fencedBy(key, errorCode)
        problem = initProblem(key, errorCode, timeoutMs)
        if (verdict === 'refused') throw problem
        if (verdict === 'look-up') this.#coordinator.lost()
      } else {
        ;({ problem } = asked)
        if (asked.sent === 'maybe' && owner === anybody) this.#mayBeLate()
        if (asked.isFinal) throw problem
      }
      if (!(await this.#coordinator.rest(attempt, deadline))) throw this.#notInTime(problem)
    }
  }

  #mayBeLate(): void {
    this.#lateAttempts = this.lateAttempts + 1
    this.#lateUntil = this.#clock.now() + lateForMs
  }

  #notInTime(problem: TidemarkError): TimeoutError {
    const message = `transactional id "${this.#coordinator.key}" was not given to this producer in time: ${problem.message}`
    return new TimeoutError('transaction-init-timeout', message, { cause: problem, retriable: true })
  }
}

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
