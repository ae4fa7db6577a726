import { Classifier } from '../../../../src/consumer/handling/failure-class.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { noMetrics } from '../../../../src/telemetry/metrics.js'
import { describe, expect, it } from 'vitest'
import { BatchFailure, DeadLetter, Discard, RetryLater, Unavailable } from '../../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import { ConfigError } from '../../../../src/errors.js'
import type { Message } from '../../../../src/message/message.js'
import type { ClientEvent } from '../../../../src/telemetry/events.js'
import { setUp, routeFailing, type Options } from '../consumer-setup.js'
import { record, records } from '../fake-driver.js'

interface Seen {
  readonly offset: number
  readonly attempt: number
  readonly at: number
  readonly leftMs: number
}

type Fails = (offset: number, attempt: number, seen: readonly Seen[]) => unknown

/** Four records of one partition; a handler that notes each call and throws what `fails` says, if anything. */
async function trying(fails: Fails, options: Options = {}, key: (offset: number) => string = () => 'k') {
  const { route, given } = routeFailing(0)
  const seen: Seen[] = []
  const events: ClientEvent[] = []
  const handle = async ({ offset }: Message, { attempt, deadline }: HandlerContext) => {
    seen.push({ offset, attempt, at: all.clock.now() - startedAt, leftMs: deadline - all.clock.wallTime() })
    await Promise.resolve()
    const error = fails(offset, attempt, seen)
    if (error !== undefined) throw error as Error
  }
  const all = setUp(
    { handle, commit: 'each', retry: {}, outage: false, ...options },
    { deadLetter: route, onEvent: (event) => void events.push(event) },
  )
  const startedAt = all.clock.now()
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(assigned, records(0, 4, key))
  const attemptsAt = (offset: number) => seen.filter((one) => one.offset === offset)
  return { ...all, seen, given, events, assigned, attemptsAt }
}

const always =
  (at: number, error: () => unknown = () => new Error('no')): Fails =>
  (offset) =>
    offset === at ? error() : undefined

