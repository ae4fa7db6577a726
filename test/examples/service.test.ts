import { expect, it } from 'vitest'
import { until } from '../support/waiting.js'
import { startService } from './service-process.js'

/** It takes some seconds; the limit is for machines that do much else. */
const limitMs = 90_000

it(
  'the service runs on a Kafka inside its process: bills what it acknowledged, refuses what does not fit, ends at SIGTERM with 0',
  async () => {
    const service = await startService()
    const order = { id: 'o-1', customer: 'ada', cents: 100 }
    const statuses = [
      await service.post(order),
      await service.post({ ...order, id: 'o-2' }),
      await service.post(order),
      await service.post({ ...order, id: 'o-3', customer: 'nobody' }),
      await service.post({ ...order, cents: 0.5 }),
    ]
    expect(statuses).toEqual([202, 202, 202, 202, 400])
    await until('both are billed', async () => (await service.total('ada')).orders === 2)
    expect(await service.total('ada')).toEqual({ orders: 2, cents: 200 })
    expect(await service.stop()).toBe(0)
  },
  limitMs,
)
