import { describe, expect, it } from 'vitest'
import type { AssignedPartition } from '../../../src/driver/consumer.js'
import { DriverError, StateError } from '../../../src/errors.js'
import { records } from './fake-driver.js'
import { ManualHandler, setUp } from './consumer-setup.js'

async function running(options: Parameters<typeof setUp>[0] = {}) {
  const handler = new ManualHandler()
  const all = setUp({ handle: handler.handle, order: 'none', concurrency: 3, ...options })
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  all.driver.deliver(assigned, records(0, 6))
  await all.clock.advance(0)
  return { ...all, handler, assigned }
}

describe('revoke', () => {
  it('starts nothing new, lets what runs finish, then commits it', async () => {
    const { clock, driver, handler, assigned, drains } = await running()
    const revoked = driver.revoke(assigned, 60_000)
    await clock.advance(100)
    expect(driver.commits).toEqual([])
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(revoked)
    expect(handler.offsets()).toEqual([0, 1, 2])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(drains).toMatchObject([
      {
        reason: 'revoked',
        drained: 3,
        abandoned: 0,
        committed: [{ topic: 't', partition: 0, offset: 3 }],
        possibleDuplicates: [],
        tookMs: 100,
      },
    ])
  })

  it('aborts what does not finish in time, commits what did, and reports the rest as possible duplicates', async () => {
    const { clock, driver, handler, assigned, drains, consumer } = await running({ drainMs: 1_000 })
    const revoked = driver.revoke(assigned, 60_000)
    handler.end(0)
    handler.end(2)
    await clock.runUntil(revoked)
    expect(handler.signals.get(1)?.aborted).toBe(true)
    expect(drains[0]).toMatchObject({
      drained: 2,
      abandoned: 1,
      committed: [{ offset: 1 }],
      possibleDuplicates: [{ topic: 't', partition: 0, from: 1, to: 2 }],
      tookMs: 1_000,
    })
    expect(consumer.assignment()).toEqual([])
  })

  it('ends by the deadline of the driver less the time for a commit, whatever drainMs says', async () => {
    const { clock, driver, assigned, drains } = await running({ drainMs: 100_000 })
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]?.tookMs).toBe(8_000)
  })

  it('ends by the deadline also when the commit gets no answer', async () => {
    const { clock, driver, handler, assigned, drains } = await running()
    driver.commitMs = 3_600_000
    const begun = clock.now()
    const revoked = driver.revoke(assigned, 2_000)
    handler.end(0)
    await clock.runUntil(revoked)
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 0, to: 3 }])
  })

  it('reports what was handled as possible duplicates when its commit stays pending', async () => {
    const { clock, driver, handler, assigned, drains } = await running()
    driver.outcomes.push(...Array.from({ length: 100 }, () => 'pending' as const))
    const revoked = driver.revoke(assigned, 5_000)
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(revoked)
    expect(driver.commits.length).toBeGreaterThan(1)
    expect(drains[0]).toMatchObject({ committed: [], possibleDuplicates: [{ from: 0, to: 3 }] })
  })

  it('refuses and counts what ends after it, also when the partition is ours again', async () => {
    const { clock, driver, handler, assigned, consumer } = await running({ drainMs: 100, commit: 'each' })
    await clock.runUntil(driver.revoke(assigned, 10_000))
    const commits = driver.commits.length
    await driver.assign('t', 0, { committed: { offset: 0, metadata: null } })
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.advance(10_000)
    expect(consumer.facts().late).toBe(3)
    expect(driver.commits.length).toBe(commits)
    expect(consumer.facts().partitions[0]?.settled).toBe(0)
  })

  it('does not take in records of an epoch that is over', async () => {
    const { clock, driver, handler, assigned } = await running({ drainMs: 100 })
    await clock.runUntil(driver.revoke(assigned, 10_000))
    await driver.assign('t', 0)
    driver.deliver(assigned, records(100, 105))
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1, 2])
  })

  it('of an idle, a paused and a stopped partition ends at once', async () => {
    const { clock, driver, consumer, drains } = setUp({
      commit: 'each',
      handle: ({ partition, offset }) => {
        if (partition === 2 && offset === 1) throw new Error('no')
      },
    })
    await consumer.start()
    const assigned = [await driver.assign('t', 0), await driver.assign('t', 1), await driver.assign('t', 2)]
    consumer.pause([{ topic: 't', partition: 1 }])
    for (const one of assigned) driver.deliver(one, records(0, 3))
    await clock.advance(0)
    const begun = clock.now()
    await clock.runUntil(driver.listener.revoked(assigned, begun + 10_000))
    expect(clock.now()).toBe(begun)
    expect(drains[0]).toMatchObject({
      abandoned: 0,
      committed: [
        { partition: 0, offset: 3 },
        { partition: 1, offset: 0 },
        { partition: 2, offset: 1 },
      ],
    })
  })

  it('while the consumer stops is one drain, not two', async () => {
    const { clock, driver, handler, assigned, consumer, drains } = await running()
    const stopped = consumer.stop()
    const revoked = driver.revoke(assigned, 10_000)
    await clock.advance(10)
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(Promise.all([stopped, revoked]))
    expect(drains).toHaveLength(1)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('while the consumer stops ends that drain by its own, earlier deadline, and what is done is committed', async () => {
    const { clock, driver, handler, assigned, consumer, drains } = await running()
    const stopped = consumer.stop({ timeoutMs: 60_000 })
    await clock.advance(1_000)
    handler.end(0)
    const begun = clock.now()
    await clock.runUntil(driver.revoke(assigned, 2_000))
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    expect(clock.now() - begun).toBeGreaterThanOrEqual(1_500)
    expect(handler.signals.get(1)?.aborted).toBe(true)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
    expect(drains).toMatchObject([{ reason: 'stopped', drained: 1, abandoned: 2, committed: [{ offset: 1 }] }])
    await clock.runUntil(stopped)
    expect(drains).toHaveLength(1)
  })

  it('whose partitions are lost while their commit waits for another try ends at once', async () => {
    const { clock, driver, handler, assigned } = await running()
    driver.outcomes.push(...Array.from({ length: 100 }, () => 'pending' as const))
    const revoked = driver.revoke(assigned, 60_000)
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.advance(10_000)
    const begun = clock.now()
    driver.lose(assigned)
    await clock.runUntil(revoked)
    expect(clock.now()).toBe(begun)
  })

  it('that is repeated with an earlier deadline ends by that one', async () => {
    const { clock, driver, assigned, drains } = await running()
    const begun = clock.now()
    const revoked = driver.revoke(assigned, 20_000)
    await clock.advance(1_000)
    const sooner = driver.revoke(assigned, 1_000)
    await clock.runUntil(Promise.all([revoked, sooner]))
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    expect(drains).toHaveLength(1)
  })

  it('that is repeated with a later deadline keeps the first one', async () => {
    const { clock, driver, assigned } = await running()
    const begun = clock.now()
    const revoked = driver.revoke(assigned, 2_000)
    await clock.runUntil(Promise.all([revoked, driver.revoke(assigned, 60_000)]))
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
  })

  it('under way when the consumer must stop sooner ends by the deadline of the stop', async () => {
    const { clock, driver, assigned, consumer, drains } = await running()
    const begun = clock.now()
    const revoked = driver.revoke(assigned, 30_000)
    await clock.advance(1_000)
    await clock.runUntil(consumer.stop({ timeoutMs: 2_000 }))
    await clock.runUntil(revoked)
    expect(clock.now() - begun).toBeLessThanOrEqual(3_000)
    expect(drains).toMatchObject([{ reason: 'revoked', abandoned: 3 }])
  })

  it('leaves no timer behind', async () => {
    const { clock, driver, assigned, handler } = await running({ commit: 'each' })
    const before = clock.pendingTimers
    const revoked = driver.revoke(assigned, 10_000)
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(revoked)
    await clock.advance(0)
    expect(clock.pendingTimers).toBeLessThanOrEqual(before)
  })

  it('a partition assigned again without a revoke counts as lost before', async () => {
    const { driver, handler, drains } = await running()
    await driver.assign('t', 0)
    expect(handler.signals.get(0)?.aborted).toBe(true)
    expect(drains).toMatchObject([{ reason: 'lost', abandoned: 3 }])
  })
})

