import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyedLanes } from '../../../src/runtime/keyed-lanes.js'
import type { Clock } from '../../../src/runtime/clock.js'
import type { LaneGroup } from '../../../src/runtime/lane-group.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

interface Task {
  next: Task | null
  hasPlace: boolean
  lane: object | null
  readonly key: string | null
  readonly number: number
  readonly durationMs: number
}

const bytes = (key: string) => Buffer.from(key)

const task = (key: string | null, number: number, durationMs = 0): Task => ({
  next: null,
  hasPlace: false,
  lane: null,
  key,
  number,
  durationMs,
})

function setUp(concurrency: number) {
  const clock = virtualClock()
  const log: string[] = []
  const running = new Set<Task>()
  let mostRunning = 0
  const defects: unknown[] = []
  const lanes = new KeyedLanes<Task>({
    concurrency,
    clock,
    onDefect: (error) => defects.push(error),
    run: (one, ended) => {
      for (const other of running) if (one.key !== null) expect(other.key).not.toBe(one.key)
      running.add(one)
      mostRunning = Math.max(mostRunning, running.size)
      log.push(`${one.key}${one.number}`)
      if (one.durationMs < 0) {
        running.delete(one)
        throw new Error('defect')
      }
      if (one.durationMs === 0) {
        running.delete(one)
        return 'ended'
      }
      void clock.sleep(one.durationMs).then(() => {
        running.delete(one)
        ended(one)
      })
      return 'later'
    },
  })
  return { clock, log, lanes, defects, most: () => mostRunning }
}

