import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adaptiveSlack, boundedOutOfOrderness } from '../../../src/reorder/watermark-strategy.js'
import { bounded, choices, inOrder, logsWith, mixed, runs, World, type Logged } from './worlds.js'

const at = (partition: number, offset: number, timestamp: number): Logged => ({ partition, offset, timestamp })
const times = (records: readonly Logged[]) => records.map(({ timestamp }) => timestamp)

describe('an idle partition', () => {
  const strategy = boundedOutOfOrderness(10).withFutureGuard(false).withIdleness({ maxIdleMs: 1_000 })

  function two(own = strategy) {
    const world = new World(2, own)
    for (let offset = 0; offset < 3; offset += 1) world.feed(at(0, offset, 100 + offset * 20))
    return world
  }
  const tell = (world: World, partition: number, end: number) =>
    world.report(partition, world.partitions[partition]!.position, end)
  const tick = (world: World, now: number) => {
    world.buffer.tick(now)
    world.handleAll()
  }
  /** Brokers answer still, and say the same. */
  const tellAgain = (world: World, partition: number, end: number, now: number) => {
    world.buffer.tick(now)
    tell(world, partition, end)
    tick(world, now)
  }

  it('holds the others back while there is something to read, however long it takes', () => {
    const world = two()
    tell(world, 1, 5)
    tick(world, 60_000)
    tell(world, 1, 5)
    tick(world, 120_000)
    expect(world.onTime).toEqual([])
    expect(world.buffer.slowest).toEqual({ topic: 't', partition: 1 })
  })

  it('holds them back no more when it has been read to its end for so long, also if it never had a record', () => {
    const world = two()
    tell(world, 1, 0)
    tellAgain(world, 1, 0, 999)
    expect(world.onTime).toEqual([])
    tellAgain(world, 1, 0, 1_000)
    expect(times(world.onTime)).toEqual([100, 120])
  })

  it('is not idle because brokers are silent', () => {
    const world = two()
    tell(world, 1, 0)
    tick(world, 60_000)
    expect(world.onTime).toEqual([])
  })

  it('is not idle by time in which it was not read', () => {
    const world = two()
    tell(world, 1, 0)
    world.buffer.tick(900)
    world.buffer.notRead(world.partitions[1]!)
    tick(world, 5_000)
    expect(world.onTime).toEqual([])
    tell(world, 1, 0)
    tellAgain(world, 1, 0, 6_000)
    expect(times(world.onTime)).toEqual([100, 120])
  })

  it('counts again with its next record, and what it has from before the frontier is late', () => {
    const world = two()
    tell(world, 1, 0)
    tellAgain(world, 1, 0, 1_000)
    world.feed(at(1, 0, 128))
    world.feed(at(1, 1, 130))
    expect(times(world.late)).toEqual([128])
    world.feed(at(0, 3, 500))
    expect(times(world.onTime)).toEqual([100, 120])
  })

  it('lets everything go when all are, so the last record comes', () => {
    const world = two()
    for (const now of [0, 1_000]) {
      world.buffer.tick(now)
      for (const partition of [0, 1]) tell(world, partition, partition === 0 ? 3 : 0)
    }
    tick(world, 1_000)
    expect(times(world.onTime)).toEqual([100, 120, 140])
    expect(world.buffer.watermark).toBe(140)
    expect(world.buffer.counts.idleReleases).toBe(1)
  })

  it('is one after a time of silence where its end cannot be known, if the strategy says so', () => {
    const world = two(strategy.withIdleness({ maxIdleMs: Infinity, timeoutMs: 300 }))
    tick(world, 299)
    expect(world.onTime).toEqual([])
    world.feed(at(0, 3, 160))
    tick(world, 300)
    expect(times(world.onTime)).toEqual([100, 120, 140])
  })

  it('changes nothing of the rest: it is as if it were not there', () => {
    fc.assert(
      fc.property(logsWith(4), choices, (logs, turns) => {
        const [withIdle, without] = [new World(logs.length + 1, strategy), new World(logs.length, strategy)]
        tell(withIdle, logs.length, 0)
        tellAgain(withIdle, logs.length, 0, 1_000)
        for (const record of mixed(logs, turns)) {
          withIdle.feed(record)
          without.feed(record)
        }
        expect(withIdle.onTime).toEqual(without.onTime)
        expect(withIdle.late).toEqual(without.late)
      }),
      runs(1_000),
    )
  })
})

