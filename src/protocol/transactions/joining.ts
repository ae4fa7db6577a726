import { brokerError } from '../../connection/broker-error.js'
import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import type { AddPartitionsToTxnRequest, TxnOffsetCommitRequest } from '../../connection/requests/transactions.js'
import { DriverError, type TidemarkError } from '../../errors.js'
import { judgeJoin, judgeOffsets, type JoinVerdict } from './codes.js'
import { Coordinator, type TransactionContext } from './coordinator.js'
import type { Joins, TransactionalIdentity, TransactionalPartition } from './identity.js'

/**
 * Brings partitions and offsets into the open transaction, as its version wants it. Partitions that wait join with one
 * request, one request at a time; whatever keeps one out for good fails the transaction.
 */
export class Joining implements Joins {
  readonly #coordinator: Coordinator
  readonly #identity: TransactionalIdentity
  readonly #context: TransactionContext
  readonly #closed: AbortSignal
  readonly #waiting = new Set<TransactionalPartition>()
  #running: Promise<void> | null = null

  constructor(
    coordinator: Coordinator,
    identity: TransactionalIdentity,
    context: TransactionContext,
    closed: AbortSignal,
  ) {
    this.#coordinator = coordinator
    this.#identity = identity
    this.#context = context
    this.#closed = closed
  }

  add(partition: TransactionalPartition): void {
    this.#waiting.add(partition)
    // Whatever else is sent in this turn joins with it.
    this.#running ??= Promise.resolve().then(() => this.#run())
  }

  remove(partition: TransactionalPartition): void {
    this.#waiting.delete(partition)
  }

  /** No request is out any more: the end of the transaction must not pass one. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (let attempt = 1; this.#waiting.size > 0 && this.#identity.isOpen;) {
      const end = await this.#join([...this.#waiting])
      if (end === 'joined') attempt = 1
      else if (end.verdict === 'abort') this.#identity.fail(end.problem)
      else {
        for (const partition of this.#waiting) partition.tellDelayed(end.problem)
        if (end.verdict === 'look-up') this.#coordinator.lost()
        await this.#coordinator.rest(attempt, Infinity)
        attempt += 1
      }
    }
    this.#running = null
  }

  async #join(asked: readonly TransactionalPartition[]): Promise<'joined' | NotJoined> {
    const { owner } = this.#identity
    const request: AddPartitionsToTxnRequest = {
      ...{ api: 'addPartitionsToTxn', transactionalId: this.#coordinator.key, ...owner },
      partitions: asked.map(({ place }) => place),
    }
    this.#identity.start()
    const answer = await this.#coordinator.ask(request, Infinity)
    if (answer.kind === 'unanswered') return this.#notAsked(answer)
    const doing = `bringing partitions into a transaction of "${this.#coordinator.key}"`
    const worst = worstOf(answer.answer.partitions, judgeJoin, doing)
    if (worst !== null) return worst
    if (!this.#identity.isOpen) return 'joined'
    for (const partition of asked) {
      if (this.#waiting.delete(partition)) this.#identity.joined(partition)
    }
    return 'joined'
  }

  /** @throws TidemarkError; the transaction has failed then */
  async offsets(member: GroupMemberIdentity, offsets: readonly CommittedPartition[], deadline: number): Promise<void> {
    const { version, owner } = this.#identity
    const { key: transactionalId } = this.#coordinator
    const group = new Coordinator(this.#context, member.groupId, 'group', this.#closed)
    this.#identity.start()
    if (version === 1) {
      const request = { api: 'addOffsetsToTxn', transactionalId, ...owner, groupId: member.groupId } as const
      await this.#until(deadline, this.#coordinator, async () => {
        const asked = await this.#coordinator.ask(request, deadline)
        if (asked.kind === 'unanswered') return this.#notAsked(asked)
        return worstOf([asked.answer], judgeJoin, `bringing group "${member.groupId}" into a transaction`)
      })
    }
    const request: TxnOffsetCommitRequest = {
      ...{ api: 'txnOffsetCommit', transactionVersion: version, transactionalId, ...owner, ...member },
      partitions: offsets,
    }
    await this.#until(deadline, group, async () => {
      const asked = await group.ask(request, deadline)
      if (asked.kind === 'unanswered') return this.#notAsked(asked)
      return worstOf(asked.answer.partitions, judgeOffsets, `committing offsets of group "${member.groupId}"`)
    })
    this.#identity.takenIn()
  }

  #notAsked(unanswered: Unanswered): NotJoined {
    if (unanswered.sent === 'maybe') this.#identity.straggles()
    return notAsked(unanswered)
  }

  async #until(deadline: number, coordinator: Coordinator, attemptOnce: () => Promise<NotJoined | null>) {
    for (let attempt = 1; ; attempt += 1) {
      if (!this.#identity.isOpen) throw this.#identity.refusal()
      const end = await attemptOnce()
      if (end === null) return
      if (end.verdict === 'look-up') coordinator.lost()
      if (end.verdict === 'abort' || !(await coordinator.rest(attempt, deadline))) {
        this.#identity.fail(end.problem)
        throw end.problem
      }
    }
  }
}

interface NotJoined {
  readonly verdict: Exclude<JoinVerdict, 'joined'>
  readonly problem: DriverError
}

interface Unanswered {
  readonly problem: TidemarkError
  readonly sent: 'never' | 'maybe'
  readonly isFinal: boolean
}

function notAsked({ problem, isFinal }: Unanswered): NotJoined {
  const asDriverError =
    problem instanceof DriverError ? problem : new DriverError(problem.code, problem.message, { cause: problem })
  return { verdict: isFinal ? 'abort' : 'repeat', problem: asDriverError }
}

interface Answered {
  readonly errorCode: number
  readonly topic?: string
  readonly partition?: number
}

const gravity: readonly JoinVerdict[] = ['joined', 'repeat', 'look-up', 'abort']
const notAttempted = 55

/** What decides is the gravest; one that was not attempted suffers for another. */
function worstOf(
  answers: readonly Answered[],
  judge: (errorCode: number) => JoinVerdict,
  doing: string,
): NotJoined | null {
  const guilty = answers.filter(({ errorCode }) => errorCode !== notAttempted)
  let worst: NotJoined | null = null
  for (const { errorCode, topic, partition } of guilty.length > 0 ? guilty : answers) {
    const verdict = judge(errorCode)
    if (verdict === 'joined' || (worst !== null && gravity.indexOf(worst.verdict) >= gravity.indexOf(verdict))) continue
    worst = { verdict, problem: brokerError(errorCode, doing, { topic, partition, retriable: verdict !== 'abort' }) }
  }
  return worst
}
