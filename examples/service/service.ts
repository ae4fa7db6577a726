/** A service as it stands in production: orders come by HTTP, Kafka keeps them, SQLite has what became of them. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { json as bodyOf } from 'node:stream/consumers'
import { bytes, DeadLetter, defineTopic, json, SendError, type Message, type Messaging } from 'tidemark'
import { z } from 'zod'
import type { Store } from './store.js'

export const Order = z.object({ id: z.string().min(1), customer: z.string().min(1), cents: z.int().positive() })
export type Order = z.infer<typeof Order>

export const orders = defineTopic({ name: 'service.orders', key: 'customer', value: json(Order), partitions: 3 })
export const putAside = defineTopic({ name: 'service.orders.dlq', value: bytes(), deadLettersOf: orders })

/** All of a batch or nothing of it. A batch that comes again, after a crash, changes nothing: see the store. */
export function billing(store: Store): (messages: readonly Message<Order>[]) => void {
  return (messages) =>
    store.transaction(() => {
      for (const { value } of messages) {
        // The batch is tried again record by record, and this one alone is put aside.
        if (value.customer === 'nobody') throw new DeadLetter('there is no such customer')
        store.bill(value)
      }
    })
}

/** @param instance lets a process that was killed have its partitions back at once; each process has one of its own */
export async function openService(messaging: Messaging, store: Store, instance: string): Promise<Server> {
  await messaging.ensureTopics([orders, putAside])
  const producer = messaging.producer({ deliveryTimeoutMs: 10_000 })
  const consumer = messaging.consumer({
    group: 'service.billing',
    groupInstanceId: instance,
    topics: [orders],
    deadLetter: putAside.name,
    handleBatch: billing(store),
  })

  async function answer(request: IncomingMessage): Promise<readonly [status: number, body: object]> {
    const [, resource, name = ''] = request.url?.split('/') ?? []
    if (request.method === 'GET' && resource === 'customers') return [200, store.total(decodeURIComponent(name))]
    if (request.method !== 'POST' || resource !== 'orders') return [404, { try: 'POST /orders, GET /customers/:name' }]
    const order = Order.safeParse(await bodyOf(request).catch(() => undefined))
    if (!order.success) return [400, { error: z.prettifyError(order.error) }]
    try {
      // On every in-sync replica: from here on it is billed, whatever dies.
      const { partition, offset } = await producer.send(orders, order.data)
      return [202, { partition, offset }]
    } catch (error) {
      if (!(error instanceof SendError)) throw error
      // 'unknown' may be stored all the same. The order's id makes it harmless to send it again.
      return [503, { error: error.code, outcome: error.outcome }]
    }
  }

  await consumer.start()
  return createServer((request, response) => {
    const end = ([status, body]: readonly [number, object]) => response.writeHead(status).end(JSON.stringify(body))
    answer(request).then(end, () => end([500, { error: 'internal' }]))
  })
}
