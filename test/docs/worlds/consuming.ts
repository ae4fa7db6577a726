import type { Topic } from 'tidemark'
import type { OrderValue } from './common.js'

export declare const orders: Topic<OrderValue, 'orders'>
export declare const invoices: Topic<{ readonly id: string }, 'invoices'>
