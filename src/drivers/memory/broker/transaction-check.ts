import { brokerCode } from '../../../connection/broker-error.js'
import type { TransactionalProducer, TransactionVersion } from '../../../connection/requests/transactions.js'
import { setBrokerTimer } from '../cluster/broker-timer.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { Participant } from '../transactions/transaction.js'
import type { TransactionCoordinators } from '../transactions/transaction-coordinators.js'

/** How long a leader asks the coordinator again while the last transaction's markers are written, and how often. */
const retry = { forMs: 100, everyMs: 20 }

/**
 * What a leader, or a group's coordinator, does before it takes in the first of a transaction: it asks the transaction's
 * coordinator whether the participant is in it, or adds it where the producer leaves that to the brokers.
 *
 * | the coordinator says         | version 1             | version 2                                      |
 * |------------------------------|-----------------------|------------------------------------------------|
 * | not in the transaction       | TRANSACTION_ABORTABLE | it is added                                    |
 * | another epoch                | INVALID_PRODUCER_EPOCH | the same                                      |
 * | CONCURRENT_TRANSACTIONS      | NOT_ENOUGH_REPLICAS   | asked again for a while, then the same code    |
 * | nothing: it is down          | NOT_ENOUGH_REPLICAS   | the same                                       |
 *
 * `unreachable` is what a group's coordinator says in place of NOT_ENOUGH_REPLICAS. Nothing was appended in any of these.
 */
export function checkTransaction(
  cluster: ClusterState,
  transactions: TransactionCoordinators,
  version: TransactionVersion,
  { transactionalId, producerId, producerEpoch }: TransactionalProducer,
  participants: readonly Participant[],
  unreachable: number,
  checked: (errorCode: number) => void,
): void {
  const { clock } = cluster.runtime
  const owner = { producerId, epoch: producerEpoch }
  const askedAt = clock.now()
  const isUp = () => cluster.isUp(transactions.coordinatorOf(transactionalId))
  if (!isUp()) checked(unreachable)
  else if (version === 2 && cluster.transactionVersion >= 2) add()
  else checked(translated(ask()))

  function ask(): number {
    for (const participant of participants) {
      const code = transactions.membership(transactionalId, owner, participant)
      if (code !== brokerCode.NONE) return code === brokerCode.CONCURRENT_TRANSACTIONS ? unreachable : code
    }
    return brokerCode.NONE
  }

  function add(): void {
    transactions.add(transactionalId, owner, participants, (code) => {
      const mayAgain = clock.now() + retry.everyMs <= askedAt + retry.forMs
      if (code === brokerCode.CONCURRENT_TRANSACTIONS && mayAgain && isUp()) setBrokerTimer(clock, retry.everyMs, add)
      else checked(code === brokerCode.NOT_COORDINATOR || !isUp() ? unreachable : translated(code))
    })
  }
}

function translated(code: number): number {
  return code === brokerCode.PRODUCER_FENCED ? brokerCode.INVALID_PRODUCER_EPOCH : code
}
