import { describe, expect, it } from 'vitest'
import { ManualHandler, setUp, watched, type Options } from './consumer-setup.js'
import { records } from './fake-driver.js'

async function running(options: Options = {}) {
  const handler = new ManualHandler()
  const all = setUp({ handle: handler.handle, order: 'none', commit: { everyMs: 3_600_000 }, ...options })
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(assigned, records(0, 6))
  await all.clock.advance(0)
  return { ...all, handler, assigned }
}

describe('consumer.commit()', () => {
  it('resolves when the broker has confirmed what was settled at the call, and not before', async () => {
    const { clock, driver, consumer, handler } = await running()
    driver.commitMs = 500
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.advance(0)
    const commit = watched(consumer.commit())
    await clock.advance(499)
    expect(commit.end).toBe('open')
    await clock.advance(30)
    expect(commit.end).toBe('resolved')
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('does not take the answer to a commit that was out before for its own', async () => {
    const { clock, driver, consumer, handler } = await running()
    driver.commitMs = 500
    handler.end(0)
    await clock.advance(0)
    const first = watched(consumer.commit())
    await clock.advance(100)
    handler.end(1)
    await clock.advance(0)
    const second = watched(consumer.commit())
    await clock.advance(450)
    expect([first.end, second.end]).toEqual(['resolved', 'open'])
    await clock.advance(600)
    expect(second.end).toBe('resolved')
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('does not wait for what is settled after the call, however much that is', async () => {
    const { clock, driver, consumer, handler } = await running()
    driver.commitMs = 50
    handler.end(0)
    await clock.advance(0)
    const commit = watched(consumer.commit())
    for (let offset = 1; offset < 6; offset += 1) {
      handler.end(offset)
      await clock.advance(20)
    }
    expect(commit.end).toBe('resolved')
  })

  it('resolves at once when everything settled is confirmed already', async () => {
    const { clock, driver, consumer, handler } = await running()
    handler.end(0)
    await clock.advance(0)
    await clock.runUntil(consumer.commit())
    const before = driver.commits.length
    await clock.runUntil(consumer.commit())
    expect(driver.commits.length).toBe(before)
  })

  it('rejects when the partition is lost meanwhile, and says what is committed', async () => {
    const { clock, driver, consumer, handler, assigned } = await running()
    handler.end(0)
    await clock.advance(0)
    await clock.runUntil(consumer.commit())
    driver.commitMs = 3_600_000
    handler.end(1)
    await clock.advance(0)
    const commit = watched(consumer.commit())
    await clock.advance(100)
    driver.lose(assigned)
    await clock.advance(0)
    expect(commit.end).toMatchObject({ code: 'partition-gone', topic: 't', partition: 0, offset: 1 })
  })

  it('rejects when the group answers that the partition has another owner', async () => {
    const { clock, driver, consumer, handler } = await running()
    handler.end(0)
    await clock.advance(0)
    driver.outcomes.push('lost')
    const commit = watched(consumer.commit())
    await clock.advance(100)
    expect(commit.end).toMatchObject({ code: 'partition-gone' })
  })

  it('resolves when a drain that began meanwhile has committed it', async () => {
    const { clock, driver, consumer, handler, assigned } = await running({ drainMs: 1_000 })
    driver.outcomes.push('pending')
    handler.end(0)
    await clock.advance(0)
    const commit = watched(consumer.commit())
    await clock.advance(10)
    await clock.runUntil(driver.revoke(assigned, 20_000))
    expect(commit.end).toBe('resolved')
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('tries again what is pending, rejects at its time limit, and what was settled is committed all the same', async () => {
    const { clock, driver, consumer, handler } = await running()
    driver.outcomes.push(...Array.from({ length: 4 }, () => 'pending' as const))
    handler.end(0)
    await clock.advance(0)
    const commit = watched(consumer.commit({ timeoutMs: 500 }))
    await clock.advance(499)
    expect(commit.end).toBe('open')
    await clock.advance(1)
    expect(commit.end).toMatchObject({ code: 'commit-timeout', retriable: true })
    await clock.advance(20_000)
    expect(consumer.facts().partitions[0]?.committed).toBe(1)
  })

  it('waits until no handler of the partition needs to end: inside a handler it covers what was settled before', async () => {
    const ends: string[] = []
    const { clock, driver, consumer } = setUp({
      commit: { everyMs: 3_600_000 },
      handle: async ({ offset }) => {
        await consumer.commit()
        ends.push(`${offset}: ${driver.committed('t', 0)?.nextOffset}`)
      },
    })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(200)
    expect(ends).toEqual(['0: 0', '1: 1', '2: 2'])
  })

  it('is refused before the start, after the end, and without a group', async () => {
    const { clock, consumer } = setUp()
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'wrong-state' })
    await consumer.start()
    await clock.runUntil(consumer.stop())
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'wrong-state' })
    await expect(setUp({ group: null }).consumer.commit()).rejects.toMatchObject({ code: 'no-group' })
    await expect(consumer.commit({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'invalid-config' })
  })

  it('rejects when the consumer is stopped by force', async () => {
    const { clock, driver, consumer, handler } = await running()
    driver.commitMs = 3_600_000
    handler.end(0)
    await clock.advance(0)
    const commit = watched(consumer.commit())
    await clock.advance(10)
    void consumer.stop({ force: true, timeoutMs: 0 })
    await clock.advance(0)
    expect(commit.end).toMatchObject({ code: 'partition-gone' })
  })
})

describe("commit: 'confirmed'", () => {
  const confirmed: Options = { commit: 'confirmed', order: 'partition' }

  it('starts the next record of a partition when the commit of the one before it is confirmed', async () => {
    const { clock, driver, handler } = await running(confirmed)
    driver.commitMs = 300
    const seen: number[][] = []
    for (const offset of [0, 1, 2]) {
      handler.end(offset)
      await clock.advance(299)
      seen.push(handler.offsets())
      await clock.advance(1)
      expect(driver.committed('t', 0)?.nextOffset).toBe(offset + 1)
      await clock.advance(1)
    }
    expect(seen).toEqual([[0], [0, 1], [0, 1, 2]])
  })

  it('holds also where handlers end at once, and for batches', async () => {
    for (const handling of [{ handle: () => undefined }, { handleBatch: () => undefined, batchMessages: 2 }]) {
      const { clock, driver, consumer } = setUp({ ...confirmed, ...handling })
      driver.commitMs = 100
      await consumer.start()
      driver.deliver(await driver.assign('t', 0), records(0, 4))
      await clock.advance(1_000)
      const size = 'handle' in handling ? 1 : 2
      const expected = Array.from({ length: 4 / size }, (_, index) => (index + 1) * size)
      expect(driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)).toEqual(expected)
    }
  })

  it('holds up no other partition', async () => {
    const { clock, driver, handler } = await running(confirmed)
    const other = await driver.assign('t', 1)
    driver.commitMs = 3_600_000
    handler.end(0)
    await clock.advance(10)
    driver.deliver(other, records(0, 2))
    await clock.advance(10)
    expect(handler.offsets('t', 1)).toEqual([0])
    expect(handler.offsets('t', 0)).toEqual([0])
  })

  it('is visible while it waits, in facts and in what a stall waits for', async () => {
    const { clock, driver, consumer, handler } = await running(confirmed)
    driver.outcomes.push(...Array.from({ length: 20 }, () => 'pending' as const))
    handler.end(0)
    await clock.advance(10_000)
    expect(handler.offsets()).toEqual([0])
    expect(consumer.facts().partitions[0]).toMatchObject({ pausedBy: ['commit'], waitsFor: 'commit' })
    await clock.advance(120_000)
    expect(handler.offsets()).toEqual([0, 1])
    expect(consumer.facts().partitions[0]?.pausedBy).toEqual([])
  })

  it('waits for no commit of a partition that the cluster does not have any more, and again when it has it', async () => {
    const { clock, driver, consumer, handler } = await running(confirmed)
    driver.outcomes.push('no-partition', 'no-partition', 'pending')
    const commit = watched(consumer.commit())
    for (const offset of [0, 1]) {
      handler.end(offset)
      await clock.advance(10)
    }
    expect(handler.offsets()).toEqual([0, 1, 2])
    const later = watched(consumer.commit())
    await clock.advance(1_000)
    expect([commit.end, later.end]).toEqual(['resolved', 'resolved'])
    driver.outcomes.push('pending')
    handler.end(2)
    await clock.advance(20)
    expect(handler.offsets()).toEqual([0, 1, 2])
    await clock.advance(5_000)
    expect(handler.offsets()).toEqual([0, 1, 2, 3])
  })

  it('does not hold up a revoke: what is settled is committed by the drain', async () => {
    const { clock, driver, handler, assigned, drains } = await running(confirmed)
    driver.outcomes.push('pending')
    handler.end(0)
    await clock.advance(10)
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(drains[0]).toMatchObject({ abandoned: 0, committed: [{ offset: 1 }], possibleDuplicates: [] })
    expect(drains[0]?.tookMs).toBeLessThan(1_000)
  })

  it('needs a group, and records of a partition in their order', () => {
    expect(() => setUp({ commit: 'confirmed', order: 'key' })).toThrow(/order/)
    expect(() => setUp({ commit: 'confirmed', group: null })).toThrow(/without one nothing can be confirmed/)
  })
})
