/**
 * What a reader of the guides has already: names that snippets use and do not declare. A page whose names mean something
 * else has a file of its own beside this one.
 */
import type { Server } from 'node:http'
import type { Consumer, Driver, Messaging, Producer, Topic } from 'tidemark'

export interface OrderValue {
  readonly id: string
  readonly customer: string
  readonly cents: number
  readonly total: number
}

export declare const messaging: Messaging
export declare const producer: Producer
export declare const consumer: Consumer<readonly [Topic<OrderValue>]>
export declare const driver: Driver
export declare const brokers: string[]
export declare const server: Server
export declare const orders: Topic<OrderValue>
export declare const order: OrderValue
export declare const handle: () => Promise<void>
export declare const log: (error: unknown) => void
/** Options that a snippet leaves out with `…`. */
export declare const others: {
  readonly group: string
  readonly topics: readonly [Topic<OrderValue>]
  readonly handle: () => Promise<void>
}
export declare function store(...what: unknown[]): Promise<void>
