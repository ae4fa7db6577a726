import { describe, expect, it } from 'vitest'
import { StateError } from '../../../src/errors.js'
import type { Message } from '../../../src/message/message.js'
import { deferred } from '../../../src/runtime/deferred.js'
import { records } from './fake-driver.js'
import { ManualHandler, setUp } from './consumer-setup.js'

const marks = { highMark: { records: 20 }, lowMark: { records: 10 } }

describe('back-pressure', () => {
  it('pauses a partition over its share of the high mark and resumes it at the low mark', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, ...marks })
    await consumer.start()
    const [one] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 10))
    expect(driver.calls).toEqual([])
    driver.deliver(one, records(10, 12))
    expect(driver.calls).toEqual(['pause t-0'])
    await clock.advance(0)
    for (let offset = 0; offset < 7; offset++) {
      expect(driver.calls).toEqual(['pause t-0'])
      handler.end(offset)
      await clock.advance(0)
    }
    expect(driver.calls).toEqual(['pause t-0', 'resume t-0'])
  })

  it('counts bytes as well', async () => {
    const { driver, consumer } = setUp({
      handle: new ManualHandler().handle,
      highMark: { bytes: 500 },
      lowMark: { bytes: 100 },
    })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 5))
    expect(driver.calls).toEqual([])
    driver.deliver(assigned, records(5, 6))
    expect(driver.calls).toEqual(['pause t-0'])
  })

  it('a stalled partition is paused alone; the others go on at full speed', async () => {
    let handled = 0
    const { clock, driver, consumer } = setUp({
      ...marks,
      handle: ({ partition }) => {
        if (partition === 0) return new Promise<void>(() => undefined)
        handled += 1
        return undefined
      },
    })
    await consumer.start()
    const [one, two] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 15))
    for (let at = 0; at < 60_000; at += 1_000) {
      driver.deliver(two, records(at, at + 10))
      await clock.advance(1_000)
    }
    expect(driver.calls).toEqual(['pause t-0'])
    expect(handled).toBe(600)
    const [stalled, fine] = consumer.facts().partitions
    expect(stalled).toMatchObject({ unsettled: 15, stalledMs: 60_000, running: 1, pausedBy: ['marks'] })
    expect(fine).toMatchObject({ unsettled: 0, stalledMs: 0 })
  })
})

describe('pause and resume', () => {
  it('start no handler and fetch nothing in between', async () => {
    const handled: number[] = []
    const { clock, driver, consumer } = setUp({ handle: ({ offset }) => void handled.push(offset) })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 2))
    consumer.pause()
    consumer.pause()
    await clock.advance(100)
    expect(handled).toEqual([])
    consumer.resume()
    await clock.advance(0)
    expect(handled).toEqual([0, 1])
    expect(driver.calls).toEqual(['pause t-0', 'resume t-0'])
  })

  it('hold over rebalances, and for what is not ours yet', async () => {
    const handled: string[] = []
    const handle = ({ partition, offset }: Message) => void handled.push(`${partition}@${offset}`)
    const { clock, driver, consumer } = setUp({ handle })
    await consumer.start()
    const first = await driver.assign('t', 0)
    consumer.pause([
      { topic: 't', partition: 0 },
      { topic: 't', partition: 2 },
    ])
    await clock.runUntil(driver.revoke(first, 10_000))
    for (const partition of [0, 1, 2]) driver.deliver(await driver.assign('t', partition), records(0, 1))
    await clock.advance(100)
    expect(handled).toEqual(['1@0'])
    expect(consumer.facts().partitions.map(({ pausedBy }) => pausedBy)).toEqual([['user'], [], ['user']])
    consumer.resume([{ topic: 't', partition: 2 }])
    await clock.advance(0)
    expect(handled).toEqual(['1@0', '2@0'])
  })

  it('take whole topics, and the last word counts for each partition', async () => {
    const handled: string[] = []
    const handle = ({ topic, partition }: Message) => void handled.push(`${topic}-${partition}`)
    const { clock, driver, consumer } = setUp({ handle })
    consumer.pause()
    await consumer.start()
    consumer.resume([{ topic: 't', partition: 1 }, { topic: 'u' }])
    consumer.pause([{ topic: 'u', partition: 0 }])
    for (const topic of ['t', 'u'])
      for (const partition of [0, 1]) driver.deliver(await driver.assign(topic, partition), records(0, 1))
    await clock.advance(100)
    expect(handled).toEqual(['t-1', 'u-1'])
    consumer.resume([{ topic: 't' }])
    await clock.advance(0)
    expect(handled).toEqual(['t-1', 'u-1', 't-0'])
    consumer.resume()
    await clock.advance(0)
    expect(handled).toEqual(['t-1', 'u-1', 't-0', 'u-0'])
  })
})

