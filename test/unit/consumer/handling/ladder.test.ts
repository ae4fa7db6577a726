import { describe, expect, it } from 'vitest'
import { DeadLetterError } from '../../../../src/consumer/handling/failed-record.js'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import type { Failed, Rung } from '../../../../src/consumer/handling/ladder.js'
import type { DelayTopics } from '../../../../src/consumer/options/delay-topics.js'
import type { Delivery } from '../../../../src/consumer/partition/delivery.js'
import type { Message } from '../../../../src/message/message.js'
import { setUp, routeFailing } from '../consumer-setup.js'
import { record, records } from '../fake-driver.js'

/** Tries twice more, after a second each. */
function retrying() {
  const failures: Failed[] = []
  const rung: Rung = (failed) => {
    failures.push(failed)
    return failed.attempt < 3 ? { kind: 'again', afterMs: 1_000 } : 'not-mine'
  }
  return { rung, failures }
}

interface Seen {
  readonly offset: number
  readonly attempt: number
  readonly at: number
  readonly leftMs: number
}

function withRung(rung: Rung): DelayTopics {
  const run = {
    takes: () => false,
    stage: () => null,
    sourceOf: () => undefined,
    taken: () => undefined,
    ended: () => undefined,
  }
  return {
    ofTopic: new Map(),
    definitions: () => [],
    begin: () => ({ rung, around: (delivery: Delivery) => delivery, ...run }),
  }
}

/** Fails at one offset. */
async function trying(options: object = {}, failing = 1, key: (offset: number) => string = () => 'k') {
  const { rung, failures } = retrying()
  const { route, given } = routeFailing(0)
  const seen: Seen[] = []
  const handle = async ({ offset }: Message, { attempt, deadline }: HandlerContext) => {
    seen.push({ offset, attempt, at: all.clock.now() - startedAt, leftMs: deadline - all.clock.wallTime() })
    await Promise.resolve()
    if (offset === failing) throw new Error('not now')
  }
  const all = setUp({ handle, commit: 'each', ...options }, { delayTopics: withRung(rung), deadLetter: route })
  const startedAt = all.clock.now()
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(assigned, records(0, 4, key))
  return { ...all, seen, given, failures, assigned }
}

