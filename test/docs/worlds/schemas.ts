import type { SchemaRegistry } from 'tidemark/registry'
import { z } from 'zod'

export declare const registry: SchemaRegistry
const fields = [
  { name: 'tenant', type: 'int' },
  { name: 'id', type: 'string' },
] as const
export const OrderKey = { type: 'record', name: 'OrderKey', fields } as const
export const OrderSchema = { type: 'record', name: 'Order', fields } as const
export const schema = { ...OrderSchema } as typeof OrderSchema
export const Order = z.object({ tenant: z.number(), id: z.string() })
export declare function bill(key: { readonly tenant: number; readonly id: string }, order: unknown): Promise<void>
