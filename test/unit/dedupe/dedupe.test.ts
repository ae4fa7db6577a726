import { describe, expect, it } from 'vitest'
import { BatchFailure, Discard } from '../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../src/consumer/handling/handler.js'
import { dedupedBy } from '../../../src/dedupe/deduped-delivery.js'
import type { CallMarks, DedupeStore } from '../../../src/dedupe/dedupe-store.js'
import { memoryDedupeBy } from '../../../src/dedupe/memory-dedupe.js'
import { OpenCalls } from '../../../src/dedupe/open-calls.js'
import { tdHeader, textHeader } from '../../../src/message/headers.js'
import type { Message } from '../../../src/message/message.js'
import type { ReceivedRecord } from '../../../src/message/record.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { silentLogger, type Logger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import type { ClientEvent } from '../../../src/telemetry/events.js'
import { routeFailing, setUp, type Options } from '../consumer/consumer-setup.js'

/** A store over a network, which may be down, and in which transactions of others end meanwhile. */
class FakeStore implements DedupeStore {
  readonly marks = new Set<string>()
  readonly asked: (readonly string[])[] = []
  readonly told: (readonly string[])[] = []
  down: 'nothing' | 'asks' | 'marks' | 'both' | 'silent' = 'nothing'
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve()
  readonly calls = new OpenCalls()
  readonly begins = this.calls.begins

  async known(scope: string, identities: readonly string[]): Promise<ReadonlySet<string>> {
    this.asked.push(identities)
    await this.#answer('asks')
    return new Set(identities.filter((identity) => this.marks.has(`${scope} ${identity}`)))
  }

  async mark(scope: string, identities: readonly string[]): Promise<void> {
    this.told.push(identities)
    await this.#answer('marks')
    this.keep({ scope, identities })
  }

  keep({ scope, identities }: Pick<CallMarks, 'scope' | 'identities'>): void {
    for (const identity of identities) this.marks.add(`${scope} ${identity}`)
  }

  async #answer(call: 'asks' | 'marks'): Promise<void> {
    if (this.down === 'silent') return new Promise(() => undefined)
    await this.gate
    if (this.down === call || this.down === 'both') throw new Error('connection lost')
  }
}

const sentAs = (offset: number, id: string, value = `v${offset}`): ReceivedRecord => ({
  offset,
  timestamp: 1_000 + offset,
  key: null,
  value: Buffer.from(value),
  headers: [textHeader(tdHeader.id, id)],
})
const plain = (offset: number, timestamp = 1_000 + offset): ReceivedRecord => ({
  offset,
  timestamp,
  key: null,
  value: Buffer.from(`v${offset}`),
  headers: [],
})

interface Others {
  readonly logger?: Logger
  readonly deadLetter?: () => Promise<void>
}

async function world(store: DedupeStore, options: Options = {}, others: Others = {}) {
  const { logger = silentLogger, deadLetter } = others
  const handled: string[] = []
  const events: ClientEvent[] = []
  const telemetry = {
    logger,
    metrics: noMetrics,
    onEvent: (event: ClientEvent) => void events.push(event),
  }
  const { route, given } = routeFailing(0)
  const handling: Options =
    options.handleBatch === undefined && options.loop !== true
      ? { handle: ({ topic, partition, offset }: Message) => void handled.push(`${topic}-${partition}@${offset}`) }
      : {}
  const all = setUp(
    { commit: 'each', retry: {}, ...handling, ...options },
    {
      deadLetter: deadLetter ?? route,
      ...telemetry,
      delivery: dedupedBy({ store, scope: 'g', identity: undefined, timeoutMs: 1_000 }, telemetry),
    },
  )
  await all.consumer.start()
  const dropped = () =>
    events.flatMap((event) => (event.kind === 'duplicates-dropped' ? [`${event.offset}+${event.records}`] : []))
  return { ...all, handled, events, dropped, letters: given }
}

