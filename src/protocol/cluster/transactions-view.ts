import { brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import { judgeBy } from '../../connection/verdicts.js'
import type { ListedTransaction, OpenTransactionAt, TransactionDescription } from '../../driver/admin.js'
import { TimeoutError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { byLeader } from './by-leader.js'
import type { ClientContext } from './client-context.js'
import { CoordinatorLine } from './coordinator-line.js'

type ViewContext = ClientContext<{ readonly requestTimeoutMs: number }>

/** `retry`: asking again may help, perhaps somebody else. */
const judgeView = judgeBy<'told' | 'not-known' | 'retry' | 'refused'>(
  {
    NONE: 'told',
    TRANSACTIONAL_ID_NOT_FOUND: 'not-known',
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'retry',
    NOT_COORDINATOR: 'retry',
    NOT_LEADER_OR_FOLLOWER: 'retry',
    LEADER_NOT_AVAILABLE: 'retry',
    UNKNOWN_TOPIC_OR_PARTITION: 'retry',
    UNKNOWN_SERVER_ERROR: 'retry',
  },
  'refused',
)

/** Runs one attempt after the other until one says `null`; what it says else is in the way. */
export type Retry = (deadline: number, attempt: () => Promise<string | null>) => Promise<void>

/** As `retry`, where a request without an answer, or nobody to ask, stands in the way like any other trouble. */
export async function rounds(
  retry: Retry,
  doing: string,
  deadline: number,
  attempt: () => Promise<string | null>,
): Promise<void> {
  await retry(deadline, async () => {
    try {
      const trouble = await attempt()
      return trouble === null ? null : `${doing}: ${trouble}`
    } catch (failure) {
      const isUnanswered = failure instanceof RequestError || failure instanceof TimeoutError
      if (isUnanswered && failure.retriable) return `${doing}: ${failure.message}`
      throw failure
    }
  })
}

/** What brokers know of transactions. Each coordinates some of the ids, so all are asked. */
export class TransactionsView {
  readonly #context: ViewContext
  readonly #retry: Retry

  constructor(context: ViewContext, retry: Retry) {
    this.#context = context
    this.#retry = retry
  }

  async list(states: readonly string[], producerIds: readonly number[], deadline: number) {
    const { cluster } = this.#context
    const request = { api: 'listTransactions', stateFilters: states, producerIdFilters: producerIds } as const
    const doing = 'listing transactions'
    let listed: readonly ListedTransaction[] = []
    await rounds(this.#retry, doing, deadline, async () => {
      const { brokers } = await cluster.anyBroker({ api: 'metadata', topics: [] }, deadline)
      const answers = await Promise.all(brokers.map(({ nodeId }) => cluster.broker(nodeId, request, deadline)))
      // A transaction that moves meanwhile may be told by two.
      const told = answers.flatMap(({ transactions }) => transactions)
      listed = [...new Map(told.map((each) => [each.transactionalId, each])).values()]
      return worst(answers, doing)
    })
    return listed
  }

  /** In the order of the ids; an id that nobody knows is left out. */
  async describe(ids: readonly string[], deadline: number): Promise<readonly TransactionDescription[]> {
    const described = await Promise.all(ids.map((id) => this.#describeOne(id, deadline)))
    return described.filter((each) => each !== null)
  }

  /** The transactions that are open in these partitions, and so hold up whoever reads committed records of them. */
  async open(partitions: readonly TopicPartition[], deadline: number): Promise<readonly OpenTransactionAt[]> {
    const found = await this.#openAt(partitions, deadline)
    if (found.length === 0) return []
    const ids = await this.list([], [...new Set(found.map(({ producerId }) => producerId))], deadline)
    const idOf = new Map(ids.map(({ producerId, transactionalId }) => [producerId, transactionalId]))
    return found.map((each) => ({ ...each, transactionalId: idOf.get(each.producerId) ?? null }))
  }

  async #describeOne(id: string, deadline: number): Promise<TransactionDescription | null> {
    const line = new CoordinatorLine(this.#context, id, 'transaction')
    const doing = `describing transactional id "${id}"`
    let described: TransactionDescription | null = null
    await rounds(this.#retry, doing, deadline, async () => {
      const answer = await line.ask(
        { api: 'describeTransactions', transactionalIds: [id] },
        line.attemptUntil(deadline),
      )
      const found = answer.transactions.find(({ transactionalId }) => transactionalId === id)
      if (found === undefined) return 'it is missing in the answer'
      const verdict = judgeView(found.errorCode)
      if (verdict === 'refused') throw brokerError(found.errorCode, doing)
      if (verdict === 'retry') {
        line.lost()
        return brokerCodeName(found.errorCode)
      }
      if (verdict === 'told') {
        const { transactionalId, state, timeoutMs, startTimeMs, producerId, producerEpoch, partitions } = found
        const startedAt = startTimeMs < 0 ? null : startTimeMs
        described = { transactionalId, state, timeoutMs, startedAt, producerId, producerEpoch, partitions }
      }
      return null
    })
    return described
  }

  /** Each leader is asked once for all that it leads. In the order of the places. */
  async #openAt(places: readonly TopicPartition[], deadline: number) {
    const { cluster } = this.#context
    const left = new Map(places.map((place) => [partitionKey(place.topic, place.partition), place]))
    const open = new Map<string, readonly Omit<OpenTransactionAt, 'transactionalId'>[]>()
    await rounds(this.#retry, 'looking for open transactions', deadline, async () => {
      await cluster.refresh([...new Set([...left.values()].map(({ topic }) => topic))], deadline)
      let trouble: string | null = null
      const askOne = async (leader: number, partitions: readonly TopicPartition[]) => {
        if (leader < 0) return (trouble = `${placeOf(partitions[0] as TopicPartition)} has no leader`)
        const answer = await cluster.broker(leader, { api: 'describeProducers', partitions }, deadline)
        for (const { topic, partition, errorCode, producers } of answer.partitions) {
          const verdict = judgeView(errorCode)
          const at = placeOf({ topic, partition })
          if (verdict === 'refused') throw brokerError(errorCode, `looking for open transactions in ${at}`)
          if (verdict === 'retry') {
            trouble = `${at}: ${brokerCodeName(errorCode)}`
            continue
          }
          left.delete(partitionKey(topic, partition))
          open.set(
            partitionKey(topic, partition),
            producers
              .filter(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0)
              .map(({ producerId, producerEpoch, currentTxnStartOffset, lastTimestamp }) => ({
                ...{ topic, partition, producerId, producerEpoch },
                ...{ firstOffset: currentTxnStartOffset, lastWrittenAt: lastTimestamp },
              })),
          )
        }
        return trouble
      }
      await Promise.all([...byLeader(cluster, left.values())].map(([leader, led]) => askOne(leader, led)))
      const [missing] = left.values()
      return trouble ?? (missing === undefined ? null : `${placeOf(missing)} is missing in the answer`)
    })
    return places.flatMap(({ topic, partition }) => open.get(partitionKey(topic, partition)) ?? [])
  }
}

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function worst(answers: readonly { readonly errorCode: number }[], doing: string): string | null {
  for (const { errorCode } of answers) {
    const verdict = judgeView(errorCode)
    if (verdict === 'refused') throw brokerError(errorCode, doing)
    if (verdict === 'retry') return brokerCodeName(errorCode)
  }
  return null
}
