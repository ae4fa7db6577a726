import { describe, expect, it } from 'vitest'
import { DeadLetterError } from '../../../../src/consumer/handling/failed-record.js'
import { BatchFailure, DeadLetter, Discard } from '../../../../src/consumer/handling/fate.js'
import { DecodeError, HandlerError } from '../../../../src/errors.js'
import type { Message } from '../../../../src/message/message.js'
import type { HandlerContext, Middleware } from '../../../../src/consumer/handling/handler.js'
import { ManualHandler, routeFailing, setUp, textTopic } from '../consumer-setup.js'
import { record, records } from '../fake-driver.js'

const failAt = (offset: number) => (message: Message) => {
  if (message.partition === 0 && message.offset === offset) throw new TypeError('no')
}

describe('without a dead-letter topic', () => {
  it('a handler that throws stops its partition, visibly, and no other', async () => {
    const { clock, driver, consumer, stopped } = setUp({ handle: failAt(2), commit: 'each' })
    await consumer.start()
    const [one, two] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 5))
    driver.deliver(two, records(0, 5))
    await clock.advance(0)
    driver.deliver(one, records(5, 8))
    driver.deliver(two, records(5, 8))
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(driver.committed('t', 1)?.nextOffset).toBe(8)
    expect(stopped).toHaveLength(1)
    expect(stopped[0]?.error).toBeInstanceOf(HandlerError)
    expect(stopped[0]?.error).toMatchObject({ topic: 't', partition: 0, offset: 2 })
    expect(driver.calls).toContain('pause t-0')
    expect(consumer.facts().partitions.map(({ state }) => state)).toEqual(['stopped', 'active'])
  })

  it('an asynchronous failure does the same; what runs beside it still finishes', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, stopped } = setUp({
      handle: handler.handle,
      order: 'none',
      concurrency: 2,
      commit: 'each',
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 4))
    await clock.advance(0)
    handler.fail(1, new Error('no'))
    await clock.advance(0)
    handler.end(0)
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
    expect(stopped.map(({ error }) => error.offset)).toEqual([1])
  })

  it('a record that cannot be decoded stops its partition with the reason', async () => {
    const { clock, driver, consumer, stopped } = setUp({ commit: 'each' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0), record(1, null, 'bad'), record(2)])
    await clock.advance(0)
    expect(stopped[0]?.error).toBeInstanceOf(DecodeError)
    expect(stopped[0]?.error).toMatchObject({ code: 'undecodable', offset: 1 })
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('an error of a serde that is not ours is quoted by its class alone, since its text may hold the value', async () => {
    const secret = textTopic('t')
    const decode = (bytes: Buffer | null) => {
      throw new RangeError(`bad value ${String(bytes)}`)
    }
    const { clock, driver, consumer, stopped } = setUp({
      topics: [{ ...secret, value: { ...secret.value, decode } }],
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, null, 'pin 1234')])
    await clock.advance(0)
    expect(stopped[0]?.error.message).toMatch(/t-0 at offset 0 cannot be decoded: its serde threw RangeError/)
    expect(stopped[0]?.error.message).not.toContain('1234')
  })

  it('Discard drops the record and goes on', async () => {
    const { clock, driver, consumer } = setUp({
      commit: 'each',
      handle: ({ offset }) => {
        if (offset === 1) throw new Discard('old')
      },
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('seek starts a stopped partition again', async () => {
    let broken = true
    const handled: number[] = []
    const { clock, driver, consumer } = setUp({
      commit: 'each',
      handle: ({ offset }) => {
        if (offset === 1 && broken) throw new Error('no')
        handled.push(offset)
      },
    })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    broken = false
    await clock.runUntil(consumer.seek('t', 0, 1))
    expect(driver.calls.slice(-2)).toEqual(['seek t-0 1', 'resume t-0'])
    driver.deliver(assigned, records(1, 3))
    await clock.advance(0)
    expect(handled).toEqual([0, 1, 2])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })
})

describe('with a dead-letter topic', () => {
  it('the dead letter is acknowledged before its offset is committed', async () => {
    const { route, given, acknowledged } = routeFailing(2)
    const { clock, driver, consumer } = setUp({ handle: failAt(1), commit: 'each' }, { deadLetter: route })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(20)
    expect(given.length).toBe(1)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
    expect(consumer.facts().partitions[0]?.deadLetterFailures).toBe(1)
    await clock.advance(5_000)
    expect(acknowledged.map((failed) => failed.record.offset)).toEqual([1])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(acknowledged[0]).toMatchObject({ topic: 't', partition: 0, group: 'g', reason: 'exhausted', attempt: 1 })
  })

  it('nothing of the partition starts while its dead letter cannot be written, other partitions go on', async () => {
    const { route } = routeFailing(3)
    const handled: string[] = []
    const handle = (message: Message) => {
      failAt(0)(message)
      handled.push(`${message.partition}@${message.offset}`)
    }
    const { clock, driver, consumer } = setUp({ handle, order: 'none', concurrency: 8 }, { deadLetter: route })
    await consumer.start()
    const [one, two] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 1))
    await clock.advance(0)
    driver.deliver(one, records(1, 3))
    driver.deliver(two, records(0, 2))
    await clock.advance(10)
    expect(handled).toEqual(['1@0', '1@1'])
    await clock.advance(10_000)
    expect(handled).toEqual(['1@0', '1@1', '0@1', '0@2'])
  })

  it('whose topic is slow holds up its own lane alone, with one place of concurrency for all', async () => {
    const writes: (() => void)[] = []
    const route = () => new Promise<void>((resolve) => writes.push(resolve))
    const handled: string[] = []
    const handle = (message: Message) => {
      failAt(0)(message)
      handled.push(`${message.partition}@${message.offset}`)
    }
    const { clock, driver, consumer } = setUp(
      { handle, order: 'key', concurrency: 1, commit: 'each' },
      { deadLetter: route },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, 'k'), record(1, 'k'), record(2, 'other')])
    driver.deliver(await driver.assign('t', 1), records(0, 1))
    await clock.advance(0)
    expect(handled.sort()).toEqual(['0@2', '1@0'])
    expect(consumer.facts()).toMatchObject({
      running: 0,
      partitions: [{ waitsFor: 'dead-letter' }, { waitsFor: null }],
    })
    expect(driver.committed('t', 0)?.nextOffset).toBe(0)
    writes[0]?.()
    await clock.advance(0)
    expect(handled).toContain('0@1')
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(consumer.facts().partitions.map(({ waitsFor }) => waitsFor)).toEqual([null, null])
  })

  it('that is refused for good after it was only not written stops its partition, which waits for somebody then', async () => {
    const ends = [
      new Error('no broker'),
      new DeadLetterError('refused', 'the topic refuses it', { topic: 't', partition: 0, offset: 0 }),
    ]
    const { clock, driver, consumer, stopped } = setUp(
      { handle: failAt(0) },
      { deadLetter: () => Promise.reject(ends.shift() as Error) },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    await clock.advance(1_000)
    expect(stopped.map(({ error }) => error.code)).toEqual(['refused'])
    expect(consumer.facts().partitions[0]).toMatchObject({
      state: 'stopped',
      waitsFor: 'seek',
      deadLetterFailures: 0,
      pausedBy: ['stopped'],
    })
  })

  it('says why: undecodable, rejected, exhausted, timeout', async () => {
    const { route, given } = routeFailing(0)
    const handle = ({ offset }: Message) => {
      if (offset === 1) throw new DeadLetter('not ours')
      if (offset === 2) throw new Error('no')
      if (offset === 3) return new Promise<void>(() => undefined)
      return undefined
    }
    const { clock, driver, consumer } = setUp({ handle, handlerTimeoutMs: 1000, commit: 'each' }, { deadLetter: route })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, null, 'bad'), ...records(1, 5)])
    await clock.advance(2_000)
    expect(given.map(({ reason, record: { offset } }) => [offset, reason])).toEqual([
      [0, 'undecodable'],
      [1, 'rejected'],
      [2, 'exhausted'],
      [3, 'timeout'],
    ])
    expect(given[0]?.record.value?.toString()).toBe('bad')
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
  })

  it('the time to handle counts from the start of the handler, and its end aborts the signal', async () => {
    const handler = new ManualHandler()
    const { route, given } = routeFailing(0)
    const { clock, driver, consumer } = setUp({ handle: handler.handle, handlerTimeoutMs: 1000 }, { deadLetter: route })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    await clock.advance(900)
    handler.end(0)
    await clock.advance(900)
    expect(given).toEqual([])
    expect(handler.signals.get(1)?.aborted).toBe(false)
    await clock.advance(200)
    expect(handler.signals.get(1)?.aborted).toBe(true)
    await clock.advance(1_000)
    expect(given.map(({ record: { offset } }) => offset)).toEqual([1])
  })

  it('a write that waits for a broker ends when the partition is taken away, and is not repeated', async () => {
    const { route, given } = routeFailing(Infinity)
    const { clock, driver, consumer, drains } = setUp({ handle: failAt(0), commit: 'each' }, { deadLetter: route })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 2))
    await clock.advance(50)
    driver.lose(assigned)
    const tries = given.length
    await clock.advance(60_000)
    expect(given.length).toBe(tries)
    expect(driver.commits).toEqual([])
    expect(drains[0]).toMatchObject({ abandoned: 1, possibleDuplicates: [{ from: 0, to: 1 }] })
    expect(consumer.facts().late).toBe(1)
  })
})

