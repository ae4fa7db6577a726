import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundedOutOfOrderness, monotonousTimestamps } from '../../../src/reorder/watermark-strategy.js'
import type { ReorderLimits } from '../../../src/reorder/reorder-limits.js'
import { bounded, choices, inOrder, logsWith, mixed, runs, World, type Logged } from './worlds.js'

const bounds = fc.nat(6)
const lateness = fc.constantFrom('combined' as const, 'partition' as const)

/** Records of logs, mixed, fed one after the other to a world of as many partitions. */
function fed(logs: readonly (readonly Logged[])[], turns: readonly number[], world: World): Logged[] {
  const all = mixed(logs, turns)
  for (const record of all) world.feed(record)
  return all
}

describe('the reorder buffer', () => {
  it('hands out what is disordered within the bound as if it were sorted, late nothing, whatever the batches', () => {
    fc.assert(
      fc.property(
        bounds.chain((bound) => fc.tuple(fc.constant(bound), logsWith(bound))),
        choices,
        lateness,
        fc.integer({ min: 1, max: 7 }),
        ([bound, logs], turns, mode, batch) => {
          const world = new World(logs.length, bounded(bound), { lateness: mode })
          const all = mixed(logs, turns)
          for (const [index, record] of all.entries()) {
            world.push(record)
            if (index % batch === 0) world.buffer.release()
            if (index % (batch + 1) === 0) world.handleAll()
          }
          world.buffer.endOfInput()
          world.handleAll()
          expect(world.late).toEqual([])
          expect(world.onTime).toEqual([...all].sort(inOrder))
        },
      ),
      runs(1_000),
    )
  })

  it('is no more generous than its bound: a record that is one older is late', () => {
    const world = new World(1, bounded(5))
    for (const [offset, timestamp] of [20, 14].entries()) world.feed({ partition: 0, offset, timestamp })
    expect(world.late.map(({ timestamp }) => timestamp)).toEqual([14])
    const inBound = new World(1, bounded(5))
    for (const [offset, timestamp] of [20, 15].entries()) inBound.feed({ partition: 0, offset, timestamp })
    expect(inBound.late).toEqual([])
  })

  it('keeps the order of what is in time, whatever comes, idles or overflows', () => {
    fc.assert(
      fc.property(
        logsWith(12),
        choices,
        bounds,
        fc.integer({ min: 1, max: 9 }),
        lateness,
        (logs, turns, bound, maxRecords, mode) => {
          const strategy = boundedOutOfOrderness(bound).withFutureGuard(false).withIdleness({ maxIdleMs: 3 })
          const world = new World(logs.length, strategy, { maxRecords, lateness: mode })
          for (const [turn, record] of mixed(logs, turns).entries()) {
            world.feed(record)
            for (const [partition, { position }] of world.partitions.entries()) world.report(partition, 0, position)
            if (turn % 3 === 0) world.buffer.tick(turn)
            world.handleAll()
          }
          expect(world.onTime).toEqual([...world.onTime].sort(inOrder))
        },
      ),
      runs(1_000),
    )
  })

  it('loses and doubles nothing: what came is out, late or buffered, after every record', () => {
    fc.assert(
      fc.property(logsWith(12), choices, bounds, lateness, (logs, turns, bound, mode) => {
        const world = new World(logs.length, bounded(bound), { lateness: mode, maxRecords: 7 })
        for (const [index, record] of mixed(logs, turns).entries()) {
          world.feed(record)
          expect(world.onTime.length + world.late.length + world.buffer.bufferedRecords).toBe(index + 1)
        }
        world.buffer.endOfInput()
        world.handleAll()
        expect(new Set([...world.onTime, ...world.late]).size).toBe(logs.flat().length)
      }),
      runs(1_000),
    )
  })

  it('keeps back exactly what may still be overtaken: nothing leaves earlier, nothing later', () => {
    fc.assert(
      fc.property(
        bounds.chain((bound) => fc.tuple(fc.constant(bound), logsWith(bound))),
        choices,
        ([bound, logs], turns) => {
          const world = new World(logs.length, bounded(bound))
          const max = logs.map(() => -Infinity)
          const seen: Logged[] = []
          for (const record of mixed(logs, turns)) {
            world.feed(record)
            seen.push(record)
            max[record.partition] = Math.max(max[record.partition] as number, record.timestamp)
            const due = Math.min(...max) - bound - 1
            expect(world.onTime).toEqual(seen.filter(({ timestamp }) => timestamp <= due).sort(inOrder))
          }
        },
      ),
      runs(1_000),
    )
  })

  it('has never more in the buffer than its limit', () => {
    fc.assert(
      fc.property(logsWith(6), choices, fc.integer({ min: 1, max: 8 }), (logs, turns, maxRecords) => {
        const world = new World(logs.length, bounded(6), { maxRecords })
        for (const record of mixed(logs, turns)) {
          world.push(record)
          expect(world.buffer.bufferedRecords).toBeLessThanOrEqual(maxRecords)
        }
      }),
      runs(1_000),
    )
  })

  it('calls late exactly what is not behind the frontier, and tells by how much', () => {
    fc.assert(
      fc.property(logsWith(12), choices, bounds, (logs, turns, bound) => {
        const world = new World(logs.length, bounded(bound))
        for (const record of mixed(logs, turns)) {
          const before = world.buffer.watermark
          const partition = world.partitions[record.partition]!
          const pushed = world.buffer.push(partition, record.offset, record.timestamp, record, 1)
          expect(pushed).toBe(record.timestamp <= before ? 'late' : 'buffered')
          world.buffer.release()
          const late = world.handleAll().filter(({ lateByMs }) => lateByMs !== null)
          expect(late.map(({ lateByMs }) => lateByMs)).toEqual(pushed === 'late' ? [before - record.timestamp] : [])
        }
      }),
      runs(1_000),
    )
  })

  it('by partition, does not depend on who was read when; combined calls less late', () => {
    fc.assert(
      fc.property(logsWith(9), choices, choices, bounds, (logs, turns, others, bound) => {
        const of = (mode: 'combined' | 'partition', order: readonly number[]) => {
          const world = new World(logs.length, bounded(bound), { lateness: mode })
          fed(logs, order, world)
          world.buffer.endOfInput()
          world.handleAll()
          return world
        }
        const [one, other] = [of('partition', turns), of('partition', others)]
        expect(one.onTime).toEqual(other.onTime)
        expect([...one.late].sort(inOrder)).toEqual([...other.late].sort(inOrder))
        const late = new Set(one.late)
        expect(of('combined', turns).late.filter((record) => !late.has(record))).toEqual([])
      }),
      runs(1_000),
    )
  })

  it('has watermarks that never go back, the common one never ahead of a partition', () => {
    fc.assert(
      fc.property(logsWith(9), choices, bounds, (logs, turns, bound) => {
        const world = new World(logs.length, bounded(bound))
        let frontier = -Infinity
        const before = world.partitions.map(() => -Infinity)
        for (const record of mixed(logs, turns)) {
          world.feed(record)
          expect(world.buffer.watermark).toBeGreaterThanOrEqual(frontier)
          frontier = world.buffer.watermark
          for (const [index, { watermark }] of world.partitions.entries()) {
            expect(watermark).toBeGreaterThanOrEqual(before[index] as number)
            expect(frontier).toBeLessThanOrEqual(watermark)
            before[index] = watermark
          }
        }
      }),
      runs(1_000),
    )
  })

  it('is the same when all times are moved, also to those of today', () => {
    fc.assert(
      fc.property(
        logsWith(9),
        choices,
        bounds,
        fc.constantFrom(1, 1_700_000_000_000, 7_000_000_000_001),
        (logs, turns, bound, by) => {
          const [here, there] = [new World(logs.length, bounded(bound)), new World(logs.length, bounded(bound))]
          for (const record of mixed(logs, turns)) {
            here.feed(record)
            there.feed({ ...record, timestamp: record.timestamp + by })
          }
          const moved = (records: readonly Logged[]) =>
            records.map(({ timestamp, ...rest }) => ({ ...rest, timestamp: timestamp + by }))
          expect(there.onTime).toEqual(moved(here.onTime))
          expect(there.late).toEqual(moved(here.late))
        },
      ),
      runs(1_000),
    )
  })

  it('hands out records of one and the same time by partition and offset, all of them', () => {
    const world = new World(3, monotonousTimestamps())
    const all = [2, 0, 1].flatMap((partition) => [0, 1, 2].map((offset) => ({ partition, offset, timestamp: 7 })))
    for (const record of all) world.feed(record)
    expect(world.onTime).toEqual([])
    world.buffer.endOfInput()
    world.handleAll()
    expect(world.onTime).toEqual([...all].sort(inOrder))
  })

  it('goes on over a gap of time, and lets the tail go at the end of the input', () => {
    const world = new World(1, bounded(1_000))
    for (const [offset, timestamp] of [0, 500, 1_600, 2_600, 900_000].entries())
      world.feed({ partition: 0, offset, timestamp })
    expect(world.onTime.map(({ timestamp }) => timestamp)).toEqual([0, 500, 1_600, 2_600])
    world.buffer.endOfInput()
    world.handleAll()
    expect(world.onTime).toHaveLength(5)
  })

  it('does not call late what a slow partition has, however far a fast one is ahead', () => {
    const world = new World(2, bounded(10))
    for (let offset = 0; offset < 500; offset += 1) world.feed({ partition: 0, offset, timestamp: offset * 100 })
    for (let offset = 0; offset < 500; offset += 1) world.feed({ partition: 1, offset, timestamp: offset * 100 })
    expect(world.late).toEqual([])
    expect(world.onTime).toEqual([...world.onTime].sort(inOrder))
  })
})

