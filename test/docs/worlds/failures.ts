import type { OrderValue } from './common.js'

export declare function save(order: OrderValue): Promise<void>
export declare function isConnectionLost(error: unknown): boolean
export declare class QueryFailedError extends Error {
  readonly code: string
}
