import { expect, it } from 'vitest'
import { ManualHandler, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

it('one record that does not end bounds what is settled beyond it by the mark, and its end lets the partition go on', async () => {
  const handler = new ManualHandler()
  const { clock, driver, consumer } = setUp({
    handle: (message, context) => (message.offset === 0 ? handler.handle(message, context) : undefined),
    order: 'none',
    concurrency: 8,
    highMark: { records: 1_000 },
    lowMark: { records: 500 },
  })
  await consumer.start()
  const assigned = await driver.assign('t', 0)
  let next = 0
  const rests = () => consumer.facts().partitions[0]?.pausedBy.includes('marks') === true
  for (; next < 100_000 && !rests(); next += 100) {
    driver.deliver(assigned, records(next, next + 100))
    await clock.advance(1)
  }
  expect(next).toBeLessThanOrEqual(1_200)
  expect(consumer.facts().partitions[0]).toMatchObject({ settled: 0, running: 1 })
  handler.end(0)
  await clock.advance(1)
  expect(rests()).toBe(false)
  expect(consumer.facts().partitions[0]).toMatchObject({ settled: next, unsettled: 0 })
})