const fails = (): never => {
  throw new Error('connection lost')
}

const stores = {
  'in memory': () => memoryDedupeBy(virtualClock()),
  'over a network': () => new FakeStore(),
}

describe.each(Object.entries(stores))('with a store %s', (_, make) => {
  it('a record that comes twice, by its id, is handled once, and both are committed', async () => {
    const all = await world(make())
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(place, [sentAs(0, 'a'), sentAs(1, 'b'), sentAs(2, 'a')])
    await all.clock.advance(100)
    expect(all.handled).toEqual(['t-0@0', 't-0@1'])
    expect(all.dropped()).toEqual(['2+1'])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(3)
    await all.consumer.stop()
  })

  it('a record that is read again after its partition was lost is handled once', async () => {
    const all = await world(make())
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(place, [plain(0)])
    await all.clock.advance(100)
    all.driver.lose(place)
    const anew = await all.driver.assign('t', 0)
    all.driver.deliver(anew, [plain(0), plain(1)])
    await all.clock.advance(100)
    expect(all.handled).toEqual(['t-0@0', 't-0@1'])
    await all.consumer.stop()
  })

  it('the same id in another topic, and the same offset of a log that was made anew, are other records', async () => {
    const all = await world(make())
    const [one, other] = [await all.driver.assign('t', 0), await all.driver.assign('u', 0)]
    all.driver.deliver(one, [sentAs(0, 'a'), plain(1)])
    all.driver.deliver(other, [sentAs(0, 'a')])
    await all.clock.advance(100)
    all.driver.lose(one)
    all.driver.deliver(await all.driver.assign('t', 0), [plain(0, 77), plain(1, 78)])
    await all.clock.advance(100)
    expect([...all.handled].sort()).toEqual(['t-0@0', 't-0@0', 't-0@1', 't-0@1', 'u-0@0'])
    expect(all.dropped()).toEqual([])
    await all.consumer.stop()
  })

  it('two copies that run at the same time are handled one after the other: the second is dropped, or takes over when the first fails', async () => {
    const ends: ((error?: Error) => void)[] = []
    const handle = () =>
      new Promise<void>((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error))))
    const all = await world(make(), { handle })
    const [one, other] = [await all.driver.assign('t', 0), await all.driver.assign('t', 1)]
    all.driver.deliver(one, [sentAs(0, 'a')])
    all.driver.deliver(other, [sentAs(0, 'a')])
    await all.clock.advance(50)
    expect(ends).toHaveLength(1)
    ends[0]?.(new Error('not now'))
    await all.clock.advance(0)
    // The other copy had waited for that; the retry of the first comes later and waits in turn.
    expect(ends).toHaveLength(2)
    await all.clock.advance(5_000)
    expect(ends).toHaveLength(2)
    ends[1]?.()
    await all.clock.advance(5_000)
    expect(ends).toHaveLength(2)
    expect([all.driver.committed('t', 0)?.nextOffset, all.driver.committed('t', 1)?.nextOffset]).toEqual([1, 1])
    await all.consumer.stop()
  })

  it('a copy of one whose dead letter is slow takes no place of concurrency while it waits', async () => {
    const handled: string[] = []
    const handle = ({ topic, partition }: Message) => {
      handled.push(`${topic}-${partition}`)
      if (topic === 't') throw new Error('bad')
    }
    const letters: (() => void)[] = []
    const deadLetter = () => new Promise<void>((resolve) => letters.push(resolve))
    const all = await world(make(), { handle, concurrency: 1, retry: false, outage: false }, { deadLetter })
    for (const partition of [0, 1]) {
      all.driver.deliver(await all.driver.assign('t', partition), [sentAs(0, 'a')])
      await all.clock.advance(100)
    }
    all.driver.deliver(await all.driver.assign('u', 0), [sentAs(0, 'a')])
    await all.clock.advance(100)
    expect(handled).toEqual(['t-0', 'u-0'])
    letters[0]?.()
    await all.clock.advance(100)
    expect(handled).toEqual(['t-0', 'u-0', 't-1'])
    letters[1]?.()
    await all.consumer.stop()
  })

  it('what is discarded, or becomes a dead letter, is not marked', async () => {
    const seen: number[] = []
    const handle = ({ offset }: Message) => {
      seen.push(offset)
      if (offset < 2) throw new Discard('not for us')
      throw new Error('bad')
    }
    const all = await world(make(), { handle, retry: false, outage: false })
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(place, [sentAs(0, 'a'), sentAs(1, 'a'), sentAs(2, 'b'), sentAs(3, 'b')])
    await all.clock.advance(1_000)
    expect(seen).toEqual([0, 1, 2, 3])
    expect(all.letters).toHaveLength(2)
    await all.consumer.stop()
  })

  it('of a batch the handler gets what is new, once, and in order', async () => {
    const batches: string[] = []
    const handleBatch = (messages: readonly Message[]) => void batches.push(messages.map(({ id }) => id).join(''))
    const all = await world(make(), { handleBatch })
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(
      place,
      [...'abcb'].map((id, offset) => sentAs(offset, id)),
    )
    await all.clock.advance(100)
    all.driver.deliver(
      place,
      [...'dbeaf'].map((id, at) => sentAs(4 + at, id)),
    )
    await all.clock.advance(100)
    expect(batches).toEqual(['abc', 'def'])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(9)
    await all.consumer.stop()
  })

  it('a batch waits for a copy of one of its records that is in hand, so that nothing of it overtakes the record', async () => {
    const ends: (() => void)[] = []
    const batches: string[] = []
    const handleBatch = (messages: readonly Message[]) => {
      batches.push(messages.map(({ id }) => id).join(''))
      if (batches.length > 1) return Promise.resolve()
      return new Promise<void>((_, reject) => ends.push(() => reject(new Error('cut off'))))
    }
    const all = await world(make(), { handleBatch })
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(place, [sentAs(0, 'a')])
    await all.clock.advance(100)
    all.driver.lose(place)
    const anew = await all.driver.assign('t', 0)
    all.driver.deliver(
      anew,
      [...'abc'].map((id, offset) => sentAs(offset, id)),
    )
    await all.clock.advance(100)
    expect(batches).toEqual(['a'])
    ends[0]?.()
    await all.clock.advance(100)
    expect(batches).toEqual(['a', 'abc'])
    await all.consumer.stop()
  })

  it('of a batch that failed at one of its records, those before it are marked and the others are not', async () => {
    const batches: string[] = []
    let fails = true
    const handleBatch = (messages: readonly Message[]) => {
      batches.push(messages.map(({ id }) => id).join(''))
      if (fails)
        throw new BatchFailure(
          messages.findIndex(({ id }) => id === 'c'),
          new Error('not now'),
        )
    }
    const all = await world(make(), { handleBatch })
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(
      place,
      [...'abcd'].map((id, offset) => sentAs(offset, id)),
    )
    await all.clock.advance(0)
    all.driver.lose(place)
    fails = false
    all.driver.deliver(
      await all.driver.assign('t', 0),
      [...'abcd'].map((id, offset) => sentAs(offset, id)),
    )
    await all.clock.advance(100)
    expect(batches).toEqual(['abcd', 'cd'])
    await all.consumer.stop()
  })

  it('of batches taken in a loop what is done is marked, and a batch of repeats never comes', async () => {
    const all = await world(make(), { loop: true })
    const got: string[] = []
    const looping = (async () => {
      for await (const batch of all.consumer.batches()) {
        got.push(batch.messages.map(({ id }) => id).join(''))
        batch.done()
      }
    })()
    const place = await all.driver.assign('t', 0)
    for (const [at, ids] of ['ab', 'ba', 'bc'].entries()) {
      all.driver.deliver(
        place,
        [...ids].map((id, index) => sentAs(2 * at + index, id)),
      )
      await all.clock.advance(100)
    }
    expect(got).toEqual(['ab', 'c'])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(6)
    await all.consumer.stop()
    await looping
  })
})

