import type { OrderValue } from './common.js'

export declare const request: { readonly signal: AbortSignal }
export declare function tryElsewhere(order: OrderValue): Promise<void>
export declare const regions: readonly string[]
