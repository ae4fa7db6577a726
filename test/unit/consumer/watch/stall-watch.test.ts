import { describe, expect, it } from 'vitest'
import type { Logger } from '../../../../src/telemetry/logger.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { CountingMetrics } from '../../producer/counting-metrics.js'
import { ManualHandler, routeFailing, setUp, type Options } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

type Level = 'info' | 'warn' | 'error'

interface Line {
  readonly level: Level
  readonly message: string
  readonly offset?: number
  readonly [field: string]: unknown
}

/** A consumer with one partition of which the handlers are ended by hand; stalls are told after 10 s. */
async function watched(options: Options = {}, dependencies: Parameters<typeof setUp>[1] = {}) {
  const lines: Line[] = []
  const note = (level: Level) => (fields: object, message: string) => void lines.push({ level, message, ...fields })
  const logger: Logger = { ...silentLogger, info: note('info'), warn: note('warn'), error: note('error') }
  const metrics = new CountingMetrics()
  const handler = new ManualHandler()
  const all = setUp(
    { handle: handler.handle, stallWarningMs: 10_000, ...options },
    { logger, metrics, ...dependencies },
  )
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  const told = (level: Level, words: RegExp) => lines.filter((line) => line.level === level && words.test(line.message))
  return { ...all, handler, metrics, lines, told, assigned }
}

/** The broker is heard of, and says where the log ends, every second. */
async function hearOf(world: Awaited<ReturnType<typeof watched>>, seconds: number, end: number) {
  for (let second = 0; second < seconds; second += 1) {
    world.driver.lastFetchAt = world.clock.now()
    world.driver.ends.set('t-0', { offset: end, at: world.clock.now() })
    await world.clock.advance(1_000)
  }
}

const progress = /progress again/
const stall = /no progress/

describe('a stall', () => {
  it('is told once, with where it is and what it waits for, and so is its end', async () => {
    const world = await watched()
    world.driver.deliver(world.assigned, records(5, 8))
    await hearOf(world, 9, 8)
    expect(world.told('warn', stall)).toEqual([])
    await hearOf(world, 60, 8)
    expect(world.told('warn', stall)).toMatchObject([
      { topic: 't', partition: 0, offset: 5, waitsFor: 'handler', running: 1, unsettled: 3, end: 8 },
    ])
    expect(world.told('warn', stall)[0]?.['stalledMs']).toBeGreaterThanOrEqual(10_000)
    expect(world.told('warn', stall)[0]?.['stalledMs']).toBeLessThanOrEqual(12_500)
    expect(world.consumer.facts().partitions[0]).toMatchObject({ waitsFor: 'handler', stalledMs: 69_000 })
    expect(world.metrics.total('tidemark_consumer_stalls_total')).toBe(1)
    expect(world.metrics.gauges.get('tidemark_consumer_stalled_partitions')).toBe(1)
    expect(world.metrics.gauges.get('tidemark_consumer_oldest_handler_seconds')).toBeGreaterThanOrEqual(65)
    world.handler.end(5)
    await hearOf(world, 5, 8)
    expect(world.told('info', progress)).toMatchObject([{ topic: 't', partition: 0, offset: 6 }])
    expect(world.told('info', progress)[0]?.['stalledMs']).toBe(69_000)
    expect(world.metrics.gauges.get('tidemark_consumer_stalled_partitions')).toBe(0)
  })

  it('of a record that waits for another attempt tells what its handler threw', async () => {
    const world = await watched({ retry: { budgetMs: 600_000, backoff: { initialMs: 60_000, maxMs: 60_000 } } })
    world.driver.deliver(world.assigned, records(0, 1))
    await world.clock.advance(0)
    world.handler.fail(0, new Error('no place left'))
    await hearOf(world, 15, 1)
    expect(world.told('warn', stall)).toMatchObject([{ waitsFor: 'retry', error: { message: 'no place left' } }])
  })

  it('that comes again is told again', async () => {
    const world = await watched()
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 15, 2)
    world.handler.end(0)
    await hearOf(world, 15, 2)
    expect(world.told('warn', stall).map(({ offset }) => offset)).toEqual([0, 1])
    world.handler.end(1)
    await hearOf(world, 60, 2)
    expect(world.told('warn', stall)).toHaveLength(2)
    expect(world.told('info', progress)).toHaveLength(2)
  })

  it('is none while there is nothing to do, however long, and begins with the work', async () => {
    const world = await watched()
    await hearOf(world, 600, 0)
    expect(world.consumer.facts().partitions[0]).toMatchObject({ waitsFor: null, stalledMs: 0 })
    await hearOf(world, 9, 4)
    expect(world.told('warn', stall)).toEqual([])
    await hearOf(world, 10, 4)
    expect(world.told('warn', stall)).toMatchObject([{ offset: 0, waitsFor: 'fetch', end: 4 }])
  })

  it('is none while the user has paused the partition and no handler runs', async () => {
    const world = await watched()
    world.consumer.pause()
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 60, 100)
    expect(world.told('warn', stall)).toEqual([])
    world.consumer.resume()
    await hearOf(world, 9, 100)
    expect(world.told('warn', stall)).toEqual([])
  })

  it('of a slow partition that makes progress is none', async () => {
    const world = await watched()
    world.driver.deliver(world.assigned, records(0, 20))
    for (let offset = 0; offset < 20; offset += 1) {
      await hearOf(world, 9, 20)
      world.handler.end(offset)
    }
    expect(world.told('warn', stall)).toEqual([])
  })

  it('says that other partitions take all the places', async () => {
    const world = await watched({ concurrency: 1 })
    const other = await world.driver.assign('t', 1)
    world.driver.deliver(other, records(0, 2))
    await world.clock.advance(0)
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 15, 2)
    expect(world.told('warn', stall).map(({ partition, waitsFor }) => [partition, waitsFor])).toEqual([
      [0, 'place'],
      [1, 'handler'],
    ])
  })

  it('for a dead-letter topic that cannot be written is a fact, and told by who writes to it', async () => {
    const { route } = routeFailing(Infinity)
    const fail = () => Promise.reject(new Error('no'))
    const world = await watched({ handle: fail }, { deadLetter: route })
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 15, 2)
    expect(world.consumer.facts().partitions[0]).toMatchObject({ waitsFor: 'dead-letter', stalledMs: 15_000 })
    expect(world.told('warn', stall)).toEqual([])
    expect(world.told('warn', /dead letter not stored/).length).toBeGreaterThan(0)
  })

  it('for a dead-letter topic that does not answer is told, since nobody else does', async () => {
    const fail = () => Promise.reject(new Error('no'))
    const world = await watched({ handle: fail }, { deadLetter: () => new Promise(() => undefined) })
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 15, 2)
    expect(world.told('warn', stall).map(({ waitsFor }) => waitsFor)).toEqual(['dead-letter'])
  })

  it('of a partition that stopped at a record is a fact, and told as the stop', async () => {
    const fail = () => Promise.reject(new Error('no'))
    const world = await watched({ handle: fail })
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 15, 2)
    expect(world.consumer.facts().partitions[0]).toMatchObject({ waitsFor: 'seek', stalledMs: 15_000 })
    expect(world.told('warn', stall)).toEqual([])
    expect(world.told('error', /partition stopped/)).toHaveLength(1)
  })

  it('is told of a partition whose broker has not been heard of, since there may be work', async () => {
    const world = await watched()
    await hearOf(world, 60, 0)
    for (let second = 0; second < 60; second += 1) {
      world.driver.lastFetchAt = world.clock.now() // by another broker
      await world.clock.advance(1_000)
    }
    expect(world.told('warn', stall)).toMatchObject([{ waitsFor: 'fetch' }])
  })

  it('is not told when the option is 0; the facts tell it all the same', async () => {
    const world = await watched({ stallWarningMs: 0 })
    world.driver.deliver(world.assigned, records(0, 2))
    await hearOf(world, 100, 2)
    expect(world.lines.filter(({ level }) => level === 'warn')).toEqual([])
    expect(world.consumer.facts().partitions[0]).toMatchObject({ waitsFor: 'handler', stalledMs: 100_000 })
  })

  it('is watched for by no timer while nothing is owned', async () => {
    const world = await watched()
    await world.clock.runUntil(world.driver.revoke(world.assigned, 1_000))
    await world.clock.advance(10_000)
    expect(world.clock.pendingTimers).toBe(0)
    const again = await world.driver.assign('t', 0)
    world.driver.deliver(again, records(0, 1))
    await hearOf(world, 15, 1)
    expect(world.told('warn', stall)).toHaveLength(1)
    await world.clock.runUntil(world.consumer.stop({ timeoutMs: 1_000 }))
    await world.clock.advance(0)
    expect(world.clock.pendingTimers).toBe(0)
  })
})

