import type { Kysely } from 'kysely'
import type { Topic } from 'tidemark'
import type { OrderValue } from './common.js'

interface InvoiceRow {
  readonly order_id: string
  readonly cents: number
}
export declare const db: Kysely<{ invoice: InvoiceRow; orders: OrderValue }>
export declare function invoiceOf(order: OrderValue): InvoiceRow
export declare const orderTopic: Topic<OrderValue>
