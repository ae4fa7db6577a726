import fc from 'fast-check'
import type { ConsumerSettingsOptions, Messaging, MetricsAdapter } from 'tidemark'
import {
  degradeHeader,
  followLevels,
  Ladder,
  levelWatcher,
  type DegradationOptions,
  type Level,
  type LevelNotice,
  type LevelWatcherOptions,
} from 'tidemark/degrade'
import { lagMonitor, type GroupLag } from 'tidemark/lag'
import { simulate, type Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { LevelInForce } from '../../../src/degrade/level-in-force.js'
import { verdictOf } from '../../../src/degrade/level-rules.js'
import { logged, numbered, open, put, simulated, until } from '../consumer/simulated.js'
import { visibleRecords } from '../transaction/visible-records.js'
import { control, off, shedding, work } from './shedding.js'

const looks = (ladder: Ladder, ...lags: (number | null)[]) => lags.map((lag) => ladder.look(lag))

describe('the ladder', () => {
  it('rises by one after three looks, and beyond the first level only while the lag does not shrink', () => {
    const ladder = new Ladder()
    expect(looks(ladder, 99_999, 100_000, 100_000, 99_999, 100_000, 100_000, 100_000)).toEqual([0, 0, 0, 0, 0, 0, 1])
    expect(looks(ladder, 600_000, 500_000, 400_000, 300_000, 200_000)).toEqual([1, 1, 1, 1, 1])
    expect(looks(ladder, 200_000, 200_000, 200_000, 500_000, 500_000, 500_001)).toEqual([1, 1, 2, 2, 2, 3])
  })

  it('falls by one after five looks at half, and stays where a look could not see', () => {
    const ladder = new Ladder({ raiseAt: [10, 20, 30], raiseAfter: 1, clearAfter: 2 })
    expect(looks(ladder, 30, 30, 30)).toEqual([1, 2, 3])
    expect(looks(ladder, 15, null, 15, 16, 15, 15, 10, 10, 6, 5, 5)).toEqual([3, 3, 3, 3, 3, 2, 2, 1, 1, 1, 0])
  })

  it('comes back to 0 from wherever it is, when there is no lag, within the looks that its rules say', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(1_000_000)), { maxLength: 60 }), (lags) => {
        const ladder = new Ladder()
        const levels = looks(ladder, ...lags)
        for (const [at, level] of levels.entries()) expect(Math.abs(level - (levels[at - 1] ?? 0))).toBeLessThan(2)
        expect(looks(ladder, ...Array.from({ length: 15 }, () => 0)).at(-1)).toBe(0)
      }),
      { numRuns: 50 },
    )
  })
})

it('a level ends by itself, and a lower epoch does not count while it holds', () =>
  simulate(1, async ({ clock }) => {
    const inForce = new LevelInForce(clock)
    expect(inForce.take({ level: 2, epoch: 5, lastsMs: 1_000 })).toBe(true)
    expect(inForce.take({ level: 0, epoch: 4, lastsMs: 1_000 })).toBe(false)
    expect(inForce.take({ level: 3, epoch: 6, lastsMs: 1_000 }, 1_000)).toBe(false)
    await clock.sleep(999)
    expect([inForce.level, inForce.leftMs]).toEqual([2, 1])
    await clock.sleep(1)
    expect([inForce.level, inForce.leftMs]).toEqual([0, 0])
    expect(inForce.take({ level: 1, epoch: 4, lastsMs: 1_000 }, 400)).toBe(true)
    // A clock that is ahead makes nothing last longer, and nobody sets a level for good.
    expect(inForce.take({ level: 1, epoch: 4, lastsMs: Number.MAX_SAFE_INTEGER }, -5_000)).toBe(true)
    expect(inForce.leftMs).toBe(600_000)
  }))

it('samples keys wholly, about as many as its share says, alike in every partition', () => {
  const rules = { 2: { sample: { from: 2, share: 0.5 } } }
  const keys = Array.from({ length: 4_000 }, (_, index) => Buffer.from(`series-${index}`))
  const kept = keys.filter((key) => verdictOf(2, rules, 2, key) === 'handle')
  expect(kept.length / keys.length).toBeGreaterThan(0.45)
  expect(kept.length / keys.length).toBeLessThan(0.55)
  expect(kept.every((key) => verdictOf(2, rules, 3, key) === 'handle')).toBe(true)
  expect(verdictOf(2, rules, 1, keys[0] as Buffer)).toBe('handle')
  expect(verdictOf(2, rules, 2, null)).toBe('handle')
})