describe('a record whose handler fails', () => {
  it('is tried three times more within seconds, each time with its whole time, then it goes on to the next rung', async () => {
    const { clock, attemptsAt, given, events, driver } = await trying(always(1), { handlerTimeoutMs: 1_500 })
    await clock.advance(10_000)
    expect(attemptsAt(1).map(({ attempt, leftMs }) => [attempt, leftMs])).toEqual([1, 2, 3, 4].map((n) => [n, 1_500]))
    const [first = 0, second = 0, third = 0, fourth = 0] = attemptsAt(1).map(({ at }) => at)
    expect(second - first).toBeLessThanOrEqual(100)
    expect(third - second).toBeLessThanOrEqual(200)
    expect(fourth - third).toBeLessThanOrEqual(400)
    expect(given).toMatchObject([{ attempt: 4, reason: 'exhausted', record: { offset: 1 } }])
    expect((given[0]?.lastFailedAt ?? 0) - (given[0]?.firstFailedAt ?? 0)).toBe(fourth - first)
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
    const told = events.filter(({ kind }) => kind === 'handling-retried')
    expect(told).toMatchObject([1, 2, 3].map((attempt) => ({ offset: 1, attempt })))
  })

  it('and succeeds at a later attempt is handled, and no dead letter', async () => {
    const { clock, attemptsAt, given, driver } = await trying((_, attempt) =>
      attempt < 3 ? new Error('not yet') : undefined,
    )
    await clock.advance(10_000)
    expect([0, 1, 2, 3].map((offset) => attemptsAt(offset).length)).toEqual([3, 3, 3, 3])
    expect(given).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('holds up its partition, or its key, and nothing else; while it waits it takes no place of concurrency', async () => {
    const byKey = (offset: number) => (offset % 2 === 1 ? 'odd' : 'even')
    const { clock, seen } = await trying(always(1), { order: 'key', concurrency: 1 }, byKey)
    await clock.advance(10_000)
    expect(seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 1, 1, 1, 3])
    const alone = await trying(always(1))
    await alone.clock.advance(10_000)
    expect(alone.seen.map(({ offset }) => offset)).toEqual([0, 1, 1, 1, 1, 2, 3])
  })

  it('is not tried again when the retry would begin after its budget', async () => {
    const slow = { retries: 100, backoff: { initialMs: 400, maxMs: 400 }, budgetMs: 3_000 }
    const { clock, attemptsAt } = await trying(always(1), { retry: slow })
    await clock.advance(60_000)
    const [first = 0, ...more] = attemptsAt(1).map(({ at }) => at)
    expect(more.length).toBeGreaterThan(5)
    for (const at of more) expect(at - first).toBeLessThanOrEqual(3_000)
  })

  it('for an error of the program is tried once more, unless the error has a cause', async () => {
    for (const error of [TypeError, ReferenceError, RangeError, SyntaxError]) {
      const { clock, attemptsAt } = await trying(always(1, () => new error('no')))
      await clock.advance(10_000)
      expect(attemptsAt(1).length).toBe(2)
    }
    const { clock, attemptsAt } = await trying(
      always(1, () => new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })),
    )
    await clock.advance(10_000)
    expect(attemptsAt(1).length).toBe(4)
  })

  it('is not tried again with retry: false, and not as often as retries say more', async () => {
    const none = await trying(always(1), { retry: false })
    await none.clock.advance(10_000)
    expect(none.attemptsAt(1).length).toBe(1)
    const one = await trying(always(1), { retry: { retries: 1 } })
    await one.clock.advance(10_000)
    expect(one.attemptsAt(1).length).toBe(2)
  })

  it('that takes too long is tried again with the whole time', async () => {
    const seen: number[] = []
    const handle = ({ offset }: Message, { signal }: HandlerContext) => {
      seen.push(offset)
      if (offset !== 1 || seen.length > 2) return undefined
      return new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('told'))))
    }
    const { clock, driver, consumer, stopped } = setUp({
      handle,
      handlerTimeoutMs: 2_000,
      commit: 'each',
      retry: {},
      outage: false,
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(10_000)
    expect(seen).toEqual([0, 1, 1, 2])
    expect(stopped).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })
})