describe('a flood of dead letters', () => {
  const breaker = { ratio: 0.1, minRecords: 20, consecutive: 5 }
  const policy = { breaker, afterwards: 'continue' } as const

  it('stops its partition before one too many in a row, and no other; restart counts anew', async () => {
    const { route, acknowledged } = routeFailing(0)
    let broken = true
    const handle = ({ partition }: Message) => {
      if (partition === 0 && broken) throw new Error('no')
    }
    const parts = { deadLetter: route, deadLetterPolicy: policy }
    const { clock, driver, consumer, stopped } = setUp({ handle, commit: 'each' }, parts)
    await consumer.start()
    const [one, two] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 9))
    driver.deliver(two, records(0, 9))
    await clock.advance(0)
    expect(acknowledged.map(({ record: { offset } }) => offset)).toEqual([0, 1, 2, 3, 4])
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
    expect(driver.committed('t', 1)?.nextOffset).toBe(9)
    expect(stopped).toMatchObject([{ topic: 't', partition: 0, error: { code: 'flood', offset: 5 } }])
    broken = false
    await clock.runUntil(consumer.restart('t', 0))
    driver.deliver(one, records(5, 9))
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(9)
  })

  it('is one when it is more than its part of the last records, however many good ones came before', async () => {
    const { route, acknowledged } = routeFailing(0)
    const handle = ({ offset }: Message) => {
      if (offset > 1_000 && offset % 4 === 0) throw new Error('no')
    }
    const parts = { deadLetter: route, deadLetterPolicy: policy }
    const { clock, driver, consumer, stopped } = setUp({ handle, commit: 'each' }, parts)
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1_200))
    await clock.advance(0)
    expect(stopped.map(({ error }) => error.code)).toEqual(['flood'])
    expect(acknowledged.length).toBeLessThanOrEqual(6)
  })

  it('is none when single records fail now and then', async () => {
    const { route, acknowledged } = routeFailing(0)
    const handle = ({ offset }: Message) => {
      if (offset % 20 === 0) throw new Error('no')
    }
    const parts = { deadLetter: route, deadLetterPolicy: policy }
    const { clock, driver, consumer, stopped } = setUp({ handle, commit: 'each' }, parts)
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1_000))
    await clock.advance(0)
    expect(stopped).toEqual([])
    expect(acknowledged).toHaveLength(50)
  })
})

