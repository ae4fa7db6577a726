import { expect, test } from 'vitest'
import type { Message, Messaging, Topic } from 'tidemark'
import type { OrderValue } from './common.js'

export { expect, test }
export declare const orders: Topic<Pick<OrderValue, 'id' | 'customer' | 'cents'>>
export declare const bills: Topic<{ readonly order: string; readonly cents: number }>
export declare function bill(order: Message<Pick<OrderValue, 'id' | 'customer' | 'cents'>>): Promise<void>
export declare function startBilling(messaging: Messaging): Promise<void>
