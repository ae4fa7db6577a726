import { describe, expect, it } from 'vitest'
import { ManualHandler, setUp } from '../consumer-setup.js'
import { records, type FakeDriver } from '../fake-driver.js'

const minuteMs = 60_000

function nextGeneration(driver: FakeDriver): void {
  const facts = driver.facts()
  driver.facts = () => ({ ...facts, generationId: facts.generationId + 1 })
}

/** Three records were handled, and the commit of them got no answer. */
async function inDoubt(options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp({ commit: 'each', ...options })
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0, { committed: { offset: 10, metadata: null } })
  all.driver.outcomes.push('in-doubt')
  all.driver.deliver(assigned, records(10, 13))
  await all.clock.advance(0)
  return { ...all, assigned }
}

describe('a commit without an answer', () => {
  it('is tried again, and what is handled meanwhile goes with it', async () => {
    const { clock, driver, assigned, consumer } = await inDoubt()
    driver.deliver(assigned, records(13, 15))
    await clock.advance(200)
    expect(driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)).toEqual([13, 15])
    expect(consumer.facts().commits).toMatchObject({ 'in-doubt': 1, committed: 1 })
  })

  it('may land after a newer one, so the report begins at it although the newer one was answered', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]).toMatchObject({
      committed: [{ offset: 20 }],
      possibleDuplicates: [{ topic: 't', partition: 0, from: 13, to: 20 }],
    })
  })

  it('is the lowest of several that the report begins at', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    driver.outcomes.push('in-doubt', 'in-doubt')
    driver.deliver(assigned, records(13, 16))
    await clock.advance(3_000)
    driver.deliver(assigned, records(16, 20))
    await clock.advance(3_000)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 13, to: 20 }])
  })

  it('takes its finished ranges along: what it says is done is not reported', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, drains } = setUp({ commit: 'each', order: 'none', handle: handler.handle })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 0, metadata: null } })
    driver.deliver(assigned, records(0, 4))
    await clock.advance(0)
    driver.outcomes.push('in-doubt')
    handler.end(2)
    await clock.advance(1_000)
    for (const offset of [0, 1, 3]) handler.end(offset)
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([
      { topic: 't', partition: 0, from: 0, to: 2 },
      { topic: 't', partition: 0, from: 3, to: 4 },
    ])
  })

  it('is reported when the partition is lost, too', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    driver.lose(assigned)
    expect(drains[0]).toMatchObject({ reason: 'lost', possibleDuplicates: [{ from: 13, to: 20 }] })
  })

  it('is overwritten now and then although nothing is new, so that the group does not stay behind', async () => {
    const { clock, driver } = await inDoubt()
    await clock.advance(10 * minuteMs)
    const sent = driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)
    expect(new Set(sent)).toEqual(new Set([13]))
    const times = driver.commits.map(({ at }) => at - (driver.commits[0]?.at ?? 0))
    expect(times.filter((at) => at <= 5_000).length).toBeGreaterThanOrEqual(3)
    expect(times.length).toBeGreaterThanOrEqual(10)
    expect(times.length).toBeLessThan(40)
  })

  it('is overwritten once more at the end of the drain', async () => {
    const { clock, driver, assigned } = await inDoubt()
    await clock.advance(200)
    const before = driver.commits.length
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(driver.commits.length).toBe(before + 1)
  })

  it('is forgotten when it is so old that it cannot land any more, and no sooner', async () => {
    for (const [waitMs, possibleDuplicates] of [
      [14 * minuteMs, [{ topic: 't', partition: 0, from: 13, to: 20 }]],
      [17 * minuteMs, []],
    ] as const) {
      const { clock, driver, assigned, drains } = await inDoubt()
      driver.deliver(assigned, records(13, 20))
      await clock.advance(waitMs)
      await clock.runUntil(driver.revoke(assigned, 10_000))
      expect(drains[0]?.possibleDuplicates).toEqual(possibleDuplicates)
    }
  })

  it('when it is forgotten is not repeated any more', async () => {
    const { clock, driver } = await inDoubt()
    await clock.advance(17 * minuteMs)
    const sent = driver.commits.length
    await clock.advance(60 * minuteMs)
    expect(driver.commits.length).toBe(sent)
  })

  it('counts for the assignment after a seek, which is of the same generation', async () => {
    const { clock, driver, consumer, drains } = await inDoubt()
    await clock.runUntil(consumer.seek('t', 0, 11))
    const [assigned] = driver.assignment()
    driver.deliver(assigned!, records(11, 20))
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(assigned!, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 13, to: 20 }])
  })

  it('ends with its generation: the group refuses it from then on', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    await clock.runUntil(driver.revoke(assigned, 10_000))
    nextGeneration(driver)
    const again = await driver.assign('t', 0, { committed: { offset: 13, metadata: null } })
    const sent = driver.commits.length
    await clock.advance(minuteMs)
    expect(driver.commits.length).toBe(sent)
    driver.deliver(again, records(13, 20))
    await clock.advance(0)
    await clock.runUntil(driver.revoke(again, 10_000))
    expect(drains[1]?.possibleDuplicates).toEqual([])
  })

  it('of a partition that is kept through a rebalance counts in the generation it was sent in, after a seek too', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 9, metadata: null } })
    driver.deliver(assigned, records(9, 10))
    await clock.advance(0)
    nextGeneration(driver)
    driver.outcomes.push('in-doubt')
    driver.deliver(assigned, records(10, 13))
    await clock.advance(0)
    await clock.runUntil(consumer.seek('t', 0, 11))
    driver.deliver(driver.assignment()[0]!, records(11, 20))
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(driver.assignment()[0]!, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 13, to: 20 }])
  })

  it('of a partition that is kept through a rebalance ends once the later generation has taken a commit', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    nextGeneration(driver)
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]).toMatchObject({ committed: [{ offset: 20 }], possibleDuplicates: [] })
  })

  it('of a partition that is started again counts on, also where another generation has begun', async () => {
    const { clock, driver, assigned, consumer, drains } = await inDoubt()
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    nextGeneration(driver)
    await clock.runUntil(consumer.restart('t', 0))
    driver.lose(driver.assignment()[0]!)
    expect(drains[0]).toMatchObject({ committed: [{ offset: 20 }], possibleDuplicates: [{ from: 13, to: 20 }] })
  })

  it('while it is not known in which generation it was sent is ended by none', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    const facts = driver.facts()
    driver.facts = () => ({ ...facts, generationId: -1 })
    driver.outcomes.push('in-doubt')
    driver.deliver(assigned, records(13, 15))
    await clock.advance(200)
    driver.facts = () => facts
    driver.deliver(assigned, records(15, 20))
    await clock.advance(5_000)
    expect(driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)).toEqual(expect.arrayContaining([13, 15, 20]))
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 13, to: 20 }])
  })

  it('of an assignment that is reported only after the next generation began is reported all the same', async () => {
    const { clock, driver, assigned, drains } = await inDoubt()
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    nextGeneration(driver)
    driver.lose(assigned)
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 13, to: 20 }])
  })

  it('leaves no timer behind', async () => {
    const { clock, consumer } = await inDoubt()
    await clock.advance(2_000)
    await clock.runUntil(consumer.stop())
    expect(clock.pendingTimers).toBe(0)
  })

  it('counts while it is out: a drain that cannot wait for it takes neither outcome for granted', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, drains } = setUp({ commit: 'each', order: 'none', handle: handler.handle })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 0, metadata: null } })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    handler.end(2)
    await clock.advance(0)
    // The next one has no room for what the one before could say.
    driver.outcomes.push('metadata-too-large')
    handler.end(0)
    await clock.advance(0)
    driver.commitMs = 3_600_000
    handler.end(1)
    await clock.advance(0)
    await clock.runUntil(driver.revoke(assigned, 1_000))
    expect(driver.committed('t', 0)).toMatchObject({ nextOffset: 3 })
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 1, to: 3 }])
  })
})

