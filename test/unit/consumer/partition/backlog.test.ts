import { describe, expect, it } from 'vitest'
import { Backlog } from '../../../../src/consumer/partition/backlog.js'
import type { FetchedRecords } from '../../../../src/driver/consumer.js'
import { DriverError } from '../../../../src/errors.js'
import type { RecordBatch } from '../../../../src/message/record.js'
import { setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

const batch = (from: number, to: number, count = to - from): RecordBatch => ({ count, decode: () => records(from, to) })
const broken: RecordBatch = {
  count: 3,
  decode: () => {
    throw new Error('a record ends inside a number')
  },
}

const answer = (batches: readonly RecordBatch[], nextOffset: number, sizeBytes = 0): FetchedRecords => ({
  topic: 't',
  partition: 0,
  epoch: 1,
  batches,
  nextOffset,
  highWatermark: nextOffset,
  lastStableOffset: nextOffset,
  sizeBytes,
})

describe('a backlog', () => {
  it('gives the records of an answer batch by batch, then its end, then the next answer', () => {
    const backlog = new Backlog()
    backlog.push(answer([batch(0, 2), batch(2, 3)], 5))
    backlog.push(answer([], 9))
    backlog.push(answer([batch(9, 10)], 10))
    const seen: unknown[] = []
    while (!backlog.isEmpty) {
      const record = backlog.next()
      seen.push(record === null ? `end ${backlog.pass()}` : record.offset)
    }
    expect(seen).toEqual([0, 1, 2, 'end 5', 'end 9', 9, 'end 10'])
    expect([backlog.next(), backlog.pass(), backlog.count, backlog.sizeBytes]).toEqual([null, null, 0, 0])
  })

  it('makes records only of the batch that is being taken up', () => {
    let made = 0
    const counted = (from: number, to: number): RecordBatch => ({
      count: to - from,
      decode: () => {
        made += 1
        return records(from, to)
      },
    })
    const backlog = new Backlog()
    backlog.push(answer([counted(0, 3), counted(3, 6)], 6))
    expect(made).toBe(0)
    for (let taken = 0; taken < 3; taken++) backlog.next()
    expect(made).toBe(1)
    backlog.next()
    expect(made).toBe(2)
  })

  it('counts what is left, and lets go of what an answer counted and did not have', () => {
    const backlog = new Backlog()
    backlog.push(answer([batch(5, 7, 10)], 10, 1_000))
    backlog.push(answer([batch(10, 14)], 14, 400))
    expect([backlog.count, backlog.sizeBytes]).toEqual([14, 1_400])
    backlog.next()
    expect([backlog.count, backlog.sizeBytes]).toEqual([13, 500])
    backlog.next()
    expect(backlog.next()).toBe(null)
    backlog.pass()
    expect([backlog.count, backlog.sizeBytes]).toEqual([4, 400])
  })

  it('counts a batch by what it is in memory, once that is known', () => {
    const large = records(0, 4).map((record) => ({ ...record, value: Buffer.alloc(1_000) }))
    const backlog = new Backlog()
    backlog.push(answer([{ count: 4, decode: () => large }, batch(4, 8)], 8, 80))
    expect(backlog.sizeBytes).toBe(80)
    backlog.next()
    expect(backlog.recordBytes).toBeGreaterThanOrEqual(1_000)
    expect(backlog.sizeBytes).toBeGreaterThanOrEqual(3_040)
  })

  it('throws what a batch throws, as often as it is asked', () => {
    const backlog = new Backlog()
    backlog.push(answer([batch(0, 1), broken], 4))
    expect(backlog.next()?.offset).toBe(0)
    expect(() => backlog.next()).toThrow(/ends inside/)
    expect(() => backlog.next()).toThrow(/ends inside/)
  })
})

describe('a consumer with a backlog', () => {
  it('under order by partition makes no more records than its one lane takes at once, however slow the handler', async () => {
    let made = 0
    const counted = (from: number): RecordBatch => ({
      count: 100,
      decode: () => {
        made += 100
        return records(from, from + 100)
      },
    })
    const { clock, driver, consumer } = setUp({ handle: () => new Promise<void>(() => undefined) })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    const batches = Array.from({ length: 50 }, (_, index) => counted(index * 100))
    driver.deliverBatches(assigned, batches, 5_000)
    await clock.advance(1_000)
    expect(made).toBeLessThanOrEqual(300)
    expect(consumer.facts().partitions[0]).toMatchObject({ unsettled: 5_000 })
  })

  it('under order by key looks as far ahead as it takes to keep the handlers busy', async () => {
    const keys: string[] = []
    const { clock, driver, consumer } = setUp({
      order: 'key',
      concurrency: 2,
      handle: ({ key }) => {
        keys.push(String(key))
        return new Promise<void>(() => undefined)
      },
    })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    const hot = records(0, 2_000, () => 'hot')
    const cold = records(2_000, 2_001, () => 'cold')
    driver.deliverBatches(assigned, [{ count: 2_001, decode: () => [...hot, ...cold] }], 2_001)
    await clock.advance(1_000)
    expect(keys).toEqual(['hot', 'cold'])
  })

  it('gives handleBatch full batches over the borders of stored ones', async () => {
    const sizes: number[] = []
    const { clock, driver, consumer } = setUp({
      batchMessages: 50,
      handleBatch: (messages) => void sizes.push(messages.length),
    })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    const batches = Array.from({ length: 15 }, (_, index) => batch(index * 8, index * 8 + 8))
    driver.deliverBatches(assigned, batches.slice(0, 7), 56)
    driver.deliverBatches(assigned, batches.slice(7), 120)
    await clock.advance(1_000)
    expect(sizes).toEqual([50, 50, 20])
  })

  it('stops the partition at bytes that are no records, after everything before them was handled', async () => {
    const handled: number[] = []
    const { clock, driver, consumer, stopped } = setUp({ handle: ({ offset }) => void handled.push(offset) })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliverBatches(assigned, [batch(0, 3), broken, batch(6, 9)], 9)
    await clock.advance(10_000)
    expect(handled).toEqual([0, 1, 2])
    expect(stopped).toHaveLength(1)
    expect(stopped[0]?.error).toBeInstanceOf(DriverError)
    expect(stopped[0]?.error).toMatchObject({ code: 'corrupt-record', topic: 't', partition: 0, offset: 3 })
    expect(stopped[0]?.error.message).toMatch(/ends inside a number.*seek past them/)
    await consumer.stop()
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('commits past an answer that has no record, and one whose records were all done before', async () => {
    const { clock, driver, consumer } = setUp()
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliverBatches(assigned, [], 7)
    await clock.advance(6_000)
    expect(driver.committed('t', 0)?.nextOffset).toBe(7)
    expect(consumer.facts().partitions[0]).toMatchObject({ unsettled: 0, position: 7 })
  })
})