describe("afterwards: 'stop'", () => {
  it('inside a batch leaves nothing behind that its report would call abandoned', async () => {
    const { route } = routeFailing(0)
    const all = setUp(
      {
        commit: 'each',
        handleBatch: (messages: readonly Message[]) => {
          const at = messages.findIndex(({ offset }) => offset === 1)
          if (at >= 0) throw new BatchFailure(at, new DeadLetter('no'))
        },
      },
      { deadLetter: route, deadLetterPolicy: { breaker: null, afterwards: 'stop' } },
    )
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 5))
    await all.clock.advance(100)
    await all.clock.runUntil(all.consumer.stop())
    expect(all.drains).toMatchObject([{ abandoned: 0, committed: [{ offset: 2 }] }])
  })

  it('stops the partition behind the letter, with the letter settled; restart goes on behind it', async () => {
    const { route, acknowledged } = routeFailing(0)
    const parts = { deadLetter: route, deadLetterPolicy: { breaker: null, afterwards: 'stop' } as const }
    const { clock, driver, consumer, stopped } = setUp({ handle: failAt(1), commit: 'each' }, parts)
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 4))
    await clock.advance(0)
    expect(acknowledged.map(({ record: { offset } }) => offset)).toEqual([1])
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(stopped).toMatchObject([{ error: { code: 'stopped-behind', offset: 1 } }])
    await clock.runUntil(consumer.restart('t', 0))
    driver.deliver(assigned, records(2, 4))
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })

  it('of a batch, the records before and the letter are settled, and none behind it is handled', async () => {
    const { route } = routeFailing(0)
    const handled: number[] = []
    const parts = { deadLetter: route, deadLetterPolicy: { breaker: null, afterwards: 'stop' } as const }
    const { clock, driver, consumer } = setUp(
      {
        handleBatch: (messages) => {
          for (const { offset } of messages) {
            if (offset === 2) throw new Error('no')
            if (messages.length === 1) handled.push(offset)
          }
        },
        commit: 'each',
      },
      parts,
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 5))
    await clock.advance(0)
    expect(handled).toEqual([0, 1])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })
})