describe('a send that the handler did not await', () => {
  it('fails the record, so it is not marked', async () => {
    let attempts = 0
    const handle = (_: Message, { send }: HandlerContext) => {
      attempts += 1
      if (attempts === 1) void send(all.topic, 'x')
    }
    const store = new FakeStore()
    const made = await world(store, { handle, retry: { retries: 1 } })
    const all = { ...made, topic: { name: 't', keyOf: () => null } as never }
    all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a')])
    await all.clock.advance(5_000)
    // What the test world sends always fails.
    expect(attempts).toBe(2)
    expect(store.told).toEqual([['t id:a']])
    await all.consumer.stop()
  })
})

describe('a store that is down', () => {
  it.each(['asks', 'silent'] as const)(
    'when it is asked (%s): an outage in which nothing is handled and no attempt is spent',
    async (down) => {
      const attempts: number[] = []
      const store = new FakeStore()
      const all = await world(store, { handle: (_: Message, { attempt }) => void attempts.push(attempt) })
      store.down = down
      const place = await all.driver.assign('t', 0)
      all.driver.deliver(place, [plain(0), plain(1)])
      await all.clock.advance(300_000)
      expect(attempts).toEqual([])
      expect(all.letters).toEqual([])
      store.down = 'nothing'
      await all.clock.advance(15_000)
      expect(attempts).toEqual([1, 1])
      expect(all.events.flatMap(({ kind }) => (kind.startsWith('outage') ? [kind] : []))).toEqual([
        'outage-began',
        'outage-ended',
      ])
      await all.consumer.stop()
    },
  )

  it('when it is told: the handler is not called again, and nothing else is handled until the mark is kept', async () => {
    const store = new FakeStore()
    const all = await world(store)
    const [one, other] = [await all.driver.assign('t', 0), await all.driver.assign('t', 1)]
    store.down = 'marks'
    all.driver.deliver(one, [plain(0)])
    await all.clock.advance(100)
    all.driver.deliver(other, [plain(0)])
    await all.clock.advance(120_000)
    expect(all.handled).toEqual(['t-0@0'])
    expect(all.driver.committed('t', 0)).toBeUndefined()
    store.down = 'nothing'
    await all.clock.advance(15_000)
    expect(all.handled).toEqual(['t-0@0', 't-1@0'])
    expect([all.driver.committed('t', 0)?.nextOffset, all.driver.committed('t', 1)?.nextOffset]).toEqual([1, 1])
    await all.consumer.stop()
  })

  it('keeps the mark of what was handled when its partition is given up meanwhile', async () => {
    const store = new FakeStore()
    const all = await world(store)
    const place = await all.driver.assign('t', 0)
    store.down = 'marks'
    all.driver.deliver(place, [plain(0)])
    await all.clock.advance(100)
    all.driver.lose(place)
    store.down = 'nothing'
    all.driver.deliver(await all.driver.assign('t', 0), [plain(0), plain(1)])
    await all.clock.advance(1_000)
    expect(all.handled).toEqual(['t-0@0', 't-0@1'])
    await all.consumer.stop()
  })

  it.each([
    ['answers with a list', { known: () => Promise.resolve([] as never), mark: () => Promise.resolve() }],
    ['answers with nothing', { known: () => Promise.resolve(undefined as never), mark: () => Promise.resolve() }],
    [
      'answers with a promise, though it is immediate',
      { isImmediate: true, known: () => Promise.resolve(new Set<string>()), mark: () => undefined },
    ],
    ['throws, though it is immediate', { isImmediate: true, known: fails, mark: () => undefined }],
  ] satisfies [string, DedupeStore][])('and %s tells nothing: an outage, which says so', async (_, store) => {
    const all = await world(store)
    all.driver.deliver(await all.driver.assign('t', 0), [plain(0)])
    await all.clock.advance(60_000)
    expect(all.handled).toEqual([])
    expect(all.consumer.state).toBe('running')
    expect(all.consumer.facts().partitions[0]?.waitsFor).toBe('outage')
    await all.consumer.stop()
  })

  it('at once, when it is told though it is immediate: the handler is not called again, the mark is tried again', async () => {
    let isDown = true
    const marks: string[] = []
    const mark = (_: string, identities: readonly string[]) => void (isDown ? fails() : marks.push(...identities))
    const all = await world({ isImmediate: true, known: () => new Set(), mark })
    all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a')])
    await all.clock.advance(60_000)
    isDown = false
    await all.clock.advance(15_000)
    expect(all.handled).toEqual(['t-0@0'])
    expect(marks).toEqual(['t id:a'])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(1)
    await all.consumer.stop()
  })

  it('does not hold back a run of repeats once it answers', async () => {
    const store = new FakeStore()
    const all = await world(store)
    const place = await all.driver.assign('t', 0)
    const records = Array.from({ length: 500 }, (_, offset) => sentAs(offset, `${offset}`))
    store.keep({ scope: 'g', identities: records.map(({ offset }) => `t id:${offset}`) })
    store.down = 'asks'
    all.driver.deliver(place, records)
    await all.clock.advance(20_000)
    store.down = 'nothing'
    await all.clock.advance(10_500)
    expect(all.handled).toEqual([])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(500)
    await all.consumer.stop()
  })
})