describe('the guard against the future', () => {
  const now = 1_000_000
  const guarded = (policy: 'partition-time' | 'late' | 'fail') =>
    boundedOutOfOrderness(10).withIdleness({ maxIdleMs: Infinity }).withFutureGuard({ maxFutureMs: 1_000, policy })

  it('lets one record from the far future change nothing for the others', () => {
    fc.assert(
      fc.property(logsWith(4), choices, fc.nat(40), (logs, turns, place) => {
        const [odd, plain] = [
          new World(logs.length, guarded('partition-time'), {}, now),
          new World(logs.length, guarded('partition-time'), {}, now),
        ]
        const all = mixed(logs, turns)
        for (const [turn, record] of all.entries()) {
          const doubled = { ...record, offset: record.offset * 2 }
          if (turn === place % all.length) odd.feed({ ...doubled, offset: doubled.offset - 1, timestamp: 9e12 })
          odd.feed(doubled)
          plain.feed(doubled)
        }
        for (const world of [odd, plain]) {
          world.buffer.endOfInput()
          world.handleAll()
        }
        expect(odd.onTime.filter(({ timestamp }) => timestamp < 9e12)).toEqual(plain.onTime)
        expect(odd.late).toEqual(plain.late)
        expect(odd.onTime.length - plain.onTime.length).toBe(all.length === 0 ? 0 : 1)
      }),
      runs(1_000),
    )
  })

  it('orders it as if it had the greatest time seen, and tells its own', () => {
    const world = new World(1, guarded('partition-time'), {}, now)
    for (const [offset, timestamp] of [500, 9e12, 520].entries()) world.push(at(0, offset, timestamp))
    world.buffer.endOfInput()
    const out = world.buffer.take()
    expect(out.map(({ timestamp, originalTimestamp }) => [timestamp, originalTimestamp])).toEqual(
      [
        [500, 500],
        [500, 9e12],
        [520, 520],
      ].slice(0, out.length),
    )
    expect(world.buffer.counts.clamped).toBe(1)
  })

  it('or hands it out as late, or refuses it', () => {
    const late = new World(1, guarded('late'), {}, now)
    late.feed(at(0, 0, 9e12))
    late.feed(at(0, 1, 500))
    expect(times(late.late)).toEqual([9e12])
    expect(late.buffer.counts.late).toBe(1)
    const strict = new World(1, guarded('fail'), {}, now)
    expect(() => strict.feed(at(0, 0, 9e12))).toThrow(
      /offset 0 of t-0 .* ahead of the clock of this process.*withFutureGuard/,
    )
  })
})

describe('a time that is none', () => {
  const odd = [Number.NaN, -1, 1.5, 2 ** 53]

  it.each(odd)('stops where the strategy does not say otherwise: %d', (timestamp) => {
    const world = new World(1, bounded(10))
    expect(() => world.feed(at(0, 0, timestamp))).toThrow(
      /offset 0 of t-0 cannot be ordered by time.*withInvalidTimestamp/,
    )
  })

  it.each(odd)('is dropped and counted, or ordered as the greatest time seen: %d', (timestamp) => {
    const skips = new World(1, bounded(10).withInvalidTimestamp('skip'))
    skips.feed(at(0, 0, timestamp))
    expect(skips.buffer.counts.skipped).toBe(1)
    expect(skips.partitions[0]?.position).toBe(1)
    const clamps = new World(1, bounded(10).withInvalidTimestamp('partition-time'))
    clamps.feed(at(0, 0, 70))
    clamps.feed(at(0, 1, timestamp))
    clamps.buffer.endOfInput()
    expect(clamps.buffer.take().map((record) => record.timestamp)).toEqual([70, 70])
  })
})

