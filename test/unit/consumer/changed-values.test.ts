import { expect, it } from 'vitest'
import type { Logger } from '../../../src/telemetry/logger.js'
import { json } from '../../../src/serde/json.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import { CountingMetrics } from '../producer/counting-metrics.js'
import { routeFailing, setUp } from './consumer-setup.js'
import { records } from './fake-driver.js'

const one = defineTopic({ name: 't', value: json() })
const other = defineTopic({ name: 'u', value: json() })
const written = (...texts: readonly string[]) =>
  records(0, texts.length).map((record, at) => ({ ...record, value: Buffer.from(texts[at]!) }))

it('a value that is not read as it was written is counted, and told once per topic with its path', async () => {
  const metrics = new CountingMetrics()
  const warnings: unknown[] = []
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => warnings.push(fields) } as Logger
  const seen: unknown[] = []
  const { clock, driver, consumer } = setUp(
    { topics: [one, other] as never, handle: ({ value }) => void seen.push(value) },
    { metrics, logger },
  )
  await consumer.start()
  for (const topic of ['t', 'u']) {
    const assigned = await driver.assign(topic, 0)
    driver.deliver(assigned, written('{"id":9007199254740993}', '{"a":{"id":9007199254740993}}', '{"id":7}'))
  }
  await clock.advance(10)
  expect(seen).toHaveLength(6)
  expect(metrics.total('tidemark_consumer_changed_values_total')).toBe(4)
  expect(warnings).toMatchObject([
    { topic: 't', path: 'id' },
    { topic: 'u', path: 'id' },
  ])
  expect(JSON.stringify(warnings)).not.toContain('9007199254740993')
})

it('a serde that decodes to a promise fails the record and leaves no rejection behind', async () => {
  const late = { ...one, value: { name: 'late', encode: () => null, decode: () => Promise.reject(new Error('late')) } }
  const { route, given } = routeFailing(0)
  const { clock, driver, consumer } = setUp({ topics: [late, other] as never }, { deadLetter: route })
  await consumer.start()
  driver.deliver(await driver.assign('t', 0), written('1'))
  await clock.advance(10)
  expect(given).toMatchObject([
    { reason: 'invalid', error: { message: expect.stringContaining('a promise') as string } },
  ])
})
