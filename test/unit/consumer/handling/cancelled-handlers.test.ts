import { describe, expect, it } from 'vitest'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import type { Message } from '../../../../src/message/message.js'
import { routeFailing, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** Ends as a good handler does: as soon as its signal aborts, with the reason of it. */
const obedient = (_: unknown, { signal }: HandlerContext): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))

describe('a handler that ends because its signal aborted', () => {
  it('in a drain puts nothing on the dead-letter topic: its record is handled again', async () => {
    const { route, given } = routeFailing(0)
    const { clock, driver, consumer, drains } = setUp({ handle: obedient, drainMs: 1_000 }, { deadLetter: route })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    await clock.runUntil(driver.revoke(assigned, 60_000))
    await clock.advance(1_000)
    expect(given).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
    expect(drains[0]).toMatchObject({ abandoned: 1, possibleDuplicates: [{ from: 0, to: 1 }] })
  })

  it('in a drain whose commit takes a while settles nothing', async () => {
    const { route, given } = routeFailing(0)
    const { clock, driver, consumer, drains } = setUp(
      {
        handle: (message: Message, context: HandlerContext) =>
          message.offset === 0 ? undefined : obedient(message, context),
        drainMs: 1_000,
      },
      { deadLetter: route },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.commitMs = 500
    await clock.runUntil(driver.revoke(assigned, 60_000))
    await clock.advance(1_000)
    expect(given).toEqual([])
    expect(drains[0]).toMatchObject({ abandoned: 1, possibleDuplicates: [{ from: 1, to: 2 }] })
  })

  it('in a drain without dead-letter topic reports no stopped partition', async () => {
    const { clock, driver, consumer, drains, stopped } = setUp({ handle: obedient, drainMs: 1_000 })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.commitMs = 500
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(stopped).toEqual([])
    expect(drains[0]).toMatchObject({ abandoned: 1, drained: 0, possibleDuplicates: [{ from: 0, to: 1 }] })
  })

  it('in the drain of a batch does not hand its records over one by one', async () => {
    const { route, given } = routeFailing(0)
    const calls: number[] = []
    const { clock, driver, consumer } = setUp(
      {
        handleBatch: (messages: readonly Message[], context: HandlerContext) => {
          calls.push(messages.length)
          return obedient(messages, context)
        },
        drainMs: 1_000,
      },
      { deadLetter: route },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.commitMs = 500
    await clock.runUntil(driver.revoke(assigned, 60_000))
    await clock.advance(1_000)
    expect(calls).toEqual([3])
    expect(given).toEqual([])
  })

  it('and returns instead of throwing has handled nothing: its record is not committed', async () => {
    const returning = (_: unknown, { signal }: HandlerContext): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    const { clock, driver, consumer, drains } = setUp({ handle: returning, drainMs: 1_000 })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.outcomes.push('pending')
    driver.commitMs = 500
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(driver.commits.length).toBeGreaterThan(1)
    expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
    expect(drains[0]).toMatchObject({ abandoned: 1, possibleDuplicates: [{ from: 0, to: 1 }] })
  })

  it('in the drain of a batch that is tried one by one is the last that begins', async () => {
    const calls: number[][] = []
    const signals: AbortSignal[] = []
    const { route } = routeFailing(0)
    const { clock, driver, consumer } = setUp(
      {
        handleBatch: (messages: readonly Message[], context: HandlerContext) => {
          calls.push(messages.map(({ offset }) => offset))
          if (messages.length > 1) throw new Error('one of them')
          signals.push(context.signal)
          return obedient(messages, context)
        },
        drainMs: 1_000,
      },
      { deadLetter: route },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.commitMs = 500
    await clock.runUntil(driver.revoke(assigned, 60_000))
    await clock.advance(10_000)
    expect(calls).toEqual([[0, 1, 2], [0]])
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
  })
})