describe('the ladder of failures', () => {
  it('tries later what its second rung takes, each attempt with its whole time, then goes on to the dead letter', async () => {
    const { clock, driver, seen, given, failures } = await trying({ handlerTimeoutMs: 1_500 })
    await clock.advance(10_000)
    expect(seen.filter(({ offset }) => offset === 1)).toMatchObject([
      { attempt: 1, at: 0, leftMs: 1_500 },
      { attempt: 2, at: 1_000, leftMs: 1_500 },
      { attempt: 3, at: 2_000, leftMs: 1_500 },
    ])
    expect(given).toMatchObject([{ attempt: 3, reason: 'exhausted', record: { offset: 1 } }])
    expect(failures.map(({ firstFailedAt }) => firstFailedAt)).toEqual(Array(3).fill(failures[0]?.lastFailedAt))
    expect(given[0]?.lastFailedAt).toBe((given[0]?.firstFailedAt ?? 0) + 2_000)
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('lets nothing of the same key pass a delivery that waits for its next attempt', async () => {
    const { clock, seen } = await trying({ order: 'key' }, 1, (offset) => (offset % 2 === 1 ? 'odd' : 'even'))
    await clock.advance(10_000)
    expect(seen.map(({ offset, at }) => [offset, at])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [1, 1_000],
      [1, 2_000],
      [3, 2_000],
    ])
  })

  it('gives the place of a delivery that waits to others, and never runs more than concurrency', async () => {
    const { clock, seen, consumer } = await trying({ order: 'key', concurrency: 1 }, 0, String)
    await clock.advance(500)
    expect(seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
    expect(consumer.facts().running).toBe(0)
    await clock.advance(10_000)
    expect(seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 0, 0])
  })

  it('does not make a drain wait for the next attempt: whoever gets the partition handles the record again', async () => {
    const { clock, driver, assigned, drains, seen, given } = await trying()
    await clock.advance(500)
    const before = clock.now()
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(clock.now() - before).toBeLessThan(100)
    await clock.advance(10_000)
    expect(seen.length).toBe(2)
    expect(given).toEqual([])
    expect(drains).toMatchObject([{ abandoned: 1, possibleDuplicates: [{ from: 1, to: 2 }] }])
  })

  it('waits with the next attempt while the user has paused the partition', async () => {
    const { clock, consumer, seen } = await trying()
    await clock.advance(500)
    consumer.pause()
    await clock.advance(5_000)
    expect(seen.length).toBe(2)
    consumer.resume()
    await clock.advance(0)
    expect(seen.length).toBe(3)
  })

  it('does not run twice at once a delivery whose rung rejects or throws: the partition stops', async () => {
    for (const rung of [
      () => {
        throw new Error('broken rung')
      },
      () => Promise.reject(new Error('broken rung')),
    ] as Rung[]) {
      const handle = () => Promise.reject(new Error('no'))
      const { clock, driver, consumer, stopped } = setUp({ handle }, { delayTopics: withRung(rung) })
      await consumer.start()
      driver.deliver(await driver.assign('t', 0), records(0, 2))
      await clock.advance(1_000)
      expect(stopped.map(({ error }) => error.cause)).toMatchObject([{ message: 'broken rung' }])
      expect(consumer.state).toBe('running')
    }
  })
})

describe('a record that was tried before', () => {
  it('goes on counting its attempts where td-attempt left off', async () => {
    const { route, given } = routeFailing(0)
    const attempts: number[] = []
    const handle = (_: Message, { attempt }: HandlerContext) => {
      attempts.push(attempt)
      throw new Error('no')
    }
    const { clock, driver, consumer } = setUp({ handle }, { deadLetter: route })
    await consumer.start()
    const tried = (offset: number, text: string) => ({
      ...record(offset),
      headers: [['td-attempt', Buffer.from(text)] as const],
    })
    driver.deliver(await driver.assign('t', 0), [tried(0, '4'), tried(1, 'many'), tried(2, '-1')])
    await clock.advance(1_000)
    expect(attempts).toEqual([5, 1, 1])
    expect(given.map(({ attempt }) => attempt)).toEqual([5, 1, 1])
  })
})

describe('a dead letter that its topic refuses', () => {
  const refusing = (code: 'refused' | 'not-authorized', times = Infinity) => {
    let left = times
    return () => (left-- > 0 ? Promise.reject(new DeadLetterError(code, code, {})) : Promise.resolve())
  }
  const poisonous = () => {
    throw new Error('no')
  }

  it('for good stops its partition at once, and no other', async () => {
    const { clock, driver, consumer, stopped } = setUp(
      { handle: ({ partition }) => (partition === 0 ? poisonous() : undefined) },
      { deadLetter: refusing('refused') },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    driver.deliver(await driver.assign('t', 1), records(0, 2))
    await clock.advance(10_000)
    expect(stopped.map(({ error }) => error.code)).toEqual(['refused'])
    expect(driver.committed('t', 1)?.nextOffset).toBe(2)
  })

  it('for lack of a permission is waited out from when it was missing, not from other trouble before', async () => {
    let calls = 0
    const start = { at: 0 }
    const all = setUp(
      {
        handle: () => {
          throw new Error('no')
        },
      },
      {
        deadLetter: () => {
          calls += 1
          const error = new DeadLetterError('not-authorized', 'no', {})
          return Promise.reject(all.clock.now() - start.at < 40_000 ? new Error('no leader') : error)
        },
      },
    )
    await all.consumer.start()
    start.at = all.clock.now()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 2))
    await all.clock.advance(55_000)
    expect(calls).toBeGreaterThan(5)
    expect(all.stopped).toEqual([])
    await all.clock.advance(40_000)
    expect(all.stopped).toMatchObject([{ error: { code: 'not-authorized' } }])
  })

  it('for lack of a permission is tried for half a minute, then its partition stops', async () => {
    const passing = setUp({ handle: poisonous, commit: 'each' }, { deadLetter: refusing('not-authorized', 3) })
    await passing.consumer.start()
    passing.driver.deliver(await passing.driver.assign('t', 0), records(0, 1))
    await passing.clock.advance(30_000)
    expect(passing.stopped).toEqual([])
    expect(passing.driver.committed('t', 0)?.nextOffset).toBe(1)
    const lasting = setUp({ handle: poisonous }, { deadLetter: refusing('not-authorized') })
    await lasting.consumer.start()
    lasting.driver.deliver(await lasting.driver.assign('t', 0), records(0, 1))
    await lasting.clock.advance(25_000)
    expect(lasting.stopped).toEqual([])
    await lasting.clock.advance(20_000)
    expect(lasting.stopped.map(({ error }) => error.code)).toEqual(['not-authorized'])
  })

  it('for now does not make a drain wait: whoever gets the partition handles the record again', async () => {
    const { route } = routeFailing(Infinity)
    const { clock, driver, consumer, drains } = setUp({ handle: poisonous }, { deadLetter: route })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 1))
    await clock.advance(5_000)
    const before = clock.now()
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(clock.now() - before).toBeLessThan(100)
    expect(drains).toMatchObject([{ abandoned: 1, possibleDuplicates: [{ from: 0, to: 1 }] }])
  })
})
