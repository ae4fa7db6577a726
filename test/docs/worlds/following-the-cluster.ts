import { z } from 'zod'

export const Order = z.object({ id: z.string() })
export declare function audit(topic: string, order: z.infer<typeof Order>): Promise<void>
export declare const tokenUrl: string
export declare const clientId: string
export declare const clientSecret: string
