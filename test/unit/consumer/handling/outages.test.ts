import { describe, expect, it } from 'vitest'
import { DeadLetter, Discard, Unavailable } from '../../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import type { AssignedPartition } from '../../../../src/driver/consumer.js'
import type { Message } from '../../../../src/message/message.js'
import type { ClientEvent } from '../../../../src/telemetry/events.js'
import { routeFailing, setUp, type Options } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

interface Call {
  readonly place: string
  readonly at: number
  readonly attempt: number
}

/** What a handler does at a time: nothing, or it throws what is returned. */
type Behaviour = (place: string, at: number) => unknown

const handlerMs = 5

/**
 * Ten records of each partition at first, then ten a second, one by one; handlers take 5 ms and see the world as it is when they end.
 *
 * @param each how many of each partition
 */
async function world(behaviour: Behaviour, partitions: number, each: number, options: Options = {}, keys = 1) {
  const { route, given } = routeFailing(0)
  const calls: Call[] = []
  const handled: string[] = []
  const events: ClientEvent[] = []
  const handle = async ({ partition, offset }: Message, { attempt }: HandlerContext) => {
    const place = `${partition}@${offset}`
    calls.push({ place, at: all.clock.now() - startedAt, attempt })
    await all.clock.sleep(handlerMs)
    const error = behaviour(place, all.clock.now() - startedAt)
    if (error !== undefined) throw error as Error
    handled.push(place)
  }
  const all = setUp(
    { handle, commit: 'each', retry: {}, ...options },
    { deadLetter: route, onEvent: (event) => void events.push(event) },
  )
  const startedAt = all.clock.now()
  await all.consumer.start()
  const assigned: AssignedPartition[] = []
  for (let partition = 0; partition < partitions; partition += 1) assigned.push(await all.driver.assign('t', partition))
  const write = (place: AssignedPartition, from: number) => {
    const to = Math.min(each, from === 0 ? 10 : from + 1)
    all.driver.deliver(
      place,
      records(from, to, (offset) => `k${offset % keys}`),
    )
    if (to < each) all.clock.setTimer(100, () => write(place, to))
  }
  for (const place of assigned) write(place, 0)
  const letters = () => given.map(({ partition, record }) => `${partition}@${record.offset}`)
  const told = () => events.filter(({ kind }) => /outage|doubt/.test(kind))
  return { ...all, calls, handled, events, assigned, letters, told, now: () => all.clock.now() - startedAt }
}

const from =
  (fromMs: number, toMs: number, error: () => unknown = () => new Error('no connection')): Behaviour =>
  (_, at) =>
    at >= fromMs && at < toMs ? error() : undefined

/** Not at the same offsets of all partitions. */
const isPoison = (place: string) => {
  const [partition = 0, offset = 0] = place.split('@').map(Number)
  return (offset + 17 * partition) % 100 === 57
}
const poisoned =
  (beside: Behaviour = () => undefined): Behaviour =>
  (place, at) =>
    isPoison(place) ? new Error('bad') : beside(place, at)

const placesOf = (partitions: number, each: number) =>
  Array.from({ length: partitions * each }, (_, at) => `${Math.floor(at / each)}@${at % each}`)