describe('bounds', () => {
  it('over the limit the oldest goes before its watermark, with all of its time, and says so', () => {
    const world = new World(1, bounded(1_000), { maxRecords: 3 })
    for (const [offset, timestamp] of [50, 40, 60, 40, 70].entries()) world.feed(at(0, offset, timestamp))
    expect(times(world.onTime)).toEqual([40, 40])
    expect(world.buffer.counts.forced).toBe(2)
    world.feed(at(0, 5, 40))
    expect(times(world.late)).toEqual([40])
  })

  it('or it is refused, with who it waits for', () => {
    const world = new World(2, bounded(1_000), { maxRecords: 3, whenFull: 'shut-down' })
    expect(() => {
      for (let offset = 0; offset < 9; offset += 1) world.feed(at(0, offset, offset))
    }).toThrow(/4 records.*waits for t-1.*emit-early/)
  })

  it('counts bytes too', () => {
    const world = new World(1, bounded(1_000), { maxBytes: 2 })
    for (const [offset, timestamp] of [50, 40, 60].entries()) world.feed(at(0, offset, timestamp))
    expect(times(world.onTime)).toEqual([40])
    expect(world.buffer.bufferedBytes).toBe(2)
  })
})

describe('reading follows what is kept', () => {
  it('rests a partition that is ahead of the slowest, and never the slowest', () => {
    const world = new World(2, bounded(10).withWatermarkAlignment({ maxDriftMs: 100 }))
    world.feed(at(1, 0, 20))
    world.feed(at(0, 0, 150))
    expect(world.buffer.flow()).toMatchObject({ pause: [{ topic: 't', partition: 0 }], resume: [] })
    expect(world.buffer.flow()).toEqual({ pause: [], resume: [], looked: [] })
    world.feed(at(1, 1, 90))
    expect(world.buffer.flow().resume).toEqual([])
    world.feed(at(1, 2, 110))
    expect(world.buffer.flow()).toMatchObject({ pause: [], resume: [{ topic: 't', partition: 0 }] })
  })

  it('lets the one go on that has become the slowest, though it sent nothing and as much is kept as before', () => {
    const world = new World(2, bounded(50), { maxRecords: 10 })
    world.feed(at(1, 0, 20))
    for (let offset = 0; offset < 6; offset += 1) world.feed(at(0, offset, 100 + offset))
    expect(world.buffer.flow()).toMatchObject({ pause: [{ topic: 't', partition: 0 }], resume: [] })
    world.feed(at(1, 1, 300))
    expect(world.buffer.bufferedRecords).toBe(7)
    expect(world.buffer.flow()).toMatchObject({
      pause: [{ topic: 't', partition: 1 }],
      resume: [{ topic: 't', partition: 0 }],
    })
  })

  it('lets one go on whose records were let go, though it sent nothing and is ahead', () => {
    const world = new World(2, bounded(50), { maxRecordsPerPartition: 4 })
    world.feed(at(1, 0, 20))
    for (const [offset, time] of [100, 101, 102, 103, 1_000].entries()) world.feed(at(0, offset, time))
    expect(world.buffer.flow()).toMatchObject({ pause: [{ topic: 't', partition: 0 }], resume: [] })
    world.feed(at(1, 1, 200))
    expect(world.buffer.flow()).toMatchObject({ pause: [], resume: [{ topic: 't', partition: 0 }] })
  })

  it('rests whoever is ahead of one that was idle and has something again', () => {
    const strategy = bounded(10).withIdleness({ maxIdleMs: 5 }).withWatermarkAlignment({ maxDriftMs: 100 })
    const world = new World(3, strategy)
    for (const record of [at(2, 0, 20), at(1, 0, 100), at(0, 0, 150)]) world.feed(record)
    for (const now of [0, 10]) {
      world.report(2, 1, 1)
      world.buffer.tick(now)
    }
    world.report(2, 1, 1)
    world.buffer.tick(20)
    world.buffer.flow()
    expect(world.partitions.map(({ activity, paused }) => [activity, paused])).toEqual([
      ['active', false],
      ['active', false],
      ['idle', false],
    ])
    world.buffer.fetched(world.partitions[2]!)
    world.buffer.release()
    expect(world.buffer.flow()).toMatchObject({ pause: [{ topic: 't', partition: 0 }], resume: [] })
  })

  it('never stands still: however slow handlers and pauses are, all of a finite input is handled', () => {
    const strategy = boundedOutOfOrderness(3)
      .withFutureGuard(false)
      .withIdleness({ maxIdleMs: 2 })
      .withWatermarkAlignment({ maxDriftMs: 4 })
    fc.assert(
      fc.property(
        logsWith(6, 40),
        fc.array(fc.record({ read: fc.nat(3), handle: fc.nat(3), delay: fc.nat(3) }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 2, max: 12 }),
        (logs, turns, maxRecords) => {
          const world = new World(logs.length, strategy, { maxRecords, maxRecordsPerPartition: 3 })
          const next = logs.map(() => 0)
          const paused = logs.map(() => 0)
          let now = 0
          const isDone = () => world.onTime.length + world.late.length === logs.flat().length
          for (let turn = 0; turn < 3_000 && !isDone(); turn += 1) {
            const { read, handle, delay } = turns[turn % turns.length]!
            now += 1
            world.buffer.tick(now)
            for (const [partition, log] of logs.entries()) {
              // A pause takes effect a while later, as a fetch that is on its way still comes.
              if (paused[partition]! > 0 && now >= paused[partition]!) {
                world.buffer.notRead(world.partitions[partition]!)
                continue
              }
              for (let one = 0; one <= read && next[partition]! < log.length; one += 1) {
                world.push(log[next[partition]!]!)
                next[partition]! += 1
              }
              const end = (log.at(-1)?.offset ?? -1) + 1
              world.report(partition, log[next[partition]!]?.offset ?? end, end)
            }
            world.buffer.release()
            world.handleAll(handle)
            const flow = world.buffer.flow()
            for (const { partition } of flow.pause) paused[partition] = now + delay
            for (const { partition } of flow.resume) paused[partition] = 0
            if (turns.every((one) => one.handle === 0)) world.handleAll(1)
          }
          expect(isDone()).toBe(true)
          expect(world.onTime).toEqual([...world.onTime].sort(inOrder))
        },
      ),
      runs(1_000),
    )
  })
})