describe('seek', () => {
  it('drops what waits, lets what runs end, and starts anew; the old result counts no more', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 50, metadata: null } })
    driver.deliver(assigned, records(50, 60))
    await clock.advance(0)
    const sought = consumer.seek('t', 0, 10)
    await clock.advance(10)
    expect(driver.calls).toEqual(['pause t-0'])
    handler.end(50)
    await clock.runUntil(sought)
    expect(driver.calls).toEqual(['pause t-0', 'seek t-0 10', 'resume t-0'])
    expect(consumer.position('t', 0)).toBe(10)
    driver.deliver(assigned, records(10, 12))
    await clock.advance(0)
    handler.end(10)
    await clock.advance(0)
    expect(handler.offsets()).toEqual([50, 10, 11])
    expect(driver.committed('t', 0)?.nextOffset).toBe(11)
  })

  it('tells handlers that do not end in time that their result counts no more', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, drainMs: 1_000 })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    await clock.advance(0)
    const sought = consumer.seek('t', 0, 10)
    await clock.advance(500)
    expect(handler.signals.get(0)?.aborted).toBe(false)
    await clock.runUntil(sought)
    expect(handler.signals.get(0)?.aborted).toBe(true)
  })

  it('that was not committed leaves what was handled before it among the possible duplicates', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: { everyMs: 60_000 } })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 50, metadata: null } })
    driver.deliver(assigned, records(50, 60))
    await clock.advance(0)
    await clock.runUntil(consumer.seek('t', 0, 70))
    driver.lose(assigned)
    expect(drains[0]?.possibleDuplicates).toEqual([{ topic: 't', partition: 0, from: 50, to: 60 }])
  })

  it('is committed also when nothing is read after it', async () => {
    const { clock, driver, consumer } = setUp({ commit: { everyMs: 1_000 } })
    await consumer.start()
    await driver.assign('t', 0, { committed: { offset: 50, metadata: null } })
    await clock.runUntil(consumer.seek('t', 0, 70))
    await clock.advance(1_100)
    expect(driver.committed('t', 0)?.nextOffset).toBe(70)
    await clock.runUntil(consumer.seek('t', 0, 20))
    await clock.advance(1_100)
    expect(driver.committed('t', 0)?.nextOffset).toBe(20)
  })

  it('that was committed leaves no possible duplicates', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: { everyMs: 1_000 } })
    await consumer.start()
    const assigned = await driver.assign('t', 0, { committed: { offset: 50, metadata: null } })
    driver.deliver(assigned, records(50, 60))
    await clock.advance(0)
    await clock.runUntil(consumer.seek('t', 0, 70))
    driver.deliver(assigned, records(70, 71))
    await clock.advance(5_000)
    expect(driver.committed('t', 0)?.nextOffset).toBe(71)
    driver.lose(assigned)
    expect(drains[0]?.possibleDuplicates).toEqual([])
  })

  it('by time asks for the offset', async () => {
    const { clock, driver, consumer } = setUp({}, { offsetAt: (_, timestamp) => Promise.resolve(timestamp / 1000) })
    await consumer.start()
    await driver.assign('t', 0)
    await clock.runUntil(consumer.seek('t', 0, { timestamp: 77_000 }))
    expect(driver.calls).toContain('seek t-0 77')
  })

  it.each(['a time', 'an offset', 'a time that is refused'] as const)(
    'goes where the last call says, %s, though an earlier one knows its offset later',
    async (kind) => {
      const early = deferred<number>()
      const offsetAt = (_: unknown, timestamp: number) => {
        if (timestamp === 1) return early.promise
        return timestamp === 2 ? Promise.resolve(70) : Promise.reject(new StateError('closed', 'no answer'))
      }
      const { clock, driver, consumer } = setUp({}, { offsetAt })
      await consumer.start()
      await driver.assign('t', 0)
      const ends: string[] = []
      const note = (name: string, seek: Promise<void>) =>
        seek.then(
          () => ends.push(name),
          (error: unknown) => ends.push(`${name} ${String((error as StateError).code)}`),
        )
      void note('first', consumer.seek('t', 0, { timestamp: 1 }))
      const last = { 'a time': { timestamp: 2 }, 'an offset': 70, 'a time that is refused': { timestamp: 3 } }[kind]
      void note('last', consumer.seek('t', 0, last))
      await clock.advance(10)
      early.resolve(5)
      await clock.advance(10)
      const isRefused = kind === 'a time that is refused'
      expect(driver.calls.filter((call) => call.startsWith('seek'))).toEqual(isRefused ? [] : ['seek t-0 70'])
      expect(ends.sort()).toEqual(isRefused ? ['first closed', 'last closed'] : ['first', 'last'])
    },
  )

  it('keeps a pause of the user', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    await driver.assign('t', 0)
    consumer.pause()
    await clock.runUntil(consumer.seek('t', 0, 5))
    expect(driver.calls).toEqual(['pause t-0', 'pause t-0', 'seek t-0 5'])
    consumer.resume()
    expect(driver.calls.at(-1)).toBe('resume t-0')
  })

  it('says so when the partition is taken away meanwhile', async () => {
    const { clock, driver, consumer } = setUp({ handle: new ManualHandler().handle })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 2))
    await clock.advance(0)
    const sought = consumer.seek('t', 0, 5)
    driver.lose(assigned)
    await expect(sought).rejects.toBeInstanceOf(StateError)
    expect(driver.calls.filter((call) => call.startsWith('seek'))).toEqual([])
  })

  it('refuses what is no offset', async () => {
    const { driver, consumer } = setUp()
    await consumer.start()
    await driver.assign('t', 0)
    await expect(consumer.seek('t', 0, -1)).rejects.toMatchObject({ code: 'invalid-config' })
  })
})
