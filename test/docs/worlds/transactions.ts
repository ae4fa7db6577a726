import type { Topic } from 'tidemark'
import type { OrderValue } from './common.js'

interface Invoice {
  readonly id: string
}
export declare const invoices: Topic<Invoice>
export declare const invoice: Invoice
export declare const audit: Topic<{ readonly invoice: string }>
export declare const prices: Topic<{ readonly cents: number }>
export declare function priceOf(order: OrderValue): { readonly cents: number }