describe('a commit that was refused', () => {
  it('cannot land later: once a newer one is answered nothing is reported', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 10, metadata: null } })
    driver.outcomes.push('pending')
    driver.deliver(assigned, records(10, 13))
    await clock.advance(0)
    driver.deliver(assigned, records(13, 20))
    await clock.advance(1_000)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]?.possibleDuplicates).toEqual([])
  })

  it('although it was bare is not tried again at once, but with backoff', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    await consumer.start()
    driver.outcomes.push('metadata-too-large', 'metadata-too-large')
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(10_000)
    const [first, second, third, ...more] = driver.commits.map(({ at }) => at)
    expect(more).toEqual([])
    expect([second! - first! >= 50, third! - second! >= 50]).toEqual([true, true])
  })
})

describe('a commit for a partition that is gone from the cluster', () => {
  it('does not hold up the drain', async () => {
    const { clock, driver, consumer, drains } = setUp()
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.outcomes.push(...Array.from({ length: 100 }, () => 'no-partition' as const))
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    const begun = clock.now()
    await clock.runUntil(consumer.stop())
    expect(clock.now() - begun).toBe(0)
    expect(driver.commits.length).toBe(1)
    expect(drains[0]).toMatchObject({ committed: [], possibleDuplicates: [{ from: 0, to: 3 }] })
  })

  it('does not keep the drain from trying the others again', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    const [gone, pending] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.outcomes.push('no-partition', 'pending', 'no-partition', 'committed')
    for (const one of [gone, pending]) driver.deliver(one, records(0, 3))
    await clock.advance(0)
    await clock.runUntil(consumer.stop())
    expect(driver.commits.length).toBe(2)
    expect(driver.committed('t', 1)?.nextOffset).toBe(3)
  })

  it('is tried again with backoff while the partition is ours: it may only be new to the coordinator', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    await consumer.start()
    driver.outcomes.push('no-partition', 'no-partition')
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(10_000)
    expect(driver.commits.length).toBe(3)
    expect(consumer.facts().commits).toMatchObject({ 'no-partition': 2, committed: 1 })
  })
})

describe('a position that was reset because the committed offset lay outside the log', () => {
  it('is on record at once: by the next start the log may have grown past the committed offset', async () => {
    const { clock, driver, consumer } = setUp({ handle: new ManualHandler().handle })
    await consumer.start()
    driver.reset(await driver.assign('t', 0, { committed: { offset: 5_000, metadata: null } }), 0)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(0)
  })

  it('is where commits go on from, below the old offset', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    await consumer.start()
    const former = await driver.assign('t', 0, { committed: { offset: 5_000, metadata: null } })
    const assigned = driver.reset(former, 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('is reported from when nothing could be committed', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: 'each' })
    await consumer.start()
    driver.outcomes.push(...Array.from({ length: 100 }, () => 'pending' as const))
    const former = await driver.assign('t', 0, { committed: { offset: 5_000, metadata: null } })
    const assigned = driver.reset(former, 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(0)
    driver.lose(assigned)
    expect(drains.map(({ reason }) => reason)).toEqual(['reset', 'lost'])
    expect(drains[1]).toMatchObject({ committed: [], possibleDuplicates: [{ from: 0, to: 3 }] })
  })
})
