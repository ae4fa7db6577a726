import { expect, test } from 'vitest'
import { start, topic } from './scripted-driver.js'

test('a record is not given up for the age of another in its batch', async () => {
  const bench = await start({ deliveryTimeoutMs: 10_000 })
  const out = bench.producer.send(topic, '1:out').catch((error: unknown) => error)
  await bench.run(1)
  const old = bench.producer.send(topic, '1:old').catch((error: unknown) => error)
  await bench.run(9_990)
  const young = bench.producer.send(topic, '1:young')
  await bench.run(12)
  bench.driver.last.fail('unknown', 'delivery-timeout')
  await bench.run()
  expect(await out).toMatchObject({ outcome: 'unknown' })
  expect(await old).toMatchObject({ code: 'delivery-timeout', outcome: 'not-stored' })
  expect(bench.driver.last.values).toEqual(['1:young'])
  bench.driver.last.store(7)
  expect(await young).toMatchObject({ offset: 7 })
})
