import type { Topic } from 'tidemark'
import type { OrderValue } from './common.js'

interface Invoice {
  readonly id: string
}
export declare const invoices: Topic<Invoice>
export declare function billOf(order: OrderValue): Invoice