describe('a dependency that is down for 30 s', () => {
  const shapes: readonly (readonly [string, number, number, Options, number])[] = [
    ['by partition', 4, 400, { order: 'partition' }, 1],
    ['by key', 2, 400, { order: 'key', concurrency: 16 }, 37],
    ['in no order', 2, 400, { order: 'none', concurrency: 16 }, 37],
    ['with one partition', 1, 600, { order: 'partition' }, 1],
  ]

  it.each(shapes)(
    'makes no dead letter of a good record, and hides no poisonous one: %s',
    async (_, partitions, each, options, keys) => {
      const all = await world(poisoned(from(5_500, 35_500)), partitions, each, options, keys)
      await all.clock.advance(1_200_000)
      const poison = placesOf(partitions, each).filter(isPoison)
      expect(all.letters().sort()).toEqual(poison.sort())
      expect(all.handled.sort()).toEqual(
        placesOf(partitions, each)
          .filter((place) => !isPoison(place))
          .sort(),
      )
      for (let partition = 0; partition < partitions; partition += 1)
        expect(all.driver.committed('t', partition)?.nextOffset).toBe(each)
    },
  )

  it('pauses its partitions, is told once for each, spends no attempt, and ends when a probe succeeds', async () => {
    const { clock, calls, consumer, told } = await world(from(5_500, 35_500), 3, 400)
    await clock.advance(25_000)
    const facts = () => consumer.facts().partitions
    expect(facts()).toMatchObject(Array(3).fill({ pausedBy: ['outage'], waitsFor: 'outage' }))
    await clock.advance(30_000)
    expect(facts()).toMatchObject(Array(3).fill({ pausedBy: [], unsettled: 0 }))
    const kinds = told().map(({ kind }) => kind)
    expect(kinds).toEqual([...Array<string>(3).fill('outage-began'), ...Array<string>(3).fill('outage-ended')])
    expect(told()[0]).toMatchObject({ topic: 't', cause: 'nothing-succeeds', error: { message: 'no connection' } })
    const inOutage = calls.filter(({ at }) => at > 12_000 && at < 35_000)
    expect(inOutage.length).toBeGreaterThan(5)
    expect(inOutage.length).toBeLessThan(25)
    expect(Math.max(...calls.map(({ attempt }) => attempt))).toBeLessThanOrEqual(5)
  })

  it('is not taken for poison because a handler that began before it succeeds in it', async () => {
    const { clock, letters, told, driver, consumer } = setUpStraggler()
    await consumer.start()
    for (const partition of [0, 1]) driver.deliver(await driver.assign('t', partition), records(0, 2))
    await clock.advance(25_000)
    expect(letters()).toEqual([])
    expect(told()).toContain('outage-began')
  })

  /** Partition 1 has a handler that began while all was well, and ends 400 ms into the outage. */
  function setUpStraggler() {
    const { route, given } = routeFailing(0)
    const kinds: string[] = []
    const handle = async ({ partition, offset }: Message) => {
      const place = `${partition}@${offset}`
      await all.clock.sleep(place === '1@0' ? 3_000 : handlerMs)
      if (place !== '1@0') throw new Error('no connection')
    }
    const retry = { retries: 3, backoff: { initialMs: 2_000, maxMs: 2_000 } }
    const all = setUp({ handle, retry }, { deadLetter: route, onEvent: ({ kind }) => void kinds.push(kind) })
    return { ...all, letters: () => given, told: () => kinds }
  }

  it('gives what failed in it all its retries again', async () => {
    const times = new Map<string, number>()
    const shaky: Behaviour = (place, at) => {
      if (at < 30_000) return new Error('no connection')
      times.set(place, (times.get(place) ?? 0) + 1)
      return place.endsWith('@0') && (times.get(place) ?? 0) <= 3 ? new Error('shaky') : undefined
    }
    const { clock, letters, handled } = await world(shaky, 2, 20, { order: 'key' }, 20)
    await clock.advance(120_000)
    expect(letters()).toEqual([])
    expect(handled.length).toBe(40)
  })

  it('ends at once for a partition that is revoked, and for one that is sought elsewhere', async () => {
    const { clock, driver, assigned, consumer, handled, told } = await world(from(0, 30_000), 2, 10)
    await clock.advance(10_000)
    const before = clock.now()
    await clock.runUntil(driver.revoke(assigned[0] as AssignedPartition, 60_000))
    await clock.runUntil(consumer.seek('t', 1, 5))
    expect(clock.now() - before).toBeLessThan(100)
    expect(consumer.facts().partitions.map(({ pausedBy }) => pausedBy)).toEqual([[]])
    await clock.advance(0)
    expect(told().filter((event) => event.kind === 'outage-ended')).toMatchObject([{ by: 'left' }, { by: 'left' }])
    await clock.advance(21_000)
    driver.deliver(assigned[1] as AssignedPartition, records(5, 10))
    await clock.advance(21_000)
    expect(handled).toEqual(['1@5', '1@6', '1@7', '1@8', '1@9'])
  })

  it('makes no probe of a partition that its user has paused', async () => {
    const { clock, consumer, calls, handled } = await world(from(0, 10_000), 1, 10)
    await clock.advance(8_000)
    consumer.pause()
    const before = calls.length
    await clock.advance(60_000)
    expect(calls.length).toBe(before)
    consumer.resume()
    await clock.advance(21_000)
    expect(handled.length).toBe(10)
  })

  it('that begins while a batch is tried record by record costs one of its records at the most', async () => {
    const { route, given } = routeFailing(0)
    let downAt = Infinity
    let singles = 0
    const handleBatch = async (messages: readonly Message[]) => {
      await all.clock.sleep(handlerMs)
      const now = all.clock.now()
      if (now >= downAt && now < downAt + 30_000) throw new Error('connection lost')
      if (messages.some(({ offset }) => offset === 59)) throw new Error('bad value')
      if (messages.length === 1 && (singles += 1) === 2) downAt = now + 1
    }
    const all = setUp({ handle: undefined, handleBatch, commit: 'each', retry: {} }, { deadLetter: route })
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 60))
    await all.clock.advance(120_000)
    const good = given.filter(({ record }) => record.offset !== 59)
    expect(good.length).toBeLessThanOrEqual(1)
    expect(given.length).toBe(good.length + 1)
    await all.clock.runUntil(all.consumer.stop())
  })

  it('does not take a batch apart', async () => {
    const { route, given } = routeFailing(0)
    const calls: number[] = []
    const handleBatch = async (messages: readonly Message[]) => {
      await all.clock.sleep(handlerMs)
      if (all.clock.now() - startedAt < 30_000) throw new Unavailable('the database is down')
      calls.push(messages.length)
    }
    const all = setUp({ handleBatch, retry: {} }, { deadLetter: route })
    const startedAt = all.clock.now()
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 7))
    await all.clock.advance(60_000)
    expect([calls, given]).toEqual([[7], []])
  })
})

