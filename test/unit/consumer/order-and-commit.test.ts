import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/message/message.js'
import { record, records } from './fake-driver.js'
import { ManualHandler, setUp } from './consumer-setup.js'

describe('order', () => {
  it('by partition: starts a record when the one before it has ended, partitions side by side', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle })
    await consumer.start()
    const [one, two] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, records(0, 3))
    driver.deliver(two, records(0, 3))
    await clock.advance(0)
    expect([handler.offsets('t', 0), handler.offsets('t', 1)]).toEqual([[0], [0]])
    handler.end(0, 't', 1)
    await clock.advance(0)
    expect([handler.offsets('t', 0), handler.offsets('t', 1)]).toEqual([[0], [0, 1]])
  })

  it('by key: keeps the order of a key, runs other keys and records without key meanwhile', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'key' })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, [record(0, 'a'), record(1, 'a'), record(2, 'b'), record(3), record(4)])
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 2, 3, 4])
    handler.end(0)
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 2, 3, 4, 1])
  })

  it('by key: equal keys on two topics do not wait for each other', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'key' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), [record(0, 'a')])
    driver.deliver(await driver.assign('u', 0), [record(0, 'a')])
    await clock.advance(0)
    expect([handler.offsets('t'), handler.offsets('u')]).toEqual([[0], [0]])
  })

  it('by key: bytes that are not text still make different keys', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'key' })
    await consumer.start()
    const keyed = (offset: number, byte: number) => ({ ...record(offset), key: Buffer.from([byte]) })
    driver.deliver(await driver.assign('t', 0), [keyed(0, 0xff), keyed(1, 0xfe)])
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1])
  })

  it('none: nothing waits for anything but a free place', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'none', concurrency: 3 })
    await consumer.start()
    driver.deliver(
      await driver.assign('t', 0),
      records(0, 5, () => 'same'),
    )
    await clock.advance(0)
    expect(handler.offsets()).toEqual([0, 1, 2])
  })

  it('hands over what was stored, undamaged', async () => {
    const seen: Message[] = []
    const { clock, driver, consumer } = setUp({ handle: (message) => void seen.push(message) })
    await consumer.start()
    driver.deliver(await driver.assign('t', 3), [{ ...record(7, 'k', 'text'), headers: [['h', Buffer.from('x')]] }])
    await clock.advance(0)
    expect(seen[0]).toMatchObject({ topic: 't', partition: 3, offset: 7, timestamp: 1_700_000_000_007, value: 'text' })
    expect(seen[0]?.key?.toString()).toBe('k')
    expect(seen[0]?.headers.get('h')).toBe('x')
  })
})

