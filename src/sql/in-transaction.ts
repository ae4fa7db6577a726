import type { Kysely, Transaction } from 'kysely'
import { StateError } from '../errors.js'

/** Rejects with what `work` threw, also where its rollback fails too, as on a connection that is gone: kysely tells of that alone. */
export async function inTransaction<Tables, Result>(
  db: Kysely<Tables>,
  work: (trx: Transaction<Tables>) => Promise<Result>,
): Promise<Result> {
  let thrown: { readonly error: unknown } | null = null
  const told = async (trx: Transaction<Tables>): Promise<Result> => {
    try {
      return await work(trx)
    } catch (error) {
      thrown = { error }
      throw error
    }
  }
  try {
    return await db.transaction().execute(told)
  } catch (error) {
    throw (thrown as { readonly error: unknown } | null)?.error ?? error
  }
}

/** PostgreSQL: a statement failed, and the transaction with it. Its COMMIT would be answered, and roll back. */
const abortedState = '25P02'

/** What the first statement of the transaction wrote is gone before its end. */
export function transactionLost(cause?: unknown): StateError {
  return new StateError(
    'transaction-lost',
    'expected a transaction that holds to its end, but a statement of it failed, and the database rolled all of it back while ' +
      'the work went on; let what a statement throws end the work, or put a savepoint before it',
    { cause },
  )
}

/** Of the last statement before a commit. Rethrows, and says what it means that the transaction was over. */
export function orLost(error: unknown): never {
  throw (error as { readonly code?: unknown } | null)?.code === abortedState ? transactionLost(error) : error
}
