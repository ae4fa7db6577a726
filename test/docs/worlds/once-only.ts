import type { Kysely, Transaction } from 'kysely'
import type { Message, Topic } from 'tidemark'
import type { SqlPositions } from 'tidemark/sql'
import type { OrderValue } from './common.js'

interface InvoiceRow {
  readonly order_id: string
  readonly cents: number
}
export declare const db: Kysely<Tables>
export declare function invoiceOf(order: OrderValue): InvoiceRow
export declare const orderTopic: Topic<OrderValue>
interface Tables {
  invoice: InvoiceRow
  orders: OrderValue
}
export declare const trx: Transaction<Tables>
export declare const batch: readonly Message<OrderValue>[]
export declare function addUp(trx: Transaction<Tables>, order: OrderValue): Promise<void>
export declare const positions: SqlPositions<Tables>
export declare const sentBefore: Map<number, number>