describe('lost', () => {
  it('aborts at once and commits nothing', async () => {
    const { clock, driver, handler, assigned, drains } = await running({ commit: { everyMs: 1_000 } })
    handler.end(0)
    await clock.advance(0)
    driver.lose(assigned)
    expect(handler.signals.get(1)?.aborted).toBe(true)
    handler.end(1)
    await clock.advance(10_000)
    expect(driver.commits).toEqual([])
    expect(drains).toMatchObject([{ reason: 'lost', abandoned: 3, possibleDuplicates: [{ from: 0, to: 4 }] }])
  })

  it('in the middle of a drain ends it without a commit', async () => {
    const { clock, driver, handler, assigned, drains, consumer } = await running()
    const revoked = driver.revoke(assigned, 60_000)
    handler.end(0)
    await clock.advance(10)
    driver.lose(assigned)
    const begun = clock.now()
    await clock.runUntil(revoked)
    expect(clock.now()).toBe(begun)
    expect(driver.commits).toEqual([])
    expect(drains).toMatchObject([{ reason: 'lost' }])
    expect(consumer.facts().lastDrain?.reason).toBe('lost')
  })
})

describe('a partition that is ours again while handlers of it still run', () => {
  const options = { order: 'key', drainMs: 5_000 } as const
  type Running = Awaited<ReturnType<typeof running>>
  const again = async ({ driver }: Running) => driver.assign('t', 0, { committed: { offset: 0, metadata: null } })

  it.each<[how: string, gone: (all: Running) => Promise<AssignedPartition>]>([
    [
      'it was lost',
      (all) => {
        all.driver.lose(all.assigned)
        return again(all)
      },
    ],
    [
      'its drain ended before they did',
      async (all) => {
        await all.clock.runUntil(all.driver.revoke(all.assigned, 1_000))
        return again(all)
      },
    ],
    ['it was assigned again without a revoke', again],
    ['its log was cut', ({ driver, assigned }) => Promise.resolve(driver.reset(assigned, 0))],
    [
      'it was sought and they had their time',
      async ({ clock, consumer, assigned }) => {
        await clock.runUntil(consumer.seek('t', 0, 0))
        return assigned
      },
    ],
    [
      'it was lost twice',
      async (all) => {
        all.driver.lose(all.assigned)
        const second = await again(all)
        all.driver.deliver(second, records(0, 6))
        await all.clock.advance(10)
        all.driver.lose(second)
        return again(all)
      },
    ],
  ])('begins nothing beside them, and all of it once they have ended: %s', async (_, gone) => {
    const all = await running(options)
    const { clock, driver, handler, consumer } = all
    driver.deliver(await gone(all), records(0, 6))
    await clock.advance(1_000)
    expect(handler.offsets()).toEqual([0, 1, 2])
    expect([...handler.signals.values()].map(({ aborted }) => aborted)).toEqual([true, true, true])
    expect(consumer.facts().partitions).toMatchObject([{ pausedBy: ['former'], waitsFor: 'handler' }])
    for (const offset of [0, 1]) handler.end(offset)
    await clock.advance(1_000)
    expect(handler.offsets(), 'one of them still runs').toEqual([0, 1, 2])
    handler.end(2)
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1, 2, 0, 1, 2])
    expect(consumer.facts().partitions).toMatchObject([{ pausedBy: [], waitsFor: 'handler' }])
  })

  it('waits for them no longer than drainMs since they were told to end', async () => {
    const all = await running({ ...options, concurrency: 12 })
    const { clock, driver, handler, assigned, consumer } = all
    driver.lose(assigned)
    await clock.advance(2_000)
    driver.deliver(await again(all), records(0, 6))
    await clock.advance(2_999)
    expect(handler.offsets()).toHaveLength(6)
    await clock.advance(1)
    expect(handler.offsets()).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
    for (const offset of handler.offsets()) handler.end(offset)
    await clock.runUntil(consumer.stop())
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps no stop waiting, and others are handled meanwhile', async () => {
    const all = await running({ ...options, concurrency: 12 })
    const { clock, driver, handler, assigned, consumer } = all
    driver.lose(assigned)
    driver.deliver(await again(all), records(0, 6))
    driver.deliver(await driver.assign('t', 1), records(0, 1))
    await clock.advance(0)
    expect(handler.offsets('t', 1)).toEqual([0])
    handler.end(0, 't', 1)
    const begun = clock.now()
    await clock.runUntil(consumer.stop())
    expect(clock.now() - begun).toBeLessThan(100)
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
    expect(handler.offsets()).toHaveLength(6)
  })
})

