import { brokerError } from '../../connection/broker-error.js'
import type { EndTxnRequest, TransactionVersion } from '../../connection/requests/transactions.js'
import type { TransactionEnd } from '../../driver/transactions.js'
import type { TidemarkError } from '../../errors.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'
import { judgeEnd } from './codes.js'
import type { Coordinator } from './coordinator.js'

/**
 * Under version 2 a leader that is written while the markers of the former transaction are not yet there rests for 20 ms before
 * it asks the coordinator again. They take a few milliseconds, so waiting for those ourselves is several times faster.
 */
export const markersMs = 3

/** The transaction that is to be ended. */
export interface Ending {
  readonly owner: ProducerIdentity
  readonly version: TransactionVersion
  readonly committed: boolean
}

/**
 * How asking for the end went. `inDoubt`: an attempt before the last answer may have been carried out.
 *
 * - `ended`: as asked for; with what the next transaction goes on with.
 * - `not-open`: there was nothing to end so. It cannot follow our own commit.
 * - `abortable`: it can only be aborted.
 * - `fenced`, `refused`: this producer has no say any more.
 * - `undecided`: no answer that says anything until the deadline.
 */
export type EndResult =
  | { readonly kind: 'ended'; readonly inDoubt: boolean; readonly next: ProducerIdentity }
  | {
      readonly kind: 'not-open' | 'abortable' | 'fenced' | 'refused' | 'undecided'
      readonly inDoubt: boolean
      readonly problem: TidemarkError
      readonly errorCode: number | null
    }

/** Asks for one and the same end, under the same id and epoch, until an answer decides. Never rejects. */
export async function askForEnd(
  coordinator: Coordinator,
  { owner, version, committed }: Ending,
  deadline: number,
  doubtedBefore = false,
): Promise<EndResult> {
  const request: EndTxnRequest = {
    ...{ api: 'endTxn', transactionalId: coordinator.key, transactionVersion: version, committed },
    ...owner,
  }
  let inDoubt = doubtedBefore
  for (let attempt = 1; ; attempt += 1) {
    const asked = await coordinator.ask(request, deadline)
    let problem: TidemarkError
    let errorCode: number | null = null
    if (asked.kind === 'answered') {
      const { answer } = asked
      errorCode = answer.errorCode
      const verdict = judgeEnd(errorCode)
      if (verdict === 'ended') return { kind: 'ended', inDoubt, next: nextOf(answer, owner) }
      problem = brokerError(errorCode, `${committed ? 'committing' : 'aborting'} a transaction of "${coordinator.key}"`)
      if (verdict === 'look-up') coordinator.lost()
      if (verdict === 'look-up' || verdict === 'repeat') inDoubt = true
      else if (verdict !== 'wait') return { kind: verdict, inDoubt, problem, errorCode }
    } else {
      ;({ problem } = asked)
      if (asked.sent === 'maybe') inDoubt = true
      if (asked.isFinal) return { kind: inDoubt ? 'undecided' : 'refused', inDoubt, problem, errorCode }
    }
    if (!(await coordinator.rest(attempt, deadline))) return { kind: 'undecided', inDoubt, problem, errorCode }
  }
}

/** Before version 2 the id and epoch stay. */
function nextOf({ producerId, producerEpoch }: ProducerIdentity, owner: ProducerIdentity): ProducerIdentity {
  return producerId < 0 ? owner : { producerId, producerEpoch }
}

/** Where the producer was closed meanwhile. */
export function closedWhile(inDoubt: boolean, problem: TidemarkError): TransactionEnd {
  if (!inDoubt) return { outcome: 'aborted', error: problem }
  return { outcome: 'unknown', error: problem, resolved: Promise.resolve('unknown') }
}
