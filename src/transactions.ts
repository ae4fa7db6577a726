/** Subpath `tidemark/transactions`: what `messaging.transaction` is told, gives and rejects with. */
export { TransactionError } from './errors.js'
export type { Transaction } from './transaction/transaction.js'
export type { ListedTransaction, OpenTransactionAt, TransactionDescription } from './driver/admin.js'
export type { ListTransactionsOptions } from './operations/admin-input.js'
export type { TransactionOptions } from './transaction/transaction-options.js'
export type { ConsumerTransactionOptions } from './config/transaction-option.js'