describe('stop', () => {
  it('drains, commits, then leaves', async () => {
    const { clock, driver, handler, consumer, drains } = await running()
    const stopped = consumer.stop({ timeoutMs: 10_000 })
    await clock.advance(10)
    expect(driver.calls).not.toContain('left')
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(stopped)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(driver.calls.at(-1)).toBe('left')
    expect(drains[0]?.reason).toBe('stopped')
    expect(consumer.state).toBe('stopped')
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('is over by its deadline although a handler never ends', async () => {
    const { clock, consumer, handler } = await running()
    const begun = clock.now()
    await clock.runUntil(consumer.stop({ timeoutMs: 3_000 }))
    expect(clock.now() - begun).toBeLessThanOrEqual(3_000)
    expect(handler.signals.get(0)?.aborted).toBe(true)
  })

  it('by force gives up at once without a commit, also while an orderly stop is under way', async () => {
    const { clock, driver, handler, consumer, drains } = await running()
    handler.end(0)
    await clock.advance(0)
    const stopped = consumer.stop()
    await clock.advance(10)
    const begun = clock.now()
    await clock.runUntil(consumer.stop({ force: true }))
    await clock.runUntil(stopped)
    expect(clock.now()).toBe(begun)
    expect(driver.commits).toEqual([])
    expect(drains[0]?.reason).toBe('forced')
    expect(consumer.state).toBe('stopped')
  })

  it('may be asked for in every state, and twice', async () => {
    const idle = setUp()
    await idle.consumer.stop()
    await idle.consumer.stop()
    expect(idle.consumer.state).toBe('stopped')
    const again = idle.consumer.start()
    await expect(again).rejects.toBeInstanceOf(StateError)
    await expect(again).rejects.toThrow(/that is stopped; what has ended is not started again: make a new one/)

    const { clock, consumer, driver } = setUp()
    await consumer.start()
    await clock.runUntil(Promise.all([consumer.stop(), consumer.stop()]))
    expect(driver.calls.filter((call) => call === 'stop')).toHaveLength(1)
  })
})

describe('a consumer that cannot go on', () => {
  it('that cannot start says so, and frees what it took', async () => {
    const { clock, consumer, driver, failures } = setUp()
    driver.startError = new DriverError('no-broker', 'no broker answered')
    await expect(consumer.start()).rejects.toMatchObject({ code: 'no-broker' })
    // Whoever started it is told, and nobody else.
    expect([failures, consumer.state, consumer.facts().error?.code]).toEqual([[], 'idle', 'no-broker'])
    expect(driver.calls).toContain('stop')
    await clock.runUntil(consumer.stop())
    expect(consumer.state).toBe('stopped')
  })

  it('has not started when it failed while its driver had just started', async () => {
    const { clock, consumer, driver, failures } = setUp()
    driver.start = () => {
      driver.listener.failed(new DriverError('not-authorised', 'no'))
      return Promise.resolve()
    }
    const started = expect(clock.runUntil(consumer.start())).rejects.toMatchObject({ code: 'not-authorised' })
    await started
    expect([consumer.state, failures]).toEqual(['idle', []])
    expect(driver.calls).toContain('stop')
  })

  it('finishes what runs, commits and leaves when the driver gives up', async () => {
    const { clock, driver, handler, consumer, failures } = await running()
    driver.listener.failed(new DriverError('not-authorised', 'no'))
    for (const offset of [0, 1, 2]) handler.end(offset)
    await clock.runUntil(() => driver.calls.includes('stop'))
    expect(failures).toHaveLength(1)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    expect(consumer.facts()).toMatchObject({ state: 'failed', error: { code: 'not-authorised' } })
  })

  it('stops one partition alone when the driver cannot read it', async () => {
    const { driver, consumer, stopped } = await running()
    const idle = await driver.assign('t', 1)
    driver.listener.partitionFailed(idle, new DriverError('offset-out-of-range', 'gone'))
    expect(stopped).toMatchObject([{ partition: 1, error: { code: 'offset-out-of-range' } }])
    expect(consumer.facts().partitions.map(({ state }) => state)).toEqual(['active', 'stopped'])
  })
})