describe('a poisonous record', () => {
  it('is given up after decideAfterMs again when an outage before was left without an end', async () => {
    const { route, given } = routeFailing(0)
    const all = setUp(
      {
        commit: 'each',
        retry: {},
        handle: async ({ partition, offset }: Message) => {
          await all.clock.sleep(5)
          if (partition === 0 || offset === 50) throw new Error('bad')
        },
      },
      { deadLetter: route },
    )
    await all.consumer.start()
    const first = await all.driver.assign('t', 0)
    all.driver.deliver(first, records(0, 10))
    await all.clock.advance(90_000)
    expect(given.length).toBe(1)
    await all.clock.runUntil(all.driver.revoke(first, 1_000))
    const second = await all.driver.assign('t', 1)
    all.driver.deliver(second, records(0, 10))
    await all.clock.advance(1_000)
    all.driver.deliver(second, records(50, 52))
    await all.clock.advance(90_000)
    expect(given.map(({ record: r }) => r.offset)).toEqual([0, 50])
  })

  it('is no outage while others succeed: nothing is paused, and nothing is told', async () => {
    const { clock, letters, told } = await world(poisoned(), 4, 400)
    await clock.advance(60_000)
    expect(letters().length).toBe(16)
    expect(told()).toEqual([])
  })

  it('that is the only one is given up after decideAfterMs, and the next one ends the doubt', async () => {
    const { clock, letters, told, handled } = await world(
      (place) => (place === '0@3' ? new Error('bad') : undefined),
      1,
      10,
    )
    await clock.advance(55_000)
    expect(letters()).toEqual([])
    await clock.advance(25_000)
    expect(letters()).toEqual(['0@3'])
    expect(told().map(({ kind }) => kind)).toEqual(['outage-began', 'given-up-in-doubt', 'outage-ended'])
    expect(handled.length).toBe(9)
  })

  it('does not hold up the other keys of its partition for longer than a probe', async () => {
    const { clock, driver, consumer, letters, seen } = setUpKeys()
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(
      assigned,
      records(0, 1, () => 'bad'),
    )
    await clock.advance(20_000)
    driver.deliver(assigned, records(1, 5, String))
    await clock.advance(12_000)
    expect([...seen].sort()).toEqual([1, 2, 3, 4])
    expect(letters().map(({ record }) => record.offset)).toEqual([0])
  })

  function setUpKeys() {
    const { route, given } = routeFailing(0)
    const seen: number[] = []
    const handle = async ({ offset }: Message) => {
      await all.clock.sleep(handlerMs)
      if (offset === 0) throw new Error('bad')
      seen.push(offset)
    }
    const all = setUp({ handle, order: 'key', retry: {} }, { deadLetter: route })
    return { ...all, seen, letters: () => given }
  }

  it('of each partition at the same time costs seconds, though nothing else can succeed', async () => {
    const bad: Behaviour = (place, at) => {
      if (place === '0@57' || place === '1@55') return new Error('bad')
      return at > 5_000 && at < 5_300 && place === '1@52' ? new Error('not now') : undefined
    }
    const { clock, letters, handled } = await world(bad, 2, 100)
    await clock.advance(30_000)
    expect(letters().sort()).toEqual(['0@57', '1@55'])
    expect(handled.length).toBe(198)
  })

  it('after poisonous records of one partition costs each a bounded time', async () => {
    const bad: Behaviour = (place) => (place < '0@5' ? new Error('bad') : undefined)
    const { clock, letters, handled } = await world(bad, 1, 10, { outage: { decideAfterMs: 1_000 } })
    await clock.advance(5 * 25_000)
    expect(letters()).toEqual(['0@0', '0@1', '0@2', '0@3', '0@4'])
    expect(handled.length).toBe(5)
  })
})