it('sheds before it diverts, diverts before it samples, and does nothing at levels without a rule', () => {
  const rules = { 3: { shedFrom: 4, divertFrom: 3, sample: { from: 2, share: 0 } } }
  const key = Buffer.from('k')
  const verdicts = [1, 2, 3, 4, 5].map((priority) => verdictOf(3, rules, priority, key))
  expect(verdicts).toEqual(['handle', 'shed', 'divert', 'shed', 'shed'])
  for (const level of [0, 1, 2] as Level[]) expect(verdictOf(level, rules, 9, key)).toBe('handle')
})

/** Its lag is what was put there last. */
function watching(messaging: Messaging, rest: Partial<LevelWatcherOptions> = {}) {
  const seen = { lag: 0, unseen: [] as object[] }
  const monitor = { look: () => Promise.resolve([seen as unknown as GroupLag]) }
  const watcher = levelWatcher(messaging, { monitor, topic: control, raiseAfter: 1, clearAfter: 1, ...rest })
  return { seen, watcher, close: () => messaging.close() }
}

const texts = (cluster: Simulation['cluster'], topic: string) =>
  cluster.records(topic, 0).map(({ value }) => value?.toString() ?? '')

it('sheds while the lag is high, never what is kept, and nothing any more when its watcher was killed', () =>
  simulated(async (simulation) => {
    const { cluster, clock, process } = simulation
    for (const name of ['work', 'work.shed', 'work.control']) cluster.createTopic(name)
    const counted = { shed: 0, levels: [] as number[] }
    const metrics: MetricsAdapter = {
      count: (name) => {
        if (name === 'tidemark_degrade_records_total') counted.shed += 1
      },
      gauge: (name, _, value) => {
        if (name === 'tidemark_degrade_level') counted.levels.push(value)
      },
      observe: () => undefined,
    }
    const serving = open(process('serving'), { ...off, metrics })
    const less = shedding(serving)
    await followLevels(serving, control, less).start()
    const handled: string[] = []
    const consumer = serving.consumer({
      group: 'g',
      topics: [work],
      handle: less.around(async ({ value }) => {
        await clock.sleep(100)
        handled.push(value)
      }),
    })
    await consumer.start()
    const killed = process('watching')
    const watcher = open(killed, off)
    const monitor = lagMonitor(watcher, { groups: [{ group: 'g', topics: ['work'] }] })
    const levels = levelWatcher(watcher, { monitor, topic: control, raiseAt: [50, 1_000, 5_000], lastsMs: 2_000 })
    const values = Array.from({ length: 100 }, (_, index) => (index % 10 === 0 ? `keep-${index}` : `drop-${index}`))
    await serving.producer().sendMany(work, values)
    for (let look = 0; look < 3; look += 1) {
      await clock.sleep(200)
      await levels.look()
    }
    const told = clock.now()
    await until(simulation, () => less.level === 1)
    killed.crash()
    await until(simulation, () => less.level === 0)
    expect(clock.now() - told).toBeLessThanOrEqual(2_100)
    const { shed: count, refused } = less.facts()
    expect(count).toBeGreaterThan(50)
    expect(refused).toBe(0)
    expect(counted).toEqual({ shed: count, levels: [0, 1, 0] })
    await serving.producer().send(work, 'drop-late')
    await until(simulation, () => handled.includes('drop-late'))
    const aside = texts(cluster, 'work.shed')
    expect(aside.length).toBe(count)
    expect(aside.some((value) => value.startsWith('keep'))).toBe(false)
    // Each in one place, once: no attempt of what was put aside counts as failed.
    expect([...handled, ...aside].sort()).toEqual([...values, 'drop-late'].sort())
    const [first] = cluster.records('work.shed', 0)
    expect(first?.key?.toString()).toBe(aside[0])
    const headers = Object.fromEntries((first?.headers ?? []).map(([name, value]) => [name, value?.toString()]))
    expect(headers).toMatchObject({
      'td-origin-topic': 'work',
      [degradeHeader.outcome]: 'shed',
      [degradeHeader.level]: '1',
    })
    expect(first?.timestamp).toBeGreaterThan(told - 100)
    await serving.close()
  }))

