import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/message/message.js'
import { ManualHandler, routeFailing, setUp } from './consumer-setup.js'
import { records } from './fake-driver.js'

async function running(options: Parameters<typeof setUp>[0] = {}, dependencies: Parameters<typeof setUp>[1] = {}) {
  const handler = new ManualHandler()
  const all = setUp({ handle: handler.handle, order: 'none', concurrency: 3, ...options }, dependencies)
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(assigned, records(0, 6))
  await all.clock.advance(0)
  return { ...all, handler, assigned }
}

describe('seek', () => {
  it('asked for twice at the same time goes to the place of the last one', async () => {
    const { clock, driver, consumer, handler } = await running({ drainMs: 1_000 })
    const first = consumer.seek('t', 0, 2).then(
      () => 'done',
      (error: Error) => error.message,
    )
    const second = consumer.seek('t', 0, 4).then(
      () => 'done',
      (error: Error) => error.message,
    )
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(Promise.all([first, second]))
    expect(await second).toBe('done')
    expect(consumer.position('t', 0)).toBe(4)
    expect(driver.calls.filter((call) => call.startsWith('seek')).at(-1)).toBe('seek t-0 4')
  })

  it('goes where its caller said, though the log was cut while it waited for handlers', async () => {
    const { clock, driver, consumer, assigned } = await running({ drainMs: 1_000 })
    const sought = consumer.seek('t', 0, 4)
    await clock.advance(10)
    driver.reset(assigned, 1)
    await clock.runUntil(sought)
    expect(consumer.position('t', 0)).toBe(4)
    expect(driver.calls.filter((call) => call.startsWith('seek')).at(-1)).toBe('seek t-0 4')
  })

  it('of a partition that was given away while it waited says so, and so does a restart', async () => {
    for (const call of ['seek', 'restart'] as const) {
      const { clock, driver, consumer, assigned } = await running({ drainMs: 1_000 })
      const sought = call === 'seek' ? consumer.seek('t', 0, 4) : consumer.restart('t', 0)
      const refused = expect(sought).rejects.toMatchObject({ code: 'not-assigned' })
      await clock.advance(10)
      driver.lose(assigned)
      await clock.advance(1_000)
      await refused
    }
  })

  it('a restart ends when a reset came first: the partition goes on by that', async () => {
    const { clock, driver, consumer, assigned } = await running({ drainMs: 1_000 })
    const restarted = consumer.restart('t', 0)
    await clock.advance(10)
    driver.reset(assigned, 1)
    await clock.runUntil(restarted)
    expect(consumer.position('t', 0)).toBe(1)
  })
})

describe('a failing batch', () => {
  it('hands over no further single record once its partition drains', async () => {
    const { route } = routeFailing(0)
    const calls: number[][] = []
    const { clock, driver, consumer, drains } = setUp(
      {
        handleBatch: async (messages: readonly Message[]) => {
          calls.push(messages.map(({ offset }) => offset))
          if (messages.length > 1) throw new Error('batch')
          await clock.sleep(1_000)
        },
        drainMs: 30_000,
      },
      { deadLetter: route },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 20))
    await clock.advance(500)
    expect(calls).toEqual([Array.from({ length: 20 }, (_, i) => i), [0]])
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(calls.length).toBe(2)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 1, to: 20 }])
  })
})

describe('commit metadata', () => {
  it('that the broker refuses even when bare is tried again with backoff, not in a row', async () => {
    const { clock, driver, handler } = await running({ commit: 'each' })
    driver.outcomes.push(...Array.from({ length: 5_000 }, () => 'metadata-too-large' as const))
    driver.commitMs = 1
    handler.end(0)
    await clock.advance(2_000)
    expect(driver.commits.length).toBeLessThan(60)
  })
})
