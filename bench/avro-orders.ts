import { z } from 'zod'
import { seededRandom } from '../src/runtime/random.js'

export const orderSchema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'customer', type: 'long' },
    { name: 'email', type: 'string' },
    { name: 'at', type: 'long' },
    { name: 'total', type: 'double' },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'active', type: 'boolean' },
    {
      name: 'items',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Item',
          fields: [
            { name: 'sku', type: 'string' },
            { name: 'quantity', type: 'int' },
          ],
        },
      },
    },
  ],
} as const

export const OrderCheck = z.object({
  id: z.string(),
  customer: z.number(),
  email: z.string(),
  at: z.number(),
  total: z.number(),
  note: z.string().nullable(),
  active: z.boolean(),
  items: z.array(z.object({ sku: z.string(), quantity: z.number() })),
})
export type Order = z.infer<typeof OrderCheck>

const random = seededRandom(1)
export const orderAt = (index: number): Order => ({
  id: random.uuid(),
  customer: 91_827 + index,
  email: 'jane@example.com',
  at: 1_767_225_600_000 + index * 7_919,
  total: index / 4,
  note: index % 3 === 0 ? null : 'please leave it with the neighbours',
  active: true,
  items: ['AB-1234', 'CD-5678', 'EF-9012'].map((sku, line) => ({ sku, quantity: line + 1 })),
})