describe('commit', () => {
  it('never passes unsettled work, however later records end', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'none', commit: 'each' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 4))
    await clock.advance(0)
    for (const offset of [3, 1]) handler.end(offset)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(0)
    handler.end(0)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    handler.end(2)
    await clock.advance(0)
    expect(driver.committed('t', 0)).toMatchObject({ nextOffset: 4, metadata: '' })
  })

  it('keeps finished ranges beyond the mark, so that a restart does not repeat them', async () => {
    const handler = new ManualHandler()
    const first = setUp({ handle: handler.handle, order: 'none', commit: 'each' })
    await first.consumer.start()
    first.driver.deliver(await first.driver.assign('t', 0), records(0, 6))
    await first.clock.advance(0)
    for (const offset of [0, 2, 3, 5]) handler.end(offset)
    await first.clock.advance(0)
    const committed = first.driver.committed('t', 0)
    expect(committed?.nextOffset).toBe(1)

    const again = new ManualHandler()
    const second = setUp({ handle: again.handle, order: 'none', commit: 'each' })
    await second.consumer.start()
    const start = { offset: committed?.nextOffset as number, metadata: committed?.metadata ?? null }
    second.driver.deliver(await second.driver.assign('t', 0, { committed: start }), records(1, 8))
    await second.clock.advance(0)
    expect(again.offsets()).toEqual([1, 4, 6, 7])
    for (const offset of [1, 4, 6, 7]) again.end(offset)
    await second.clock.advance(0)
    expect(second.driver.committed('t', 0)?.nextOffset).toBe(8)
  })

  it('ignores metadata that someone else wrote', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'none' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0, { committed: { offset: 1, metadata: 'td1;c:nonsense' } }), records(1, 3))
    await clock.advance(0)
    expect(handler.offsets()).toEqual([1, 2])
  })

  it('passes holes and control records to the end of the fetch', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, [record(3), record(9)], 15)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(15)
    driver.deliver(assigned, [], 20)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(20)
  })

  it('waits for the interval or the number of messages, whichever comes first', async () => {
    const { clock, driver, consumer } = setUp({ commit: { everyMs: 1000, everyMessages: 5 } })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(999)
    expect(driver.commits).toEqual([])
    await clock.advance(1)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
    driver.deliver(assigned, records(3, 8))
    await clock.advance(20)
    expect(driver.committed('t', 0)?.nextOffset).toBe(8)
  })

  it('sends at most one commit every 20 ms however fast records settle, and the last of them carries everything', async () => {
    const { clock, driver, consumer } = setUp({ commit: { everyMs: 1000, everyMessages: 5 } })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    for (let at = 0; at < 100; at++) {
      driver.deliver(assigned, records(at * 50, at * 50 + 50))
      await clock.advance(1)
    }
    await clock.advance(40)
    expect(driver.commits.length).toBeGreaterThan(4)
    expect(driver.commits.length).toBeLessThan(9)
    expect(driver.committed('t', 0)?.nextOffset).toBe(5_000)
  })

  it('has one commit out at a time; the next one carries the newest', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    driver.commitMs = 50
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 1))
    await clock.advance(10)
    for (let offset = 1; offset < 40; offset++) driver.deliver(assigned, records(offset, offset + 1))
    await clock.advance(200)
    expect(driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)).toEqual([1, 40])
  })

  it('tries a pending commit again with backoff and never gives up its offsets', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'each' })
    driver.outcomes.push('pending', 'pending', 'pending')
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    await clock.advance(5_000)
    expect(driver.commits.map(({ offsets }) => offsets[0]?.nextOffset)).toEqual([2, 2, 2, 2])
    const gaps = driver.commits.slice(1).map(({ at }, index) => at - (driver.commits[index]?.at as number))
    expect(gaps.every((gap) => gap >= 50)).toBe(true)
    expect(consumer.facts().commits).toMatchObject({ pending: 3, committed: 1 })
  })

  it('commits with less metadata, at last bare, when the broker takes no more', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({ handle: handler.handle, order: 'none', commit: 'each' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 4))
    await clock.advance(0)
    driver.outcomes.push('metadata-too-large')
    handler.end(2)
    await clock.advance(0)
    expect(driver.commits.map(({ offsets }) => offsets[0]?.metadata !== '')).toEqual([true, false])
    expect(consumer.facts().commits['metadata-too-large']).toBe(1)
    handler.end(0)
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(1)
  })

  it('stops committing an epoch that the group calls lost', async () => {
    const { clock, driver, consumer, drains } = setUp({ commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.outcomes.push('lost')
    driver.deliver(assigned, records(0, 1))
    await clock.advance(0)
    driver.deliver(assigned, records(1, 2))
    await clock.advance(10_000)
    expect(driver.commits.length).toBe(1)
    expect(drains[0]).toMatchObject({ reason: 'lost', possibleDuplicates: [{ from: 0, to: 1 }] })
  })

  it("puts a start at 'latest' on record at once, so that a crash before the first commit loses nothing", async () => {
    const { clock, driver, consumer } = setUp({ from: 'latest', handle: new ManualHandler().handle })
    await consumer.start()
    await driver.assign('t', 0, { position: 42 })
    await clock.advance(0)
    expect(driver.committed('t', 0)?.nextOffset).toBe(42)
  })

  it('never happens without a group', async () => {
    const { clock, driver, consumer } = setUp({ group: null, commit: 'each', from: 'latest' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 10))
    await clock.advance(10_000)
    const stopped = consumer.stop()
    await clock.runUntil(stopped)
    expect(driver.commits).toEqual([])
    expect(consumer.state).toBe('stopped')
  })
})
