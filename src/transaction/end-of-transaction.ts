import type { Acknowledged, OwnedPartition } from '../consumer/partition/owned-partition.js'
import { isNews, stateOf } from '../consumer/settling/commit-state.js'
import type { LedgerParts } from '../consumer/settling/ledger.js'
import type { DriverTransactions, TransactionEnd } from '../driver/transactions.js'
import { DriverError, SendError, TidemarkError } from '../errors.js'
import type { Producer } from '../producer/producer.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Contributions } from './contributions.js'
import { committedIn, holdsAll } from './offsets-in-transaction.js'

/** A place that goes on record with the transaction. */
export interface ChosenOffset {
  readonly partition: OwnedPartition
  readonly state: Acknowledged
}

export interface EndParts {
  readonly group: string
  readonly groupInstanceId: string | null
  readonly producer: Producer
  readonly transactions: DriverTransactions
  readonly contributions: Contributions
  readonly ledger: Pick<LedgerParts, 'driver' | 'partitions' | 'runtime'>
  readonly closed: AbortSignal
  /** Nothing of these counts. */
  readonly isUndone: (partition: OwnedPartition) => boolean
  /** The partition has nothing that is not on record. */
  readonly onRecord: (partition: OwnedPartition) => void
  /** So much of the partition is settled beyond its first open record that one commit cannot tell it. */
  readonly onCrowded: (partition: OwnedPartition) => void
}

export type MemberEnd =
  /** There was nothing in it, and it is open still. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'asked'; readonly end: TransactionEnd; readonly chosen: readonly ChosenOffset[] }
  /** Its commit was not asked for. @field graver why this producer may go on no more */
  | { readonly kind: 'aborted'; readonly error: TidemarkError; readonly graver: TidemarkError | null }

/**
 * Ends the transaction of a member: what joined is settled, all of it is stored, the offsets go in, the commit is asked for.
 * Whatever stands against that aborts it. Never rejects.
 */
export async function endOfTransaction(parts: EndParts, deadline: number): Promise<MemberEnd> {
  let chosen: readonly ChosenOffset[]
  try {
    await settleAll(parts, deadline)
    chosen = choose(parts)
    if (parts.contributions.isEmpty && chosen.length === 0) return { kind: 'empty' }
    await commitOffsets(parts, chosen, deadline)
  } catch (error) {
    return abort(parts, error, deadline)
  }
  return { kind: 'asked', end: await parts.transactions.commit(deadline), chosen }
}

/** Everything that joined is settled, stored, and of partitions that are ours. */
async function settleAll(
  { contributions, producer, ledger, closed, ...rest }: EndParts,
  deadline: number,
): Promise<void> {
  const { clock } = ledger.runtime
  const onLate = () => {
    throw new DriverError('transaction-late', 'what joined the transaction was not stored in time', { retriable: true })
  }
  await withinDeadline(contributions.whenSettled(), { clock, deadline, onLate })
  const stored = Promise.all([producer.flush(), contributions.whenSent()])
  await withinDeadline(stored, { clock, deadline, signal: closed, onLate })
  requireWhole(contributions, rest.transactions)
}

function requireWhole(contributions: Contributions, transactions: DriverTransactions): void {
  if (contributions.failure !== null) throw contributions.failure
  if (transactions.failure !== null) throw transactions.failure
  const gone = contributions.gone()
  if (gone === undefined) return
  const { topic, partition } = gone
  const message = `${topic}-${partition} was given up within the transaction`
  throw new TidemarkError('partition-gone', message, { topic, partition, retriable: true })
}

/**
 * A coordinator takes no offset of a topic that is gone, and none of the others with it. It can be left out where nothing
 * that was sent for its records joined; what did is aborted once, and does not come again.
 */
function choose({ ledger, contributions, isUndone, onRecord, onCrowded }: EndParts): ChosenOffset[] {
  const chosen: ChosenOffset[] = []
  const gone = goneTopics(ledger)
  let crowded: OwnedPartition | null = null
  for (const partition of ledger.partitions()) {
    if (!partition.uncommitted || partition.isGone || isUndone(partition)) continue
    partition.uncommitted = false
    if (gone.has(partition.topic) && !contributions.has(partition)) continue
    const state = stateOf(partition)
    // Nobody could tell where the partition starts: what the group has may lie anywhere.
    if (state.offset < 0) continue
    if (!holdsAll(partition, state)) {
      crowded = partition
      onCrowded(partition)
    } else if (isNews(partition.acknowledged, state)) chosen.push({ partition, state })
    else onRecord(partition)
  }
  if (crowded !== null) throw tooMuchBeyond(crowded)
  return chosen
}

function goneTopics({ driver }: Pick<LedgerParts, 'driver'>): ReadonlySet<string> {
  const { unavailableTopics = [] } = driver().facts()
  return new Set(unavailableTopics.filter(({ why }) => why !== 'forbidden').map(({ topic }) => topic))
}

async function commitOffsets(parts: EndParts, chosen: readonly ChosenOffset[], deadline: number): Promise<void> {
  if (chosen.length === 0) return
  const { ledger, transactions, contributions, group: groupId, groupInstanceId } = parts
  const { memberId, generationId } = ledger.driver().facts()
  if (memberId === null) {
    throw new TidemarkError('not-a-member', 'the group has no place for us at the moment', { retriable: true })
  }
  const member = { groupId, generationId, memberId, groupInstanceId }
  const offsets = chosen.map(({ partition, state }) => committedIn(partition, state))
  await transactions.commitOffsets(member, offsets, deadline)
  requireWhole(contributions, transactions)
}

async function abort(parts: EndParts, cause: unknown, deadline: number): Promise<MemberEnd> {
  const { transactions, producer, contributions } = parts
  const error =
    cause instanceof TidemarkError ? cause : new DriverError('aborted', 'it could not go on (see cause)', { cause })
  transactions.fail(error)
  await producer.giveUpWaiting((topic) => notSent(topic))
  await contributions.whenSent()
  return { kind: 'aborted', error, graver: await transactions.abort(deadline) }
}

function notSent(topic: string): SendError {
  const message = `a record for topic ${topic} was not sent: its transaction was aborted`
  return new SendError('transaction-aborted', 'not-stored', message, { topic })
}

/** What is settled and not on record would be handled again though its output is visible. */
function tooMuchBeyond({ topic, partition }: OwnedPartition): TidemarkError {
  const message = `what is settled of ${topic}-${partition} beyond its first open record does not fit into one commit, so less of it is handled at the same time from now on`
  return new TidemarkError('commit-too-large', message, { topic, partition, retriable: true })
}