describe('the age of the last fetch', () => {
  it('is a fact, and told once when no fetch is answered for long, and once when they are again', async () => {
    const world = await watched()
    await hearOf(world, 60, 0)
    expect(world.consumer.facts().pollAgeMs).toBe(1_000)
    await world.clock.advance(60_000)
    expect(world.consumer.facts().pollAgeMs).toBe(61_000)
    expect(world.told('warn', /no fetch was answered/)).toHaveLength(1)
    expect(world.metrics.gauges.get('tidemark_consumer_poll_age_seconds')).toBeGreaterThan(55)
    await hearOf(world, 5, 0)
    expect(world.told('info', /answered again/)).toHaveLength(1)
  })

  it('is told together for all partitions, and nobody says that it is over before a fetch was answered', async () => {
    const world = await watched()
    await hearOf(world, 10, 0)
    await world.clock.advance(60_000)
    world.consumer.pause()
    await world.clock.advance(60_000)
    world.consumer.resume()
    await world.clock.advance(60_000)
    expect(world.told('warn', /./).map(({ event }) => event)).toEqual(['fetch-unanswered'])
    expect(world.told('info', /answered again/)).toEqual([])
    await hearOf(world, 5, 0)
    expect(world.told('info', /answered again/)).toHaveLength(1)
  })

  it('is 0 while there is nothing to fetch, and counts from when there is', async () => {
    const world = await watched()
    await hearOf(world, 10, 0)
    world.consumer.pause()
    await world.clock.advance(60_000)
    expect(world.consumer.facts().pollAgeMs).toBe(0)
    world.consumer.resume()
    await world.clock.advance(5_000)
    expect(world.consumer.facts().pollAgeMs).toBeLessThanOrEqual(10_000)
    expect(world.told('warn', /no fetch was answered/)).toEqual([])
  })
})
