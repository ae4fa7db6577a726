import type { GroupMemberIdentity } from '../connection/requests/groups.js'
import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { TidemarkError } from '../errors.js'

/** What is known of the end of a transaction. More outcomes may come never; more `error` codes may. */
export type TransactionEnd =
  /** All of it is visible, or will be within moments. */
  | { readonly outcome: 'committed' }
  /** None of it will ever be visible to who reads committed records. */
  | { readonly outcome: 'aborted'; readonly error: TidemarkError }
  /**
   * Nobody can tell yet. It is asked for on, in the background: `resolved` says what became of it, `unknown` when nobody
   * can tell any more or the producer was closed. It never rejects.
   */
  | {
      readonly outcome: 'unknown'
      readonly error: TidemarkError
      readonly resolved: Promise<'committed' | 'aborted' | 'unknown'>
    }

/**
 * The transactions of one producer, one at a time: `begin`, then records by `produce`, then `commit` or `abort`. Every
 * batch has its outcome before the end is asked for. Deadlines are by `clock.now()`.
 */
export interface DriverTransactions {
  /** Why the open transaction can only be aborted; `null` while nothing stands against its commit. */
  readonly failure: TidemarkError | null
  /**
   * Makes sure that we own the transactional id and that our last transaction has ended; then opens one. Nothing is
   * opened when it rejects: with `FencedError` when another producer owns the id, which is final.
   *
   * @param timeoutMs after this long, counted by the broker from the first record, it aborts the transaction by itself
   */
  begin(timeoutMs: number, deadline: number): Promise<void>
  /** Makes a group's offsets part of the transaction. When it rejects, the transaction can only be aborted. */
  commitOffsets(member: GroupMemberIdentity, offsets: readonly CommittedPartition[], deadline: number): Promise<void>
  /** Nothing may join any more; what waits to be sent is refused, as not stored. */
  fail(reason: TidemarkError): void
  /** Never rejects. Past the deadline it is `unknown`, or `aborted` where that is certain. */
  commit(deadline: number): Promise<TransactionEnd>
  /**
   * Never rejects. What is not ended at the deadline is ended in the background; visible it will never be. Resolves to why
   * it had to be aborted, where that came to light now: it timed out, or another producer took over.
   */
  abort(deadline: number): Promise<TidemarkError | null>
}