describe('handleBatch', () => {
  it('hands over records of one partition, in order, and settles them together', async () => {
    const batches: number[][] = []
    const { clock, driver, consumer } = setUp({
      commit: 'each',
      batchMessages: 3,
      handleBatch: (messages) => void batches.push(messages.map(({ offset }) => offset)),
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 7))
    await clock.advance(0)
    expect(batches).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(driver.committed('t', 0)?.nextOffset).toBe(7)
  })

  it('that throws stops the partition at the first record of the batch', async () => {
    const { clock, driver, consumer, stopped } = setUp({
      commit: 'each',
      batchMessages: 3,
      handleBatch: (messages) => {
        if (messages.some(({ offset }) => offset === 4)) throw new Error('no')
      },
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 9))
    await clock.advance(0)
    expect(stopped.map(({ error }) => error.offset)).toEqual([3])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('that throws is repeated record by record when there is a dead-letter topic, in order', async () => {
    const { route, given } = routeFailing(0)
    const batches: number[][] = []
    const { clock, driver, consumer } = setUp(
      {
        commit: 'each',
        batchMessages: 3,
        handleBatch: async (messages) => {
          batches.push(messages.map(({ offset }) => offset))
          await Promise.resolve()
          if (messages.some(({ offset }) => offset === 1)) throw new Error('no')
        },
      },
      { deadLetter: route },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 6))
    await clock.advance(0)
    expect(batches).toEqual([[0, 1, 2], [0], [1], [2], [3, 4, 5]])
    expect(given.map(({ record: { offset }, attempt }) => [offset, attempt])).toEqual([[1, 2]])
    expect(driver.committed('t', 0)?.nextOffset).toBe(6)
  })

  it('hands over nothing more of a failed batch once its partition is lost', async () => {
    const { route } = routeFailing(0)
    const batches: number[][] = []
    const { clock, driver, consumer } = setUp(
      {
        batchMessages: 4,
        handleBatch: async (messages) => {
          batches.push(messages.map(({ offset }) => offset))
          await clock.sleep(10)
          if (messages.length > 1) throw new Error('no')
        },
      },
      { deadLetter: route },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 4))
    await clock.advance(15)
    driver.lose(assigned)
    await clock.advance(100)
    expect(batches).toEqual([[0, 1, 2, 3], [0]])
  })

  it('never gets a record that cannot be decoded; it goes its own way, in its place', async () => {
    const { route, given } = routeFailing(0)
    const batches: number[][] = []
    const { clock, driver, consumer } = setUp(
      { handleBatch: (messages) => void batches.push(messages.map(({ offset }) => offset)), commit: 'each' },
      { deadLetter: route },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0), record(1, null, 'bad'), record(2), record(3)])
    await clock.advance(0)
    expect(batches).toEqual([[0], [2, 3]])
    expect(given.map(({ record: { offset } }) => offset)).toEqual([1])
    expect(driver.committed('t', 0)?.nextOffset).toBe(4)
  })
})