describe('keyed lanes', () => {
  it('run tasks of a key one after another and in order, whatever their durations', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(5)), { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        async (list, concurrency) => {
          const { clock, lanes, log, most } = setUp(concurrency)
          const group = lanes.group()
          for (const [number, [key, durationMs]] of list.entries())
            group.push(bytes(key), task(key, number, durationMs))
          await clock.runUntilIdle()
          expect(log.length).toBe(list.length)
          expect(most()).toBeLessThanOrEqual(concurrency)
          for (const key of ['a', 'b', 'c']) {
            const numbers = log.filter((entry) => entry.startsWith(key)).map((entry) => Number(entry.slice(1)))
            expect(numbers).toEqual([...numbers].sort((left, right) => left - right))
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('run different keys, and tasks without a key, side by side up to the limit', async () => {
    const { clock, lanes, most } = setUp(4)
    const group = lanes.group()
    for (let number = 0; number < 6; number++) group.push(null, task(null, number, 10))
    group.push(bytes('a'), task('a', 0, 10))
    await clock.runUntilIdle()
    expect(most()).toBe(4)
  })

  it('give groups with work their turns, so a busy one starves no other', async () => {
    const { clock, lanes, log } = setUp(1)
    const busy = lanes.group()
    const quiet = lanes.group()
    for (let number = 0; number < 1000; number++) busy.push(bytes(`k${number}`), task('busy', number, 1))
    quiet.push(bytes('q'), task('quiet', 0, 1))
    await clock.runUntilIdle()
    expect(log.indexOf('quiet0')).toBeLessThan(3)
  })

  it('never share a lane between equal keys of two groups', async () => {
    const { clock, lanes, log } = setUp(2)
    lanes.group().push(bytes('a'), { ...task(null, 1, 100) })
    lanes.group().push(bytes('a'), { ...task(null, 2, 100) })
    await clock.advance(1)
    expect(log).toEqual(['null1', 'null2'])
  })

  it('leave nothing behind of 100,000 keys', async () => {
    const { clock, lanes, log } = setUp(64)
    const group = lanes.group()
    for (let number = 0; number < 100_000; number++) group.push(bytes(`k${number}`), task(null, number))
    expect(group.lanes).toBe(100_000)
    await clock.runUntilIdle()
    expect(log.length).toBe(100_000)
    expect(group.lanes).toBe(0)
    expect(group.queued).toBe(0)
  })

  it('start nothing while a group is held, and go on when every hold is released', async () => {
    const { clock, lanes, log } = setUp(2)
    const group = lanes.group()
    group.push(bytes('a'), task('a', 0))
    group.hold()
    group.hold()
    group.push(bytes('b'), task('b', 0))
    group.release()
    await clock.runUntilIdle()
    expect(log).toEqual([])
    group.release()
    await clock.runUntilIdle()
    expect(log).toEqual(['a0', 'b0'])
  })

  it('drop what waits when a group closes, and tell when what runs has ended', async () => {
    const { clock, lanes, log } = setUp(1)
    const group = lanes.group()
    for (let number = 0; number < 3; number++) group.push(bytes('a'), task('a', number, 10))
    await clock.advance(5)
    expect(group.close()).toBe(2)
    group.push(bytes('a'), task('a', 9))
    let idle = false
    void group.whenIdle().then(() => {
      idle = true
    })
    await clock.advance(4)
    expect(idle).toBe(false)
    await clock.advance(2)
    expect(idle).toBe(true)
    expect(log).toEqual(['a0'])
  })

  it('go on after a task that threw, and report it', async () => {
    const { clock, lanes, log, defects } = setUp(1)
    const group = lanes.group()
    group.push(bytes('a'), task('a', 0, -1))
    group.push(bytes('a'), task('a', 1))
    await clock.runUntilIdle()
    expect(log).toEqual(['a0', 'a1'])
    expect(defects.length).toBe(1)
  })

  it('let timers and sockets have their turn between many tasks that end at once', async () => {
    const { clock, lanes, log } = setUp(1)
    const group = lanes.group()
    for (let number = 0; number < 5_000; number++) group.push(bytes('a'), task('a', number))
    let seen = -1
    clock.defer(() => clock.defer(() => (seen = log.length)))
    await clock.runUntilIdle()
    expect(log.length).toBe(5_000)
    expect(seen).toBeGreaterThan(0)
    expect(seen).toBeLessThan(5_000)
  })
})

describe('groups that take turns', () => {
  /** Two groups with so many tasks each, one at a time. */
  async function turnsOf(count: number, endsLater: (ended: () => void, clock: Clock) => void, keys: 1 | 2) {
    const clock = virtualClock()
    const log: string[] = []
    const lanes = new KeyedLanes<Task>({
      concurrency: 1,
      clock,
      onDefect: (error) => log.push(String(error)),
      run: (one, ended) => {
        log.push(one.key ?? '')
        endsLater(() => ended(one), clock)
        return 'later'
      },
    })
    for (const name of ['a', 'b']) {
      const group = lanes.group()
      for (let number = 0; number < count; number++) group.push(bytes(`${number % keys}`), task(name, number))
    }
    await clock.runUntilIdle()
    return log
      .join('')
      .match(/a+|b+/g)!
      .map((row) => row.length)
  }

  it.each([1, 2] as const)('have some short tasks each, and never more than 63 (%i key(s))', async (keys) => {
    const soon = (ended: () => void) => void Promise.resolve().then(ended)
    const rows = await turnsOf(200, soon, keys)
    expect(Math.max(...rows)).toBe(63)
    expect(rows.length).toBeLessThanOrEqual(16)
  })

  it('end the short tasks that they have made before they leave their turn, so that nothing made waits', async () => {
    const clock = virtualClock()
    const left: number[] = []
    let turn = ''
    const groups = new Map<string, LaneGroup<Task>>()
    const lanes = new KeyedLanes<Task>({
      concurrency: 1,
      clock,
      onDefect: (error) => left.push(Number(error)),
      run: (one, ended) => {
        const name = one.key ?? ''
        if (name !== turn) left.push(groups.get(turn)?.queued ?? 0)
        turn = name
        void Promise.resolve().then(() => ended(one))
        return 'later'
      },
    })
    for (const name of ['a', 'b', 'c']) {
      const counts = [14, 32, 32, 9, 32, 32, 32, 5]
      const group: LaneGroup<Task> = lanes.group({
        canRefill: () => group.lanes === 0 && counts.length > 0,
        refill: () => {
          const count = counts.shift() ?? 0
          for (let number = 0; number < count; number++) group.push(bytes('one'), task(name, number))
        },
      })
      groups.set(name, group)
      group.supplied()
    }
    await clock.runUntilIdle()
    expect(left.length).toBeGreaterThan(6)
    expect(Math.max(...left)).toBe(0)
  })

  it.each([1, 2] as const)('have one task each that takes a turn of the event loop (%i key(s))', async (keys) => {
    const later = (ended: () => void, clock: Clock) => clock.defer(() => clock.defer(ended))
    const rows = await turnsOf(20, later, keys)
    expect(Math.max(...rows)).toBeLessThanOrEqual(2)
  })
})

describe('a task that gives its place back', () => {
  /** Each task waits where the test says so. */
  function waiting(concurrency: number) {
    const clock = virtualClock()
    const log: string[] = []
    const waits = new Map<number, () => void>()
    const lanes = new KeyedLanes<Task>({
      concurrency,
      clock,
      onDefect: (error) => log.push(String(error)),
      run: (one, ended) => {
        void runOne(one).then(() => ended(one))
        return 'later'
      },
    })
    const runOne = async (one: Task) => {
      log.push(`begins ${one.number}`)
      if (one.durationMs > 0) {
        group.giveBack(one)
        await new Promise<void>((resolve) => waits.set(one.number, resolve))
        log.push(`${one.number} ${(await group.takeAgain(one)) ? 'goes on' : 'is told to end'}`)
        await clock.sleep(one.durationMs)
      }
      log.push(`ends ${one.number}`)
    }
    const group = lanes.group()
    return { clock, log, waits, lanes, group }
  }

  it('lets others run, keeps its lane, and comes before what has not begun when it wants one again', async () => {
    const { clock, log, waits, lanes, group } = waiting(1)
    group.push(bytes('a'), task('a', 1, 10))
    group.push(bytes('a'), task('a', 2))
    group.push(bytes('b'), task('b', 3, 10))
    await clock.advance(0)
    expect(log).toEqual(['begins 1', 'begins 3'])
    expect(lanes.running).toBe(0)
    group.push(bytes('c'), task('c', 4))
    waits.get(1)?.()
    waits.get(3)?.()
    await clock.advance(5)
    expect(log.slice(2)).toEqual(['1 goes on'])
    await clock.advance(100)
    expect(log.slice(3)).toEqual(['ends 1', '3 goes on', 'ends 3', 'begins 4', 'ends 4', 'begins 2', 'ends 2'])
    expect(lanes.running).toBe(0)
  })

  it('is told to end when its group was closed meanwhile, and waits while it is held', async () => {
    const { clock, log, waits, group } = waiting(1)
    group.push(bytes('a'), task('a', 1, 10))
    await clock.advance(0)
    group.hold()
    waits.get(1)?.()
    await clock.advance(100)
    expect(log).toEqual(['begins 1'])
    const { closing } = group
    group.close()
    await clock.advance(100)
    expect(log).toEqual(['begins 1', '1 is told to end', 'ends 1'])
    expect(closing.aborted).toBe(true)
  })

  it('waits in a narrow group until one is let through; what has not begun takes turns with it', async () => {
    const { clock, log, waits, group } = waiting(4)
    group.push(bytes('a'), task('a', 1, 10))
    group.push(bytes('b'), task('b', 2, 10))
    await clock.advance(0)
    group.narrow()
    for (const number of [3, 4]) group.push(bytes(`k${number}`), task(`k${number}`, number))
    waits.get(1)?.()
    waits.get(2)?.()
    await clock.advance(100)
    expect(log.splice(0)).toEqual(['begins 1', 'begins 2'])
    for (const lines of [
      ['1 goes on', 'ends 1'],
      ['begins 3', 'ends 3'],
      ['2 goes on', 'ends 2'],
    ]) {
      group.letOne()
      await clock.advance(100)
      expect(log.splice(0)).toEqual(lines)
    }
    group.hold()
    group.letOne()
    await clock.advance(100)
    expect(log).toEqual([])
    group.release()
    group.widen()
    await clock.advance(100)
    expect(log).toEqual(['begins 4', 'ends 4'])
  })

  it('that waits for a place while its group becomes narrow begins no more than others', async () => {
    const { clock, log, waits, group } = waiting(1)
    group.push(bytes('a'), task('a', 1, 10))
    group.push(bytes('b'), task('b', 2, 10))
    await clock.advance(0)
    waits.get(1)?.()
    waits.get(2)?.()
    await clock.advance(0)
    group.narrow()
    await clock.advance(100)
    expect(log.slice(2)).toEqual(['1 goes on', 'ends 1'])
    group.letOne()
    await clock.advance(100)
    expect(log.slice(4)).toEqual(['2 goes on', 'ends 2'])
  })
})