describe('levels over a control topic', () => {
  const following = async (simulation: Simulation) => {
    const { cluster, process } = simulation
    cluster.createTopic('work.control')
    const { logger, loud } = logged()
    const messaging = open(process('serving'), { durability: 'off', logger })
    const told: string[] = []
    const onLevel = (level: Level, before: Level) => {
      told.push(`${before} ${level}`)
      throw new Error('foreign')
    }
    const less = shedding(messaging, { onLevel })
    const follower = followLevels(messaging, control, less)
    await follower.start()
    return { messaging, less, follower, told, loud }
  }

  it('are those of the watcher that began later, and of the other when it is silent', () =>
    simulated(async (simulation) => {
      const { clock, process } = simulation
      const { less, told, messaging } = await following(simulation)
      const older = watching(open(process('older'), off), { lastsMs: 60_000 })
      await clock.sleep(5)
      const newerProcess = process('newer')
      const newer = watching(open(newerProcess, off), { lastsMs: 60_000 })
      older.seen.lag = 900_000
      for (const level of [1, 2, 3]) expect(await older.watcher.look()).toBe(level)
      await until(simulation, () => less.level === 3)
      newer.seen.lag = 100_000
      await newer.watcher.look()
      await until(simulation, () => less.level === 1)
      await older.watcher.look()
      await clock.sleep(1_000)
      expect(less.level).toBe(1)
      newerProcess.crash()
      await until(simulation, () => less.level === 0)
      await older.watcher.look()
      await until(simulation, () => less.level === 3)
      await older.close()
      // Each was told once, the end too, whatever the listener throws.
      expect(told.slice(-3)).toEqual(['3 1', '1 0', '0 3'])
      await messaging.close()
    }))

  it('are heard after what is no level, what comes too late, and in a topic that was made anew', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      const { less, follower, loud, messaging } = await following(simulation)
      const { seen, watcher, close } = watching(open(process('watching'), off))
      seen.lag = 100_000
      put(cluster, ['{"level":', '{"level":3,"epoch":1e300,"lastsMs":"x"}'], 'work.control')
      await until(simulation, () => loud().some(({ message }) => message.includes('no level')))
      // The clock of who wrote it stands at the beginning of time.
      put(cluster, [JSON.stringify({ level: 3, epoch: 1e300, lastsMs: 600_000 })], 'work.control')
      await clock.sleep(1_000)
      expect([less.level, follower.facts().partitions.length]).toEqual([0, 1])
      expect(loud().filter(({ message }) => message.includes('level'))).toHaveLength(1)
      await watcher.look()
      await until(simulation, () => less.level === 1)
      cluster.deleteTopic('work.control')
      await until(simulation, () => less.level === 0)
      cluster.createTopic('work.control')
      await clock.sleep(90_000)
      await watcher.look()
      await until(simulation, () => less.level > 0)
      expect(less.level).toBe(1)
      await close()
      await messaging.close()
    }))

  it('count a look once however often it is asked for, and are not held for good by who cannot see', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('work.control')
      const messaging = open(process('watching'), off)
      const { seen, watcher, close } = watching(messaging, { raiseAfter: 2 })
      const twin = watching(messaging)
      seen.lag = 900_000
      expect(await Promise.all([watcher.look(), watcher.look(), watcher.look()])).toEqual([0, 0, 0])
      expect(await watcher.look()).toBe(1)
      seen.unseen = [{}]
      for (let look = 0; look < 14; look += 1) {
        await clock.sleep(55_000)
        expect(await watcher.look()).toBe(1)
      }
      // One for those three, one that saw all, and those of ten minutes.
      const notices = () => texts(cluster, 'work.control').map((text) => JSON.parse(text) as LevelNotice)
      expect(notices().map(({ level }) => level)).toEqual([0, ...Array.from({ length: 11 }, () => 1)])
      await twin.watcher.look()
      expect(new Set(notices().map(({ epoch }) => epoch)).size).toBe(2)
      await close()
    }))
})

