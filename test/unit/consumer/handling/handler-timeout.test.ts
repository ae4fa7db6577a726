import { describe, expect, it } from 'vitest'
import { Discard } from '../../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import { CountingMetrics } from '../../producer/counting-metrics.js'
import { ManualHandler, routeFailing, setUp, type Options } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** Two records of one partition; the handler's time is 10 s, its grace 5 s; the first one has just had its time. */
async function timedOut(options: Options = {}, withDeadLetter = true) {
  const handler = new ManualHandler()
  const { route, given } = routeFailing(0)
  const metrics = new CountingMetrics()
  const all = setUp(
    { handle: handler.handle, handlerTimeoutMs: 10_000, commit: 'each', ...options },
    { deadLetter: withDeadLetter ? route : null, metrics },
  )
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(
    assigned,
    records(0, 2, () => 'key'),
  )
  await all.clock.advance(10_000)
  return { ...all, handler, given, metrics, assigned }
}

describe('a handler whose time is over', () => {
  it('sees its signal abort, and the next record waits until it has ended', async () => {
    const { clock, driver, handler, given, metrics } = await timedOut()
    expect(handler.signals.get(0)?.aborted).toBe(true)
    expect(metrics.total('tidemark_consumer_handler_timeouts_total')).toBe(1)
    await clock.advance(3_000)
    expect([handler.offsets(), given.length]).toEqual([[0], 0])
    handler.fail(0, new Error('aborted'))
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1])
    expect(given).toMatchObject([{ reason: 'timeout', error: { code: 'handler-timeout' } }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('has failed also when it returns in its grace, or chooses another fate', async () => {
    for (const end of [
      (handler: ManualHandler) => handler.end(0),
      (handler: ManualHandler) => handler.fail(0, new Discard('too late')),
    ]) {
      const { clock, handler, given } = await timedOut()
      end(handler)
      await clock.advance(0)
      expect(given).toMatchObject([{ reason: 'timeout' }])
      expect(handler.offsets()).toEqual([0, 1])
    }
  })

  it('that ignores its signal is left behind after the grace, visibly, and changes nothing when it ends at last', async () => {
    const { clock, driver, consumer, handler, given } = await timedOut()
    await clock.advance(4_999)
    expect(handler.offsets()).toEqual([0])
    await clock.advance(1)
    expect(handler.offsets()).toEqual([0, 1])
    expect(given).toMatchObject([{ reason: 'timeout' }])
    expect(consumer.facts()).toMatchObject({ running: 1, overrunning: 1 })
    expect(consumer.facts().oldestHandlerStartedAt).toBe(clock.now() - 15_000)
    handler.end(1)
    await clock.advance(0)
    const before = { ...consumer.facts(), overrunning: 0, oldestHandlerStartedAt: null }
    const commits = driver.commits.length
    handler.end(0)
    await clock.advance(0)
    expect(consumer.facts()).toEqual(before)
    expect([given.length, driver.commits.length]).toEqual([1, commits])
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('that ignores its signal and fails at last changes nothing either', async () => {
    const { clock, driver, handler, given, stopped } = await timedOut()
    await clock.advance(5_000)
    handler.fail(0, new Error('at last'))
    handler.end(1)
    await clock.advance(0)
    expect(given).toHaveLength(1)
    expect(stopped).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('stops its partition when there is no dead-letter topic', async () => {
    const { clock, driver, handler, stopped, consumer } = await timedOut({}, false)
    await clock.advance(5_000)
    expect(stopped).toMatchObject([{ partition: 0, error: { code: 'handler-failed', offset: 0 } }])
    handler.end(0)
    await clock.advance(10_000)
    expect(handler.offsets()).toEqual([0])
    expect(driver.commits).toEqual([])
    expect(consumer.facts().partitions[0]).toMatchObject({ settled: 0, state: 'stopped' })
  })

  it('holds up no other key', async () => {
    const { clock, driver, handler, assigned } = await timedOut({ order: 'key' })
    driver.deliver(
      assigned,
      records(2, 3, () => 'other'),
    )
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 2])
  })

  it('has at most its time once more as grace', async () => {
    const { clock, handler } = await timedOut({ handlerTimeoutMs: 1_000 })
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1])
  })

  it('of a batch is awaited before its records are handed over one by one', async () => {
    const batches: number[][] = []
    const aborts: number[] = []
    const handleBatch = (messages: readonly { offset: number }[], { signal }: HandlerContext) => {
      batches.push(messages.map(({ offset }) => offset))
      if (messages.length === 1) return
      return new Promise<void>((_, reject) => {
        const end = () => setAside(() => reject(new Error('aborted')))
        signal.addEventListener('abort', end)
      })
    }
    const { route, given } = routeFailing(0)
    const { clock, driver, consumer } = setUp({ handleBatch, handlerTimeoutMs: 10_000 }, { deadLetter: route })
    const setAside = (end: () => void) => {
      clock.setTimer(2_000, () => {
        aborts.push(clock.now())
        end()
      })
    }
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    await clock.advance(11_999)
    expect(batches).toEqual([[0, 1]])
    await clock.advance(1)
    expect(batches).toEqual([[0, 1], [0], [1]])
    expect(given).toEqual([])
  })

  it('leaves no timer behind once the consumer has stopped, even while it still runs', async () => {
    const { clock, consumer } = await timedOut()
    await clock.advance(5_000)
    await clock.runUntil(consumer.stop({ timeoutMs: 1_000 }))
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })
})