describe('the reorder buffer, ordered by partition', () => {
  const byPartition = (partitions: number, bound: number, own: Partial<ReorderLimits> = {}) =>
    new World(partitions, bounded(bound), { ...own, order: 'partition' })
  const of = (partition: number, records: readonly Logged[]) => records.filter((one) => one.partition === partition)

  it('hands out each partition in its order, nothing before the watermark of all, and in the end all of it', () => {
    fc.assert(
      fc.property(
        bounds.chain((bound) => fc.tuple(fc.constant(bound), logsWith(bound))),
        choices,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        ([bound, logs], turns, most, tellsWatermarks) => {
          const world = byPartition(logs.length, bound, { tellsWatermarks })
          const told: number[] = []
          const handle = () => {
            const next = world.buffer.next()
            if (next === null) return false
            if (!('through' in next)) return world.handleAll(most).length > 0
            told.push(next.through)
            // All of it is out, and nothing behind it.
            expect(world.onTime.every(({ timestamp }) => timestamp <= next.through)).toBe(true)
            expect(seen.filter(({ timestamp }) => timestamp <= next.through)).toHaveLength(world.onTime.length)
            world.buffer.passed(next, next.through)
            return true
          }
          const seen: Logged[] = []
          for (const record of mixed(logs, turns)) {
            world.push(record)
            seen.push(record)
            world.buffer.release()
            handle()
            const { watermark } = world.buffer
            expect(world.onTime.filter(({ timestamp }) => timestamp > watermark)).toEqual([])
          }
          world.buffer.endOfInput()
          while (handle());
          expect(world.late).toEqual([])
          for (const partition of logs.keys())
            expect(of(partition, world.onTime)).toEqual([...of(partition, seen)].sort(inOrder))
          expect(told).toEqual([...new Set(told)].sort((one, other) => one - other))
          if (!tellsWatermarks) expect(told).toEqual([])
        },
      ),
      runs(1_000),
    )
  })

  it('hands out together what has become due of a partition, in however many steps the watermark came', () => {
    const world = byPartition(2, 0)
    for (let offset = 0; offset < 100; offset += 1) {
      for (const partition of [0, 1]) world.push({ partition, offset, timestamp: offset })
      world.buffer.release()
    }
    const [first, second] = world.partitions
    expect(world.buffer.take(Infinity, first!)).toHaveLength(99)
    expect(world.buffer.take(Infinity, second!)).toHaveLength(99)
    expect(world.buffer.next()).toBe(null)
  })

  it('keeps what is due when another partition comes, which is waited for', () => {
    const world = byPartition(1, 0)
    for (const offset of [0, 1, 2]) world.push({ partition: 0, offset, timestamp: offset })
    world.buffer.release()
    expect(world.buffer.readyRecords).toBe(2)
    world.assign(1)
    expect([world.buffer.readyRecords, world.buffer.bufferedRecords]).toEqual([0, 3])
    world.feed({ partition: 1, offset: 0, timestamp: 2 })
    expect(world.onTime.map(({ timestamp }) => timestamp)).toEqual([0, 1])
  })

  it('tells a handler no watermark of which some record was not handed out', () => {
    const world = byPartition(2, 0)
    for (const offset of [0, 1, 2]) for (const partition of [0, 1]) world.push({ partition, offset, timestamp: offset })
    world.buffer.release()
    expect(world.handleAll().map(({ watermark }) => watermark)).toEqual([-Infinity, -Infinity, -Infinity, -Infinity])
    for (const partition of [0, 1]) world.push({ partition, offset: 3, timestamp: 3 })
    world.buffer.release()
    expect(world.handleAll().map(({ watermark }) => watermark)).toEqual([1, 1])
  })
})