describe('an outage of minutes', () => {
  it('is not prolonged by records that are dropped or given up by their handlers: each lets another start in its place', async () => {
    const { route, given } = routeFailing(0)
    const all = setUp(
      {
        commit: 'each',
        retry: {},
        outage: { decideAfterMs: 1_000 },
        handle: ({ offset }: Message) => {
          if (offset === 0) throw new Error('bad')
          if (offset % 2 === 0) throw new DeadLetter('negative')
          throw new Discard('not for us')
        },
      },
      { deadLetter: route },
    )
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 60))
    await all.clock.advance(60_000)
    expect(all.driver.committed('t', 0)?.nextOffset).toBe(60)
    expect(given.length).toBe(30)
  })

  it('gives up one record where a single partition is read, and none where there are several', async () => {
    // The second one would be due ten times as long after the first: at 660 s.
    const one = await world(from(0, 640_000), 1, 10)
    await one.clock.advance(700_000)
    expect([one.letters(), one.handled.length]).toEqual([['0@0'], 9])
    const several = await world(from(0, 300_000), 3, 10)
    await several.clock.advance(400_000)
    expect([several.letters(), several.handled.length]).toEqual([[], 30])
  })
})

describe('Unavailable', () => {
  const unavailable = () => new Unavailable('the database is down')

  it('pauses its partition at once, and no other', async () => {
    const behaviour: Behaviour = (place, at) => (place.startsWith('0') && at < 20_000 ? unavailable() : undefined)
    const { clock, calls, handled, letters, told } = await world(behaviour, 2, 100, { order: 'key' }, 10)
    await clock.advance(15_000)
    expect(told()).toMatchObject([{ kind: 'outage-began', partition: 0, cause: 'unavailable' }])
    expect(calls.filter(({ place }) => place.startsWith('0')).length).toBeLessThan(20)
    expect(handled.length).toBe(100)
    await clock.advance(45_000)
    expect([handled.length, letters()]).toEqual([200, []])
  })

  it('of one key holds up that key alone once others have shown that they can', async () => {
    const behaviour: Behaviour = (place, at) => (place.endsWith('7') && at < 60_000 ? unavailable() : undefined)
    const { clock, handled, letters, told } = await world(behaviour, 1, 400, { order: 'key' }, 10)
    await clock.advance(45_000)
    expect(handled.length).toBe(360)
    expect(told().map(({ kind }) => kind)).toEqual(['outage-began', 'outage-ended'])
    await clock.advance(60_000)
    expect([handled.length, letters()]).toEqual([400, []])
  })

  it('is no shelter for a record that fails otherwise when it is over: with outage: false its retries are spent as ever', async () => {
    const behaviour: Behaviour = (place, at) => {
      if (at < 5_000) return unavailable()
      return place === '0@0' ? new Error('bad') : undefined
    }
    const { clock, letters, handled } = await world(behaviour, 1, 10, { outage: false })
    await clock.advance(120_000)
    expect([letters(), handled.length]).toEqual([['0@0'], 9])
  })

  it('is obeyed with outage: false and retry: false, which take nothing else for an outage', async () => {
    for (const options of [{ outage: false }, { retry: false }] as const) {
      const said = await world(from(0, 100_000, unavailable), 1, 10, options)
      await said.clock.advance(120_000)
      expect([said.letters(), said.handled.length]).toEqual([[], 10])
      const silent = await world(from(0, 20_000), 1, 10, options)
      await silent.clock.advance(120_000)
      expect(silent.letters().length).toBe(10)
      expect(silent.told()).toEqual([])
    }
  })
})