describe('a retry that sleeps', () => {
  const sleepy = { retries: 3, backoff: { initialMs: 60_000, maxMs: 60_000 }, budgetMs: 600_000 }

  it('ends at once when its partition is revoked: whoever gets it handles the record again', async () => {
    const { clock, driver, assigned, drains, seen, given } = await trying(always(1), { retry: sleepy })
    await clock.advance(10)
    const before = clock.now()
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(clock.now() - before).toBeLessThan(100)
    await clock.advance(120_000)
    expect(seen.length).toBe(2)
    expect(given).toEqual([])
    expect(drains).toMatchObject([{ abandoned: 1, possibleDuplicates: [{ from: 1, to: 2 }] }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('ends at once when the consumer stops, and when its partition is sought elsewhere', async () => {
    const stopping = await trying(always(1), { retry: sleepy })
    await stopping.clock.advance(10)
    const before = stopping.clock.now()
    await stopping.clock.runUntil(stopping.consumer.stop())
    expect(stopping.clock.now() - before).toBeLessThan(100)
    const seeking = await trying(always(1), { retry: sleepy })
    await seeking.clock.advance(10)
    await seeking.clock.runUntil(seeking.consumer.seek('t', 0, 3))
    expect(seeking.clock.now() - before).toBeLessThan(100)
    seeking.driver.deliver(seeking.assigned, records(3, 4))
    await seeking.clock.advance(120_000)
    expect(seeking.seen.map(({ offset }) => offset)).toEqual([0, 1, 3])
  })

  it('is what its partition waits for, as facts tell', async () => {
    const { clock, consumer } = await trying(always(1), { retry: sleepy })
    await clock.advance(10)
    expect(consumer.facts()).toMatchObject({ running: 0, partitions: [{ running: 1, waitsFor: 'retry' }] })
  })
})

describe('a batch that fails', () => {
  async function batches(fails: (offsets: number[]) => boolean, options: Options = {}, letters = true) {
    const { route, given } = routeFailing(0)
    const calls: number[][] = []
    const handleBatch = async (messages: readonly Message[]) => {
      const offsets = messages.map(({ offset }) => offset)
      calls.push(offsets)
      await Promise.resolve()
      if (fails(offsets)) throw new Error('no')
    }
    const all = setUp(
      { handleBatch, commit: 'each', retry: {}, outage: false, ...options },
      letters ? { deadLetter: route } : {},
    )
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 4))
    await all.clock.advance(20_000)
    return { ...all, calls, given }
  }

  it('is tried whole, then each of its records alone, and no record more often than retries say', async () => {
    const { calls, given, driver } = await batches((offsets) => offsets.includes(2))
    const whole = [0, 1, 2, 3]
    expect(calls).toEqual([whole, whole, whole, [0], [1], [2], [3]])
    expect(given).toMatchObject([{ attempt: 4, reason: 'exhausted', record: { offset: 2 } }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('and recovers is never taken apart', async () => {
    let left = 2
    const { calls, driver } = await batches(() => left-- > 0)
    expect(calls.map(({ length }) => length)).toEqual([4, 4, 4])
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('stops its partition at the very record that fails where there is no dead-letter topic', async () => {
    const { stopped, driver } = await batches((offsets) => offsets.includes(2), {}, false)
    expect(stopped).toMatchObject([{ error: { offset: 2 } }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('of a single retry is taken apart at once', async () => {
    const { calls } = await batches((offsets) => offsets.includes(2), { retry: { retries: 1 } })
    expect(calls.map(({ length }) => length)).toEqual([4, 1, 1, 1, 1])
  })
})

describe('a batch that says where it failed', () => {
  type FailsAt = (offset: number, call: number, messages: readonly Message[]) => unknown

  /** A handler of batches that takes one message after the other and says at which it failed. */
  async function batches(failsAt: FailsAt, options: Options = {}, byMessage = false) {
    const { route, given } = routeFailing(0)
    const calls: string[] = []
    const handleBatch = async (messages: readonly Message[], { attempt }: HandlerContext) => {
      calls.push(`${messages.map(({ offset }) => offset).join(' ')} #${attempt}`)
      await Promise.resolve()
      for (const [index, message] of messages.entries()) {
        const cause = failsAt(message.offset, calls.length, messages)
        if (cause !== undefined) throw new BatchFailure(byMessage ? message : index, cause)
      }
    }
    const all = setUp(
      { handleBatch, commit: 'each', retry: { retries: 2 }, outage: false, ...options },
      { deadLetter: route },
    )
    await all.consumer.start()
    const assigned = await all.driver.assign('t', 0)
    all.driver.deliver(assigned, records(0, 5))
    return { ...all, assigned, calls, letters: () => given.map(({ record, attempt }) => [record.offset, attempt]) }
  }

  it('has done what lies before: that is committed, and only the rest is tried again', async () => {
    const { clock, calls, driver, letters } = await batches((offset, call) =>
      offset === 2 && call < 3 ? new Error('no') : undefined,
    )
    await clock.advance(1)
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    await clock.advance(10_000)
    expect(calls).toEqual(['0 1 2 3 4 #1', '2 3 4 #2', '2 3 4 #3'])
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
    expect(letters()).toEqual([])
  })

  it('gives up the very record that fails, and what follows goes on as a batch with all its attempts', async () => {
    for (const byMessage of [false, true]) {
      const { clock, calls, driver, letters } = await batches(
        (offset) => (offset === 1 || offset === 3 ? new Error('bad') : undefined),
        {},
        byMessage,
      )
      await clock.advance(10_000)
      expect(calls).toEqual([
        ...['0 1 2 3 4 #1', '1 2 3 4 #2', '1 2 3 4 #3'],
        ...['2 3 4 #1', '3 4 #2', '3 4 #3'],
        '4 #1',
      ])
      expect(letters()).toEqual([
        [1, 3],
        [3, 3],
      ])
      expect(driver.committed('t', 0)?.nextOffset).toBe(5)
    }
  })

  it('counts the attempts of each record from where it is reached first', async () => {
    const shaky = new Map<number, number>()
    const { clock, letters, driver } = await batches((offset) => {
      shaky.set(offset, (shaky.get(offset) ?? 0) + 1)
      return (shaky.get(offset) ?? 0) < 3 ? new Error('not yet') : undefined
    })
    await clock.advance(10_000)
    expect(letters()).toEqual([])
    expect([...shaky.values()]).toEqual([3, 3, 3, 3, 3])
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
  })

  it('obeys what its cause says of that record: dead letter, discard, later, unavailable', async () => {
    const causes: readonly unknown[] = [
      new DeadLetter('never'),
      new Discard('old'),
      new RetryLater(50),
      new Unavailable('db'),
    ]
    const { clock, calls, letters, driver } = await batches((offset, call) =>
      offset < 4 && (offset < 2 || call < offset * 2) ? causes[offset] : undefined,
    )
    await clock.advance(20_000)
    expect(letters()).toEqual([[0, 1]])
    expect(calls).toEqual(['0 1 2 3 4 #1', '1 2 3 4 #1', '2 3 4 #1', '2 3 4 #2', '3 4 #1', '3 4 #1'])
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
  })

  it('stops its partition at that record where there is no dead-letter topic', async () => {
    const handleBatch = () => {
      throw new BatchFailure(2, new Error('bad'))
    }
    const { clock, driver, consumer, stopped, drains } = setUp({ handleBatch, commit: 'each', retry: false })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 4))
    await clock.advance(100)
    expect(stopped).toMatchObject([{ error: { offset: 2, cause: { message: 'bad' } } }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    await clock.runUntil(driver.revoke(assigned, 1_000))
    expect(drains).toMatchObject([{ abandoned: 0, possibleDuplicates: [{ from: 2, to: 4 }] }])
  })

  it('and is revoked while the rest waits has done what lies before, and repeats nothing of it', async () => {
    const sleepy = { retries: 3, backoff: { initialMs: 60_000, maxMs: 60_000 }, budgetMs: 600_000 }
    const { clock, driver, assigned, drains } = await batches(
      (offset) => (offset === 3 ? new Error('no') : undefined),
      {
        retry: sleepy,
      },
    )
    await clock.advance(10)
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(drains).toMatchObject([{ abandoned: 2, possibleDuplicates: [{ from: 3, to: 5 }] }])
  })

  it.each([-1, 1.5, Number.NaN, '0', {}, null, undefined])('is refused where it names none: %j', (at) => {
    expect(() => new BatchFailure(at as never, new Error('bad'))).toThrow(/at: .*write the index in the batch/)
  })

  it('takes nothing for done on the word of a place that is not in it', async () => {
    for (const at of [5, { topic: 't', partition: 0, offset: 99 }]) {
      let calls = 0
      const handleBatch = () => {
        calls += 1
        if (calls === 1) throw new BatchFailure(at, new Error('bad'))
      }
      const { clock, driver, consumer } = setUp({ handleBatch, commit: 'each', retry: {} })
      await consumer.start()
      driver.deliver(await driver.assign('t', 0), records(0, 5))
      await clock.advance(0)
      expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
      await clock.advance(10_000)
      expect([calls, driver.committed('t', 0)?.nextOffset]).toEqual([2, 5])
    }
  })
})

describe('what a handler may say of a failure', () => {
  it('DeadLetter goes there without another attempt', async () => {
    const { clock, attemptsAt, given } = await trying(always(1, () => new DeadLetter('never')))
    await clock.advance(10_000)
    expect(attemptsAt(1).length).toBe(1)
    expect(given).toMatchObject([{ attempt: 1, reason: 'rejected' }])
  })

  it('Unavailable spends no attempt, however long it lasts, and never becomes a dead letter', async () => {
    const down = 600_000
    const { clock, attemptsAt, given, driver } = await trying((offset, _, seen) =>
      offset === 1 && (seen.at(-1)?.at ?? 0) < down ? new Unavailable(new Error('db')) : undefined,
    )
    await clock.advance(down + 11_000)
    expect(attemptsAt(1).length).toBeGreaterThan(50)
    expect(attemptsAt(1).length).toBeLessThan(150)
    expect(new Set(attemptsAt(1).map(({ attempt }) => attempt))).toEqual(new Set([1]))
    expect(given).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('RetryLater is obeyed as often as it is thrown, after the time it names, and counts on', async () => {
    const { clock, attemptsAt, given } = await trying((offset, attempt) => {
      if (offset !== 1) return undefined
      return attempt <= 6 ? new RetryLater(30_000) : new DeadLetter('enough')
    })
    await clock.advance(300_000)
    const times = attemptsAt(1).map(({ at }) => at)
    expect(times).toEqual([0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000])
    expect(given).toMatchObject([{ attempt: 7, reason: 'rejected' }])
  })

  it('RetryLater refuses what is no time to wait, a moment too', () => {
    for (const afterMs of [Number.NaN, -1, Infinity, '5' as unknown as number, 1_700_000_000_000])
      expect(() => new RetryLater(afterMs)).toThrow(ConfigError)
  })
})

describe('classify', () => {
  it('says what errors mean that the handler did not make', async () => {
    const codes: Readonly<Record<number, string>> = { 0: 'gone', 1: 'bad', 2: 'again' }
    const classify = (error: unknown) => {
      const { message } = error as Error
      if (message === 'bad') return 'fatal'
      return message === 'gone' ? 'unavailable' : undefined
    }
    const { clock, attemptsAt, given } = await trying(
      (offset, _, seen) =>
        offset in codes && (offset !== 0 || seen.length < 8) ? new Error(codes[offset]) : undefined,
      { classify },
    )
    await clock.advance(60_000)
    expect([0, 1, 2, 3].map((offset) => attemptsAt(offset).length)).toEqual([8, 1, 4, 1])
    expect(given).toMatchObject([
      { record: { offset: 1 }, attempt: 1, reason: 'rejected' },
      { record: { offset: 2 }, attempt: 4, reason: 'exhausted' },
    ])
  })

  it('cancelled spends no attempt', async () => {
    const classify = () => 'cancelled' as const
    const { clock, attemptsAt, given } = await trying(
      (offset, _, seen) => (offset === 1 && seen.length < 10 ? new Error('told to end') : undefined),
      { classify },
    )
    await clock.advance(120_000)
    expect(attemptsAt(1).map(({ attempt }) => attempt)).toEqual(Array(9).fill(1))
    expect(given).toEqual([])
  })

  it('that throws, rejects or answers with no class leaves it to the default', async () => {
    for (const classify of [
      () => {
        throw new Error('broken')
      },
      () => Promise.reject(new Error('broken')) as never,
      () => 'poison' as never,
    ]) {
      const { clock, attemptsAt, given } = await trying(always(1), { classify })
      await clock.advance(10_000)
      expect(attemptsAt(1).length).toBe(4)
      expect(given.length).toBe(1)
    }
  })

  it('that answers with no class is told so, once', () => {
    const lines: string[] = []
    const logger = { ...silentLogger, warn: (_: object, line: string) => void lines.push(line) }
    const classifier = new Classifier(() => 'poison' as never, { logger, metrics: noMetrics })
    expect([classifier.classOf(new Error('no')), classifier.classOf(new Error('no'))]).toEqual([
      'retryable',
      'retryable',
    ])
    expect(lines).toEqual([
      expect.stringMatching(/answer of classify is a string .*answer retryable, fatal, unavailable/),
    ])
  })

  it('is not asked about what cannot be decoded, nor about what the handler said itself', async () => {
    const asked: unknown[] = []
    const classify = (error: unknown) => {
      asked.push(error)
      return 'retryable' as const
    }
    const { route, given } = routeFailing(0)
    const handle = () => {
      throw new DeadLetter('never')
    }
    const { clock, driver, consumer } = setUp({ handle, retry: {}, outage: false, classify }, { deadLetter: route })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, null, 'bad'), record(1)])
    await clock.advance(10_000)
    expect(given.map(({ reason }) => reason)).toEqual(['undecodable', 'rejected'])
    expect(asked).toEqual([])
  })
})
