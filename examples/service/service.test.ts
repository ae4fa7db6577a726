/** How the service is tested: its handler alone, and all of it on a Kafka inside the process. */
import { createMessaging } from 'tidemark'
import { memory } from 'tidemark/memory'
import { handleOne, recordsOf, untilIdle } from 'tidemark/testing'
import { expect, test } from 'vitest'
import { billing, openService, orders, putAside } from './service.js'
import { openStore } from './store.js'

const order = { id: 'o-1', customer: 'ada', cents: 100 }

test('an order that comes twice is billed once', async () => {
  const store = openStore(':memory:')
  const bill = billing(store)
  for (let time = 0; time < 2; time += 1) {
    expect(await handleOne(orders, order, (message) => bill([message]))).toMatchObject({ outcome: 'handled' })
  }
  expect(store.total('ada')).toEqual({ orders: 1, cents: 100 })
  store.close()
})

test('an order of nobody is put aside', async () => {
  const bill = billing(openStore(':memory:'))
  const fate = await handleOne(orders, { ...order, customer: 'nobody' }, (message) => bill([message]))
  expect(fate).toMatchObject({ outcome: 'dead-lettered', reason: 'rejected' })
})

test('orders go from HTTP to the bill, and what fails is put aside alone', async () => {
  const messaging = createMessaging({ driver: memory() })
  const store = openStore(':memory:')
  const server = await openService(messaging, store, 'test')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const post = (body: object) =>
    fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body: JSON.stringify(body) })

  const statuses = await Promise.all([
    post(order),
    post({ ...order, id: 'o-2', cents: 50 }),
    post({ ...order, id: 'o-3', customer: 'nobody' }),
    post({ ...order, cents: -1 }),
  ])
  expect(statuses.map(({ status }) => status)).toEqual([202, 202, 202, 400])
  await untilIdle(messaging)

  const total = await fetch(`http://127.0.0.1:${port}/customers/ada`)
  expect(await total.json()).toEqual({ orders: 2, cents: 150 })
  expect(await recordsOf(messaging, orders)).toHaveLength(3)
  const letters = await recordsOf(messaging, putAside)
  expect(letters.map(({ headers }) => headers.get('td-reason'))).toEqual(['rejected'])

  server.close()
  await messaging.close()
  store.close()
})
