/** Subpath `tidemark/transactions`: what `messaging.transaction` is told, gives and rejects with. */
export { TransactionError } from './errors.js'
export type { Transaction } from './transaction/transaction.js'
export type { TransactionOptions } from './transaction/transaction-options.js'