describe('a store that marks in the transaction of the handler', () => {
  it('is not told again, and a handler that fails after its transaction is not called again, which is told', async () => {
    const store = new FakeStore()
    const lines: string[] = []
    const handle = (_: Message, context: HandlerContext) => {
      const marks = store.calls.of(context)
      store.keep(marks)
      marks.kept()
      if (marks.identities.includes('t id:b')) throw new Error('after it')
    }
    const all = await world(
      store,
      { handle },
      { logger: { ...silentLogger, warn: (_, message) => void lines.push(message) } },
    )
    all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a'), sentAs(1, 'b')])
    await all.clock.advance(10_000)
    expect(store.told).toEqual([])
    expect(all.dropped()).toEqual(['1+1'])
    expect(lines.filter((line) => line.includes('failed after the transaction'))).toHaveLength(1)
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(2)
    await all.consumer.stop()
  })

  it.each(['commits', 'fails', 'does not end'] as const)(
    'is waited for though its handler does not, so that what is marked has its effects: it %s',
    async (what) => {
      const store = new FakeStore()
      const calls: number[] = []
      const lines: string[] = []
      const handle = (_: Message, context: HandlerContext) => {
        calls.push(context.attempt)
        void store.calls.run(context, async (marks) => {
          await all.clock.sleep(what === 'does not end' ? 3_600_000 : 50)
          if (what === 'fails' && context.attempt === 1) throw new Error('rolled back')
          store.keep(marks)
          marks.kept()
        })
      }
      const retry = { retries: 2, backoff: { initialMs: 10, maxMs: 10 } }
      const logger = { ...silentLogger, warn: (_: object, message: string) => void lines.push(message) }
      const all = await world(store, { handle, retry }, { logger })
      all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a')])
      await all.clock.advance(40)
      expect(all.driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
      await all.clock.advance(900)
      const isDone = what !== 'does not end'
      expect(all.driver.committed('t', 0)?.nextOffset ?? 0).toBe(isDone ? 1 : 0)
      expect([store.told, store.marks.size]).toEqual([[], isDone ? 1 : 0])
      expect(calls).toEqual(what === 'fails' ? [1, 2] : [1])
      expect(lines.some((line) => line.includes('await it, or return it'))).toBe(true)
      const stopped = all.consumer.stop()
      await all.clock.advance(4_000_000)
      await stopped
    },
  )

  it('finds the batch of a loop, and refuses what is no call of its consumer', async () => {
    const store = new FakeStore()
    const all = await world(store, { loop: true })
    const looping = (async () => {
      for await (const batch of all.consumer.batches()) {
        const marks = store.calls.of(batch)
        store.keep(marks)
        marks.kept()
        batch.done()
      }
    })()
    all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a'), sentAs(1, 'b')])
    await all.clock.advance(100)
    expect([...store.marks]).toEqual(['g t id:a', 'g t id:b'])
    expect(store.told).toEqual([])
    expect(() => store.calls.of({})).toThrow('context of a handler')
    expect(() => store.calls.of(undefined)).toThrow('context of a handler')
    await all.consumer.stop()
    await looping
  })
})

describe('a batch of which somebody else handles a part between two attempts', () => {
  it('goes on with the rest and with the attempts it had', async () => {
    const store = new FakeStore()
    const calls: string[] = []
    const handleBatch = (messages: readonly Message[], { attempt }: HandlerContext) => {
      calls.push(`${messages.map(({ id }) => id).join('')} ${attempt}`)
      store.keep({ scope: 'g', identities: ['t id:a'] })
      throw new Error('not now')
    }
    const retry = { retries: 2, backoff: { initialMs: 10, maxMs: 10 } }
    const all = await world(store, { handleBatch, retry, outage: false })
    all.driver.deliver(await all.driver.assign('t', 0), [sentAs(0, 'a'), sentAs(1, 'b')])
    await all.clock.advance(5_000)
    expect(calls).toEqual(['ab 1', 'b 2', 'b 3'])
    expect(all.dropped()).toEqual(['0+1'])
    expect(all.letters).toHaveLength(1)
    await all.consumer.stop()
  })
})

describe('a pause while the store is asked', () => {
  it('holds: the handler begins when the partition goes on', async () => {
    const store = new FakeStore()
    const all = await world(store)
    const place = await all.driver.assign('t', 0)
    let open = () => undefined as void
    store.gate = new Promise((resolve) => (open = resolve))
    all.driver.deliver(place, [plain(0)])
    await all.clock.advance(10)
    expect(store.asked).toHaveLength(1)
    all.consumer.pause([{ topic: 't', partition: 0 }])
    open()
    await all.clock.advance(10_000)
    expect(all.handled).toEqual([])
    all.consumer.resume([{ topic: 't', partition: 0 }])
    await all.clock.advance(100)
    expect(all.handled).toEqual(['t-0@0'])
    await all.consumer.stop()
  })
})

describe('many deliveries at a time', () => {
  it('of which some were handled before: those are dropped, and no other one', async () => {
    const store = new FakeStore()
    const all = await world(store, { order: 'none' })
    const place = await all.driver.assign('t', 0)
    all.driver.deliver(
      place,
      [...'ace'].map((id, offset) => sentAs(offset, id)),
    )
    await all.clock.advance(100)
    all.driver.deliver(
      place,
      [...'abcdef'].map((id, at) => sentAs(3 + at, id)),
    )
    await all.clock.advance(100)
    expect([...all.handled].sort()).toEqual(['t-0@0', 't-0@1', 't-0@2', 't-0@4', 't-0@6', 't-0@8'])
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(9)
    await all.consumer.stop()
  })

  it('ask the store together', async () => {
    const store = new FakeStore()
    const all = await world(store, { order: 'none', concurrency: 50 })
    all.driver.deliver(
      await all.driver.assign('t', 0),
      Array.from({ length: 200 }, (_, offset) => plain(offset)),
    )
    await all.clock.advance(1_000)
    expect(all.handled).toHaveLength(200)
    expect(store.asked.flat()).toHaveLength(200)
    expect(store.asked.length).toBeLessThan(20)
    await all.consumer.stop()
  })
})