describe('who rests', () => {
  it('is who would if all were looked at each time, though only those that changed are', () => {
    fc.assert(
      fc.property(
        logsWith(6, 40),
        fc.array(fc.record({ of: fc.nat(3), read: fc.nat(6), handle: fc.nat(4), wait: fc.nat(4) }), { minLength: 1 }),
        fc.constantFrom(0, 4, 8, Infinity),
        (logs, turns, maxDriftMs) => {
          const limits = { maxRecords: 20, maxBytes: 18, maxRecordsPerPartition: 6 }
          const strategy = bounded(2).withIdleness({ maxIdleMs: 6 })
          const aligned = maxDriftMs === Infinity ? strategy : strategy.withWatermarkAlignment({ maxDriftMs })
          const { buffer, partitions } = new World(logs.length, aligned, limits)
          const next = logs.map(() => 0)
          const rests = logs.map(() => false)
          let now = 0
          for (let turn = 0; turn < 80; turn += 1) {
            const { of, read, handle, wait } = turns[turn % turns.length]!
            const [partition, log] = [partitions[of % logs.length]!, logs[of % logs.length]!]
            buffer.tick((now += wait))
            // Who rests sends nothing.
            const most = partition.paused ? 0 : read
            for (const record of log.slice(next[of % logs.length], next[of % logs.length]! + most))
              buffer.push(partition, record.offset, record.timestamp, record, 1)
            next[of % logs.length]! += most
            if (next[of % logs.length]! >= log.length) buffer.reportEnd(partition, partition.position)
            buffer.release()
            for (const record of buffer.take(handle)) buffer.done(record)
            if (turn === 40 && logs.length > 1) buffer.revoke(partitions[logs.length - 1]!)
            buffer.flow()
            const present = partitions.slice(0, turn >= 40 && logs.length > 1 ? -1 : undefined)
            const least = Math.min(
              ...present.map(({ activity, watermark }) => (activity === 'active' ? watermark : Infinity)),
            )
            for (const [at, { activity, watermark, buffered }] of present.entries()) {
              const part = rests[at] ? 0.25 : 0.5
              const isAhead = activity === 'active' && watermark > least
              const drift = maxDriftMs * (rests[at] ? 0.5 : 1)
              rests[at] =
                buffer.readyRecords > limits.maxRecords * part ||
                (isAhead &&
                  (watermark > least + drift ||
                    buffered > limits.maxRecordsPerPartition * part * 2 ||
                    buffer.bufferedRecords > limits.maxRecords * part ||
                    buffer.bufferedBytes > limits.maxBytes * part))
            }
            expect(present.map(({ paused }) => paused)).toEqual(rests.slice(0, present.length))
          }
        },
      ),
      runs(1_000),
    )
  })
})

