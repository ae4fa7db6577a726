import { z } from 'zod'
import type { Batch, Message, Messaging, Producer, Topic } from 'tidemark'
import type { KafkajsConfig } from 'tidemark/kafkajs'
import type { OrderValue } from './common.js'

export const Order = z.object({ id: z.string() })
interface Invoice {
  readonly id: string
}
export declare const invoices: Topic<Invoice>
export declare const invoice: Invoice
export declare function bill(order: OrderValue): Promise<void>
export declare function billOf(order: OrderValue): Invoice
export declare const received: Message<OrderValue>
export declare const batch: Batch<OrderValue>
/** Under the profile `transactional`. */
export declare const transactional: Messaging
export declare const producer: Producer
export declare const username: string
export declare const password: string
export declare const ssl: true
export declare const sasl: NonNullable<KafkajsConfig['sasl']>
export declare const socketFactory: NonNullable<KafkajsConfig['socketFactory']>
export { NestFactory } from '@nestjs/core'
export { ErrorsAsThrown, TidemarkTransport } from '../../../examples/nestjs/tidemark-transport.js'
export declare class BillingModule {}
