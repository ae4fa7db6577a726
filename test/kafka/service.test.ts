import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, it } from 'vitest'
import { bytes, createMessaging, defineTopic } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { recordsOf } from 'tidemark/testing'
import { orders, putAside } from '../../examples/service/service.js'
import { startService, type ServiceOrder, type ServiceProcess } from '../examples/service-process.js'
import { removeWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

const customers = ['ada', 'bob', 'cy']
const placed: readonly ServiceOrder[] = Array.from({ length: 300 }, (_, index) => ({
  id: `o-${index}`,
  customer: customers[index % customers.length] as string,
  cents: index + 1,
}))

it('the service that is killed twice at work loses no order that it acknowledged, and bills none twice', async () => {
  const brokers = inject('kafkaBrokers')
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-service-'))
  removeWithUs(folder)
  const env = {
    KAFKA_BROKERS: brokers.join(','),
    DATABASE: join(folder, 'service.db'),
    INSTANCE: 'service-0',
    TIDEMARK_LOG: 'error',
  }
  let service: ServiceProcess = await startService(env)
  let acknowledged = 0

  /** As a client does: again with the same id until it is acknowledged. */
  async function place(order: ServiceOrder): Promise<void> {
    while ((await service.post(order).catch(() => 0)) !== 202) await sleep(20)
    acknowledged += 1
  }
  const left = [...placed]
  const clients = Array.from({ length: 16 }, async () => {
    for (let order = left.shift(); order !== undefined; order = left.shift()) await place(order)
  })
  const messaging = createMessaging({ driver: kafkajs({ brokers: [...brokers] }), logger: 'silent' })
  const raw = defineTopic({ name: orders.name, value: bytes() })
  await messaging.producer().send(raw, Buffer.from('{"id":'), { partition: 0 })
  await place({ id: 'o-nobody', customer: 'nobody', cents: 1 })

  for (const atLeast of [80, 200]) {
    await until(`${atLeast} orders are acknowledged`, () => acknowledged >= atLeast, { everyMs: 1 })
    await service.kill()
    service = await startService(env)
  }
  await Promise.all(clients)

  const totals = () => Promise.all(customers.map((customer) => service.total(customer)))
  const expected = customers.map((name) => {
    const theirs = placed.filter(({ customer }) => customer === name)
    return { orders: theirs.length, cents: theirs.reduce((sum, { cents }) => sum + cents, 0) }
  })
  const billed = async () => (await totals()).reduce((sum, total) => sum + total.orders, 0)
  await until('all are billed', async () => (await billed()) === placed.length, { timeoutMs: 30_000 })
  expect(await totals()).toEqual(expected)
  expect(await service.stop(), service.output()).toBe(0)

  // After a kill a letter may have been written again; none is missing.
  const letters = await recordsOf(messaging, putAside)
  const origins = letters.map(({ headers }) => `${headers.get('td-reason')}`)
  expect([...new Set(origins)].sort()).toEqual(['rejected', 'undecodable'])
  const places = [0, 1, 2].map((partition) => ({ topic: orders.name, partition }))
  const ends = await messaging.admin.listOffsets(places, 'latest')
  const committed = await messaging.admin.committedOffsets('service.billing', places)
  expect(committed.map(({ partition, offset }) => [partition, offset])).toEqual(ends.map((end, index) => [index, end]))
  await messaging.close()
})
