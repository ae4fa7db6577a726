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

  it('is null, as is the end, until every end is known, and never negative', async () => {
    const { clock, driver, consumer } = setUp()
    expect(consumer.lag()).toBeNull()
    await consumer.start()
    await driver.assign('t', 0, { position: 10 })
    await driver.assign('t', 1, { position: 10 })
    driver.ends.set('t-1', { offset: 30, at: clock.now() })
    expect(consumer.facts().partitions).toMatchObject([
      { end: null, endOffsetAt: null, lag: null },
      { end: 30, lag: 20 },
    ])
    expect(consumer.lag()).toBeNull()
    driver.ends.set('t-0', { offset: 4, at: clock.now() })
    expect(consumer.facts().partitions[0]).toMatchObject({ end: 10, lag: 0 })
    expect(consumer.lag()).toBe(20)
  })

  it('is null outside the group, and while a partition has no place to start, whatever the others tell', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    await driver.assign('t', 0)
    driver.ends.set('t-0', { offset: 0, at: clock.now() })
    driver.startless = [{ topic: 't', partition: 1 }]
    expect(consumer.lag()).toBeNull()
    driver.startless = []
    expect(consumer.lag()).toBe(0)
    driver.hasAssignment = false
    expect(consumer.lag()).toBeNull()
  })

  it('is, of a topic that was deleted, what was fetched of it and is not settled: nothing else will ever come', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await driver.assign('t', 1)
    await clock.advance(0)
    driver.ends.set('t-0', { offset: 5_000, at: clock.now() })
    driver.startless = [{ topic: 't', partition: 2 }]
    expect(consumer.lag()).toBeNull()
    driver.deleted = ['t']
    expect(consumer.lag()).toBe(3)
    expect(consumer.facts().partitions).toMatchObject([{ end: 5_000, lag: 3 }, { lag: 0 }])
    for (const offset of [0, 1, 2]) {
      handler.end(offset)
      await clock.advance(0)
    }
    expect(consumer.lag()).toBe(0)
    driver.deleted = []
    expect(consumer.lag()).toBeNull()
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

describe('catching up', () => {
  it('is reached when what stood in the logs at the call is settled, not what was written later', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.ends.set('t-0', { offset: 0, at: clock.now() })
    await clock.advance(1)
    let isUp = false
    const up = consumer.caughtUp().then(() => (isUp = true))
    await clock.advance(1_000)
    expect(isUp).toBe(false) // the end that is known is older than the call
    driver.deliver(assigned, records(0, 2))
    await clock.advance(1_000)
    driver.deliver(assigned, records(2, 5))
    handler.end(0)
    await clock.advance(100)
    expect(isUp).toBe(false)
    handler.end(1)
    await clock.runUntil(up)
  })

  it('leaves out partitions that are given away, and takes in those that come', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, drainMs: 1 })
    await consumer.start()
    const first = await driver.assign('t', 0)
    driver.deliver(first, records(0, 2))
    driver.ends.set('t-0', { offset: 2, at: clock.now() })
    let isUp = false
    const up = consumer.caughtUp().then(() => (isUp = true))
    await clock.advance(100)
    driver.hasAssignment = false
    await clock.runUntil(driver.revoke(first, 10))
    await clock.advance(100)
    expect(isUp).toBe(false) // without an assignment nobody knows
    const second = await driver.assign('t', 1, { position: 7 })
    driver.hasAssignment = true
    await clock.advance(100)
    expect(isUp).toBe(false)
    driver.deliver(second, records(7, 8))
    await clock.advance(100)
    handler.end(7, 't', 1)
    await clock.runUntil(up)
  })

  it('that is not reached in time is an error that names what is behind, and it ends with the consumer', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle })
    await expect(consumer.caughtUp()).rejects.toMatchObject({ code: 'wrong-state' })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    await driver.assign('t', 1)
    driver.deliver(assigned, records(0, 5))
    await expect(clock.runUntil(consumer.caughtUp({ timeoutMs: 500 }))).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'not-caught-up',
      message: expect.stringMatching(
        /t-0 \(5 offset\(s\) behind\), t-1 \(no broker has told its end\).*allow more time/,
      ) as string,
    })
    const up = consumer.caughtUp()
    const stopped = consumer.stop({ timeoutMs: 10 })
    await expect(clock.runUntil(up)).rejects.toMatchObject({ name: 'StateError', code: 'stopped' })
    await clock.runUntil(stopped)
    await expect(consumer.caughtUp({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'invalid-config' })
  })
})

describe('facts', () => {
  it('are the same after JSON, errors with their message', async () => {
    const { clock, driver, consumer } = setUp({ handle: () => Promise.reject(new Error('boom')) })
    const same = () => {
      const facts = consumer.facts()
      const wire = JSON.parse(JSON.stringify(facts)) as typeof facts
      const error = facts.partitions[0]?.stoppedBy ?? null
      expect({ ...wire, partitions: [] }).toEqual({ ...facts, partitions: [] })
      expect(wire.partitions.map((one) => ({ ...one, stoppedBy: null }))).toEqual(
        facts.partitions.map((one) => ({ ...one, stoppedBy: null })),
      )
      expect(wire.partitions[0]?.stoppedBy?.message).toBe(error?.message)
      return error
    }
    same()
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    same()
    driver.deliver(assigned, records(0, 1))
    await clock.advance(100)
    expect(same()).not.toBeNull()
  })

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