describe('a send that failed unseen', () => {
  it('of a batch whose BatchFailure says what is done: nothing of it is, and all of it is tried again', async () => {
    let broken = true
    const done: number[] = []
    const send = () => (broken ? Promise.reject(new Error('no broker')) : Promise.resolve({} as never))
    let calls = 0
    const { clock, driver, consumer } = setUp(
      {
        commit: 'each',
        retry: { backoff: { initialMs: 1, maxMs: 1 } },
        handleBatch: async (messages: readonly Message[], context: HandlerContext) => {
          calls += 1
          for (const [index, { offset }] of messages.entries()) {
            if (offset === 3 && calls === 1) {
              await clock.sleep(5)
              broken = false
              throw new BatchFailure(index, new Error('no'))
            }
            void context.send({ name: 'x' } as never, offset)
            if (!broken) done.push(offset)
          }
        },
      },
      { send },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 5))
    await clock.advance(1_000)
    expect(new Set(done)).toEqual(new Set([0, 1, 2, 3, 4]))
  })

  it('of a record that is then discarded: it is no end, and the record is tried again', async () => {
    let calls = 0
    const send = () => (calls === 1 ? Promise.reject(new Error('no broker')) : Promise.resolve({} as never))
    const { clock, driver, consumer } = setUp(
      {
        commit: 'each',
        retry: { backoff: { initialMs: 1, maxMs: 1 } },
        handle: (_: Message, context: HandlerContext) => {
          calls += 1
          void context.send({ name: 'x' } as never, 1)
          throw new Discard('not for us')
        },
      },
      { send },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1))
    await clock.advance(1_000)
    expect(calls).toBe(2)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })
})

describe('BatchFailure', () => {
  it('BatchFailure counts on from the attempts of consumers before, for the record that it names', async () => {
    const { route, given } = routeFailing(0)
    const all = setUp(
      {
        commit: 'each',
        handleBatch: (messages: readonly Message[]) => {
          const at = messages.findIndex(({ offset }) => offset === 1)
          if (at >= 0) throw new BatchFailure(at, new DeadLetter('no'))
        },
      },
      { deadLetter: route },
    )
    await all.consumer.start()
    const again = { ...record(1), headers: [['td-attempt', Buffer.from('4')]] } as never
    all.driver.deliver(await all.driver.assign('t', 0), [record(0), again, record(2)])
    await all.clock.advance(100)
    expect(given.map(({ attempt, record: r }) => [r.offset, attempt])).toEqual([[1, 5]])
  })
})

describe('what a handler does to what it is given', () => {
  const retry = { backoff: { initialMs: 1, maxMs: 1 } }

  it('is not seen by its next attempt: a value that it changed comes as it was', async () => {
    const seen: number[] = []
    const topic = { ...textTopic('t'), value: jsonLike } as never
    const { clock, driver, consumer } = setUp({
      topics: [topic],
      retry,
      handle: (message) => {
        const value = message.value as { total: number }
        seen.push((value.total += 1))
        if (seen.length === 1) throw new Error('once')
      },
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, null, '{"total":5}')])
    await clock.advance(100)
    expect(seen).toEqual([6, 6])
  })

  it('passes over no record of a batch: one that empties its list is given all that is not done again', async () => {
    const stored: number[] = []
    let failures = 2
    const { clock, driver, consumer } = setUp({
      commit: 'each',
      retry,
      handleBatch: (messages) => {
        const left = messages as Message[]
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          if (next.offset === 2 && failures-- > 0) throw new Error('twice')
          stored.push(next.offset)
        }
      },
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 5))
    await clock.advance(100)
    expect(new Set(stored)).toEqual(new Set([0, 1, 2, 3, 4]))
    expect(driver.committed('t', 0)?.nextOffset).toBe(5)
  })
})

const jsonLike = {
  name: 'json',
  encode: () => null,
  decode: (bytes: Buffer) => JSON.parse(bytes.toString()) as unknown,
}