describe('what is put aside', () => {
  /** A level by hand, and records that are to be shed but for the first. */
  const serving = async (
    simulation: Simulation,
    rest: Partial<DegradationOptions<string>> = {},
    profile = 'cp',
    settings: Omit<Partial<ConsumerSettingsOptions>, 'topics'> = {},
  ) => {
    const { cluster, process } = simulation
    cluster.createTopic('work')
    const { logger, loud } = logged()
    const messaging = open(process('serving'), { durability: 'off', logger, profile: profile as 'cp' })
    const less = shedding(messaging, rest)
    less.take({ level: 1, epoch: 1, lastsMs: 600_000 })
    const handled: string[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [work],
      ...settings,
      handle: less.around(({ value }) => void handled.push(value)),
    })
    put(cluster, ['keep-0', 'a', 'b', 'c'], 'work')
    await consumer.start()
    return { messaging, less, handled, loud }
  }

  it.each([
    ['has no topic to go to', {}],
    ['would come back at once', { shedTo: 'work' }],
  ])('is handled when it %s', (_, rest) =>
    simulated(async (simulation) => {
      const startedAt = simulation.clock.now()
      const { less, handled, loud, messaging } = await serving(simulation, rest)
      await until(simulation, () => handled.length === 4, 900_000)
      // Only one of them waits for a topic that is not there.
      expect(simulation.clock.now() - startedAt).toBeLessThan(5_000)
      expect(handled).toEqual(['keep-0', 'a', 'b', 'c'])
      expect(less.facts()).toMatchObject({ shed: 0, refused: 3 })
      expect(simulation.cluster.records('work', 0)).toHaveLength(4)
      expect(loud().filter(({ message }) => message.includes('put aside'))).toHaveLength(1)
      await messaging.close()
    }),
  )

  it.each([
    [
      'throws',
      () => {
        throw new Error('foreign')
      },
    ],
    ['answers with a promise', () => Promise.reject(new Error('foreign'))],
    ['says nothing', () => undefined],
  ])('is nothing where keep %s', (_, keep) =>
    simulated(async (simulation) => {
      simulation.cluster.createTopic('work.shed')
      const { handled, loud, messaging } = await serving(simulation, { keep: keep as never })
      await until(simulation, () => handled.length === 4)
      expect(handled).toEqual(['keep-0', 'a', 'b', 'c'])
      expect(loud().filter(({ level }) => level === 'error').length).toBeLessThan(2)
      await messaging.close()
    }),
  )

  it('is handled within its attempt when its topic does not answer, and one record in ten seconds tries it', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('work.shed')
      const loseAnswers = () => {
        for (let nth = 0; nth < 500; nth += 1) cluster.faults.loseNextAnswer({ api: 'produce' })
      }
      loseAnswers()
      // Nothing else would try the record again.
      const settings = { handlerTimeoutMs: 4_000, retry: false, outage: false, concurrency: 10, order: 'none' } as const
      const { less, handled, messaging } = await serving(simulation, {}, 'cp', settings)
      await until(simulation, () => handled.length === 4)
      expect(less.facts()).toMatchObject({ shed: 0, refused: 3 })
      await clock.sleep(12_000)
      put(cluster, numbered('more', 10), 'work')
      await clock.sleep(1_000)
      // All but one, which tries.
      expect(handled.length).toBe(13)
      await until(simulation, () => handled.length === 14)
      cluster.faults.clear()
      await clock.sleep(30_000)
      const { refused } = less.facts()
      put(cluster, ['later'], 'work')
      await until(simulation, () => less.facts().shed === 1)
      expect([refused, less.facts().refused]).toEqual([13, 13])
      await messaging.close()
    }))

  it('goes out in the transaction of its offset', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('work.shed')
      const { less, handled, messaging } = await serving(simulation, {}, 'transactional')
      await until(simulation, () => cluster.committed('g').some(({ offset }) => offset === 5))
      expect(handled).toEqual(['keep-0'])
      expect(visibleRecords(cluster, 'work.shed', 0)).toEqual({ visible: ['a', 'b', 'c'], open: 0 })
      expect(less.facts().shed).toBe(3)
      await messaging.close()
    }))
})
