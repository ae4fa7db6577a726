import { describe, expect, it } from 'vitest'
import type { DeadLetterRoute } from '../../../../src/consumer/handling/failed-record.js'
import type { Stage } from '../../../../src/consumer/intake/stage.js'
import type { Work } from '../../../../src/consumer/partition/work.js'
import type { Message } from '../../../../src/message/message.js'
import { ManualHandler, routeFailing, setUp, type Options } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** Keeps each record back for a while, counted from its push, and hands out the newest first. */
class HoldsBack implements Stage {
  readonly #waiting: { readonly work: Work; readonly until: number }[] = []
  drops = 0

  constructor(
    readonly mostRecords: number,
    readonly holdMs: number,
    readonly now: () => number,
  ) {}

  push(work: Work): void {
    this.#waiting.push({ work, until: this.now() + this.holdMs })
  }

  ready(now: number): readonly Work[] {
    const due = this.#waiting.filter(({ until }) => until <= now)
    this.#waiting.splice(0, due.length)
    return due.map(({ work }) => work).reverse()
  }

  nextAt(): number | null {
    return this.#waiting[0]?.until ?? null
  }

  drop(): void {
    this.#waiting.length = 0
    this.drops += 1
  }
}

async function staged(options: Options, mostRecords = 100, deadLetter: DeadLetterRoute | null = null) {
  const stages: HoldsBack[] = []
  const all = setUp(options, {
    deadLetter,
    stage: () => {
      const stage = new HoldsBack(mostRecords, 1_000, () => all.clock.now())
      stages.push(stage)
      return stage
    },
  })
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  return { ...all, assigned, stages }
}

describe('records in a stage', () => {
  it('are handled when it says so and in its order, counted and not committed until then', async () => {
    const handled: number[] = []
    const { clock, driver, consumer, assigned } = await staged({ handle: ({ offset }) => void handled.push(offset) })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(999)
    expect(handled).toEqual([])
    expect(consumer.facts().partitions[0]).toMatchObject({ unsettled: 3, settled: 0, waitsFor: null })
    expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
    await clock.advance(1)
    expect(handled).toEqual([2, 1, 0])
    expect(consumer.facts().partitions[0]).toMatchObject({ unsettled: 0, settled: 3 })
    await clock.advance(10_000)
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('are no stall, however long it keeps them', async () => {
    const { clock, driver, consumer, assigned } = await staged({ stallWarningMs: 500, handle: () => undefined })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(900)
    expect(consumer.facts().partitions[0]).toMatchObject({ waitsFor: null, stalledMs: 0 })
  })

  it('are settled one by one, so what was handled out of order is not committed ahead', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, assigned } = await staged({
      handle: handler.handle,
      order: 'none',
      concurrency: 3,
      commit: 'each',
    })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(1_000)
    expect(handler.offsets()).toEqual([2, 1, 0])
    handler.end(2)
    await clock.advance(100)
    expect(driver.committed('t', 0)).toMatchObject({ nextOffset: 0 })
    handler.end(0)
    handler.end(1)
    await clock.advance(100)
    expect(driver.committed('t', 0)).toMatchObject({ nextOffset: 3 })
    expect(consumer.facts().partitions[0]?.unsettled).toBe(0)
  })

  it('are put into batches behind it, whose records are settled whatever their order', async () => {
    const batches: number[][] = []
    const { clock, driver, consumer, assigned } = await staged({
      handleBatch: (messages: readonly Message[]) => void batches.push(messages.map(({ offset }) => offset)),
      batchMessages: 4,
    })
    driver.deliver(assigned, records(0, 6))
    await clock.advance(1_000)
    expect(batches).toEqual([
      [5, 4, 3, 2],
      [1, 0],
    ])
    expect(consumer.facts().partitions[0]).toMatchObject({ settled: 6, unsettled: 0 })
  })

  it('are handed over one by one when their batch failed, each settled as itself', async () => {
    const singles: number[] = []
    const handleBatch = (messages: readonly Message[]) => {
      if (messages.length > 1) throw new Error('batch')
      singles.push(messages[0]?.offset as number)
    }
    const { route } = routeFailing(0)
    const { clock, driver, consumer, assigned } = await staged({ handleBatch, batchMessages: 3 }, 100, route)
    driver.deliver(assigned, records(0, 3))
    await clock.advance(1_000)
    expect(singles).toEqual([2, 1, 0])
    expect(consumer.facts().partitions[0]).toMatchObject({ settled: 3, unsettled: 0 })
  })

  it('are bounded: fetching rests while it is full', async () => {
    const { clock, driver, consumer, assigned } = await staged({ handle: () => undefined }, 3)
    driver.deliver(assigned, records(0, 10))
    await clock.advance(10)
    expect(consumer.facts().partitions[0]).toMatchObject({ pausedBy: ['stage-full'], unsettled: 10 })
    expect(driver.calls).toEqual(['pause t-0'])
    await clock.advance(1_000)
    expect(consumer.facts().partitions[0]).toMatchObject({ pausedBy: [], unsettled: 0 })
    expect(driver.calls).toEqual(['pause t-0', 'resume t-0'])
  })

  it('are dropped when the partition is taken away, and no timer is left', async () => {
    const handled: number[] = []
    const { clock, driver, assigned, stages } = await staged({ handle: ({ offset }) => void handled.push(offset) })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(10)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(stages[0]?.drops).toBe(1)
    await clock.advance(10_000)
    expect(handled).toEqual([])
    expect(driver.committed('t', 0)?.nextOffset ?? 0).toBe(0)
  })

  it('are dropped by a seek', async () => {
    const handled: number[] = []
    const { clock, consumer, driver, assigned, stages } = await staged({
      handle: ({ offset }) => void handled.push(offset),
    })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(10)
    await clock.runUntil(consumer.seek('t', 0, 20))
    driver.deliver(assigned, records(20, 21))
    await clock.advance(10_000)
    expect(stages.map(({ drops }) => drops)).toEqual([1, 0])
    expect(handled).toEqual([20])
  })

  it('wait for their user as well as for it', async () => {
    const handled: number[] = []
    const { clock, consumer, driver, assigned } = await staged({ handle: ({ offset }) => void handled.push(offset) })
    driver.deliver(assigned, records(0, 2))
    await clock.advance(10)
    consumer.pause()
    await clock.advance(5_000)
    expect(handled).toEqual([])
    consumer.resume()
    await clock.advance(0)
    expect(handled).toEqual([1, 0])
  })
})