describe('middleware', () => {
  it.each([
    ['at once', () => undefined],
    ['later', async () => Promise.resolve()],
  ])('that ends %s without next stops its partition instead of passing records over', async (_, skips) => {
    const { clock, driver, consumer, stopped } = setUp({ commit: 'each', retry: false, use: [skips] })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(10)
    expect(stopped.map(({ error }) => error.cause)).toEqual([expect.objectContaining({ code: 'middleware-skipped' })])
    expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
  })

  it.each<[string, Middleware]>([
    ['awaits nothing', (_, __, next) => void next()],
    ['looks at it and does not wait', async (_, __, next) => void Promise.resolve(next()).catch(() => undefined)],
    ['waits for something else', (_, __, next) => Promise.race([next(), Promise.resolve()])],
  ])('that %s holds its record up until the handler has ended, and what that throws counts', async (_, careless) => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, stopped } = setUp({ commit: 'each', handle: handler.handle, use: [careless] })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(1_000)
    expect(handler.offsets()).toEqual([0])
    handler.end(0)
    await clock.advance(10)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
    handler.fail(1, new Error('no'))
    await clock.advance(10)
    expect(stopped).toMatchObject([{ error: { offset: 1, cause: { message: 'no' } } }])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('that throws while the handler goes on is no second handler beside it: the next attempt waits for its end', async () => {
    const handler = new ManualHandler()
    const impatient: Middleware = async (_, __, next) => {
      void next()
      await clock.sleep(100)
      throw new Error('too slow')
    }
    const retry = { backoff: { initialMs: 1, maxMs: 1 } }
    const { clock, driver, consumer } = setUp({ handle: handler.handle, use: [impatient], retry })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1))
    await clock.advance(5_000)
    expect(handler.offsets()).toEqual([0])
    handler.end(0)
    await clock.advance(10)
    expect(handler.offsets()).toEqual([0, 0])
    handler.end(0)
    await clock.runUntil(consumer.stop({ force: true }))
  })

  it('that tries again is not failed by what the attempt before had sent unseen', async () => {
    const sent: number[] = []
    const send = () => (sent.push(1) === 1 ? Promise.reject(new Error('no broker')) : Promise.resolve({} as never))
    const { clock, driver, consumer, stopped } = setUp(
      {
        commit: 'each',
        handle: async (_, context) => {
          void context.send({ name: 'x' } as never, 1)
          await clock.sleep(10)
          if (sent.length === 1) throw new Error('once')
        },
        use: [async (_, __, next) => Promise.resolve(next()).catch(() => next())],
      },
      { send },
    )
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1))
    await clock.advance(100)
    expect(stopped).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('wraps every delivery, the first outermost, and may run the handler again', async () => {
    const log: string[] = []
    let failures = 1
    const { clock, driver, consumer, stopped } = setUp({
      commit: 'each',
      handle: () => {
        log.push('handle')
        if (failures-- > 0) throw new Error('once')
      },
      use: [
        (messages, _, next) => {
          log.push(`outer ${messages.map(({ offset }) => offset).join()}`)
          return next()
        },
        async (_, __, next) => {
          try {
            await next()
          } catch {
            await next()
          }
        },
      ],
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 1))
    await clock.advance(0)
    expect(log).toEqual(['outer 0', 'handle', 'handle'])
    expect(stopped).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })
})

describe('a handler', () => {
  it.each<[string, () => unknown]>([
    [
      'an async generator',
      async function* () {
        yield await Promise.resolve(1)
      },
    ],
    [
      'a generator',
      function* () {
        yield 1
      },
    ],
    ['an observable', () => ({ subscribe: () => undefined, pipe: () => undefined })],
    ['an observable, later', () => Promise.resolve({ subscribe: () => undefined, pipe: () => undefined })],
  ])('that ends with %s, which nobody runs, has failed', async (_, handle) => {
    for (const use of [
      [],
      [
        async (_: never, __: never, next: () => unknown) => {
          await next()
        },
      ],
    ]) {
      const all = setUp({ commit: 'each', handle: handle as never, use: use as never })
      await all.consumer.start()
      all.driver.deliver(await all.driver.assign('t', 0), records(0, 5))
      await all.clock.advance(100)
      expect(all.driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
      expect(all.stopped).toMatchObject([{ error: { cause: { code: 'lazy-result' } } }])
    }
  })
})
