import { describe, expect, it } from 'vitest'
import { profiles } from 'tidemark'
import { CommitPace } from '../../../../src/consumer/settling/commit-pace.js'
import { setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'
import { t, world } from '../whole-world.js'

describe('the pace of commits', () => {
  it.each([
    [1, 100],
    [50, 100],
    [51, 102],
    [500, 1_000],
    [2_500, 5_000],
    [100_000, 5_000],
  ])('stretches with the partitions under closely: %i partitions, %i ms', (partitions, windowMs) => {
    const pace = new CommitPace('closely')
    expect(pace.delayMs(0)).toBe(0)
    pace.sent(partitions, 1_000)
    expect(pace.windowMs).toBe(windowMs)
    expect(pace.delayMs(1_000)).toBe(windowMs)
    expect(pace.delayMs(1_000 + windowMs)).toBe(0)
    expect(pace.delayMs(1_000_000)).toBe(0)
  })

  it('is the time that was asked for under a policy of time', () => {
    const pace = new CommitPace({ everyMs: 1_234, everyMessages: 10 })
    pace.sent(10_000, 0)
    expect([pace.windowMs, pace.delayMs(500)]).toEqual([1_234, 1_234])
    expect(new CommitPace('each').delayMs(0)).toBe(0)
  })
})

describe("a consumer that commits 'closely'", () => {
  /** One record of each partition every 10 ms. */
  async function busy(partitions: number, commitMs = 0) {
    const all = setUp({ commit: 'closely', handle: () => undefined })
    const { clock, driver, consumer } = all
    await consumer.start()
    driver.commitMs = commitMs
    const assigned = []
    for (let partition = 0; partition < partitions; partition++) assigned.push(await driver.assign('t', partition))
    let worstMs = 0
    const settledAt: number[] = []
    for (let offset = 0; offset < 200; offset++) {
      for (const one of assigned) driver.deliver(one, records(offset, offset + 1))
      await clock.advance(10)
      settledAt.push(clock.now())
      const committed = driver.committed('t', 0)?.nextOffset ?? 0
      if (committed <= offset) worstMs = Math.max(worstMs, clock.now() - (settledAt[committed] ?? clock.now()))
    }
    return { ...all, worstMs }
  }

  it('commits at once after a rest, then at most every 100 ms while there is news', async () => {
    const { driver, worstMs, consumer } = await busy(3)
    expect(driver.commits.length).toBeGreaterThanOrEqual(19)
    expect(driver.commits.length).toBeLessThanOrEqual(21)
    const [first, second] = driver.commits
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBe(100)
    expect(worstMs).toBeLessThanOrEqual(110)
    expect(consumer.facts().commitWindowMs).toBe(100)
  })

  it('commits at most 500 offsets a second', async () => {
    const { driver, consumer } = await busy(200)
    const offsets = driver.commits.reduce((sum, commit) => sum + commit.offsets.length, 0)
    expect(offsets).toBeLessThanOrEqual(2 * 500 + 200)
    expect(consumer.facts().commitWindowMs).toBe(400)
  })

  it('goes on as soon as the last commit was answered where that takes longer, one at a time', async () => {
    const { driver } = await busy(1, 300)
    const gaps = driver.commits.slice(1).map(({ at }, index) => at - (driver.commits[index]?.at ?? 0))
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(300)
      expect(gap).toBeLessThanOrEqual(310)
    }
  })

  it('commits nothing while there is no news', async () => {
    const { clock, driver } = await busy(1)
    await clock.advance(200)
    const commits = driver.commits.length
    await clock.advance(60_000)
    expect(driver.commits.length).toBe(commits)
    expect(driver.committed('t', 0)?.nextOffset).toBe(200)
  })

  it('is what cp does and ap does not', async () => {
    expect([profiles.cp.consumer.commitEveryMs, profiles.ap.consumer.commitEveryMs]).toEqual(['closely', 5_000])
    for (const [profile, isClose] of [
      ['cp', true],
      ['ap', false],
    ] as const) {
      const { clock, open, append, committed } = world()
      append(0, 10)
      const messaging = open({ profile })
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      await clock.runUntil(consumer.start())
      await clock.advance(1_000)
      expect(committed('g')).toBe(isClose ? 11 : undefined)
      expect(consumer.facts().commitWindowMs).toBe(isClose ? 100 : 5_000)
      await clock.runUntil(messaging.close())
    }
  })
})
