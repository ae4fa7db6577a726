import { describe, expect, it } from 'vitest'
import { ManualHandler, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

describe('lag', () => {
  it('reaches from what is settled to the end of the log as last told, however old the last record is', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    const assigned = await driver.assign('t', 0, { position: 10 })
    driver.deliver(assigned, records(10, 20))
    await clock.advance(0)
    expect(consumer.lag()).toBe(0)
    consumer.pause()
    await clock.advance(60_000)
    driver.ends.set('t-0', { offset: 5_020, at: clock.now() - 2_000 })
    expect(consumer.lag()).toBe(5_000)
    expect(consumer.facts().partitions[0]).toMatchObject({ end: 5_020, endOffsetAt: clock.now() - 2_000, lag: 5_000 })
  })

  it('says that an end is not known yet, and is never negative', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    await driver.assign('t', 0, { position: 10 })
    expect(consumer.facts().partitions[0]).toMatchObject({ end: 10, endOffsetAt: null, lag: 0 })
    driver.ends.set('t-0', { offset: 4, at: clock.now() })
    expect(consumer.lag()).toBe(0)
  })

  it('counts what was fetched and is not settled', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'none', concurrency: 2 })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 10))
    driver.deliver(await driver.assign('t', 1), records(0, 10))
    await clock.advance(0)
    expect(consumer.lag()).toBe(20)
    expect(consumer.facts()).toMatchObject({ inFlight: 20, running: 2 })
    for (const { offset, partition } of [...handler.started]) handler.end(offset, 't', partition)
    await clock.advance(0)
    expect(consumer.lag()).toBe(18)
    expect(consumer.facts()).toMatchObject({ inFlight: 18 })
  })
})

describe('facts', () => {
  it('tell everything that health is judged by: poll age, in flight, oldest age, epoch, last drain', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle })
    expect(consumer.facts()).toMatchObject({ state: 'idle', driver: null, partitions: [], pollAgeMs: 0, inFlight: 0 })
    await consumer.start()
    const first = await driver.assign('t', 0)
    driver.deliver(first, records(0, 3))
    await clock.advance(3_000)
    expect(consumer.facts()).toMatchObject({
      state: 'running',
      driver: { generationId: 1, lastFetchAt: clock.now() - 3_000 },
      partitions: [{ epoch: first.epoch, unsettled: 3, running: 1, settled: 0, committed: null, state: 'active' }],
      inFlight: 3,
      oldestHandlerStartedAt: clock.now() - 3_000,
      pollAgeMs: 3_000,
      lastDrain: null,
      error: null,
    })
    const revoked = driver.revoke(first, 10_000)
    handler.end(0)
    await clock.runUntil(revoked)
    const second = await driver.assign('t', 0)
    expect(consumer.facts()).toMatchObject({
      partitions: [{ epoch: second.epoch, unsettled: 0 }],
      inFlight: 0,
      oldestHandlerStartedAt: null,
      lastDrain: { reason: 'revoked', drained: 1, abandoned: 0, committed: [{ offset: 1 }] },
    })
    expect(second.epoch).toBeGreaterThan(first.epoch)
  })
})