describe('an option that a strategy does not have', () => {
  const strategy = boundedOutOfOrderness(10)

  it.each<[string, () => unknown, RegExp]>([
    ['withIdleness', () => strategy.withIdleness({ idleMs: 5 } as never), /idleMs: is not an option.*maxIdleMs/],
    ['withFutureGuard', () => strategy.withFutureGuard({ futureMs: 5 } as never), /futureMs: is not an option/],
    ['withWatermarkAlignment', () => strategy.withWatermarkAlignment({ driftMs: 5 } as never), /driftMs: is not an/],
    ['adaptiveSlack', () => adaptiveSlack({ quantile: 0.9, maxMs: 5, slackMs: 1 } as never), /slackMs: is not an/],
  ])('is refused by name: %s', (_, give, message) => {
    expect(give).toThrow(message)
  })
})

describe('thousands of partitions', () => {
  it('that come together begin one order, and those that go together another: what is kept is ordered anew once', () => {
    const world = new World(4_000, bounded(10))
    for (let partition = 0; partition < 4_000; partition += 1) world.push(at(partition, 0, 100 + (partition % 7)))
    world.buffer.release()
    expect([world.buffer.epoch, world.buffer.bufferedRecords]).toEqual([1, 4_000])
    for (const partition of world.partitions.slice(0, 3_000)) world.buffer.revoke(partition)
    expect([world.buffer.epoch, world.buffer.bufferedRecords]).toEqual([2, 1_000])
    world.buffer.endOfInput()
    world.handleAll()
    expect(world.onTime).toEqual([...world.onTime].sort(inOrder))
    expect(world.onTime.every(({ partition }) => partition >= 3_000)).toBe(true)
  })

  it('are not looked at behind what comes of a few others', () => {
    const { buffer, partitions } = new World(4_000, bounded(10))
    for (const [number, partition] of partitions.entries()) buffer.push(partition, 0, 100, at(number, 0, 100), 1)
    buffer.release()
    buffer.flow()
    for (const number of [7, 3_999]) {
      buffer.push(partitions[number]!, 1, 100 + number, at(number, 1, 100 + number), 1)
      buffer.release()
      expect(buffer.flow().looked).toEqual([partitions[number]])
    }
  })

  it('tell a commit in between no more of the order than they did before', () => {
    const world = new World(2, bounded(10))
    for (const record of [at(0, 0, 100), at(1, 0, 100), at(0, 1, 150), at(1, 1, 150)]) world.feed(record)
    const before = world.snapshot(0)
    expect(before?.threshold.timestamp).toBe(139)
    world.buffer.revoke(world.partitions[1]!)
    expect(world.snapshot(0)).toEqual(before)
    world.assign(2)
    expect([world.snapshot(0), world.snapshot(2)]).toEqual([before, null])
    world.buffer.release()
    expect([world.snapshot(0), world.snapshot(2)]).toEqual([before, null])
  })
})
