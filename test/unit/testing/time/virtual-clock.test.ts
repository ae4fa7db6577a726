import { describe, expect, it } from 'vitest'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'

describe('virtual clock', () => {
  it('stands still until told to run', async () => {
    const clock = virtualClock({ start: 1_000 })
    let fired = 0
    clock.setTimer(0, () => (fired += 1))
    await Promise.resolve()
    expect([clock.now(), fired]).toEqual([1_000, 0])
  })

  it('fires timers in order of time and then of creation, at their own time', async () => {
    const clock = virtualClock({ start: 0 })
    const seen: string[] = []
    const note = (name: string) => () => seen.push(`${name}@${clock.now()}`)
    clock.setTimer(20, note('c'))
    clock.setTimer(10, note('a'))
    clock.setTimer(10, note('b'))
    clock.defer(note('now'))
    await clock.advance(15)
    expect(seen).toEqual(['now@0', 'a@10', 'b@10'])
    expect(clock.now()).toBe(15)
    await clock.advance(5)
    expect(seen.at(-1)).toBe('c@20')
  })

  it('shows whole milliseconds, as every clock does, and fires no timer early', async () => {
    const clock = virtualClock({ start: 0 })
    const seen: number[] = []
    clock.setTimer(0.7, () => {
      const from = clock.now()
      clock.setTimer(10, () => seen.push(from, clock.now()))
    })
    await clock.advance(10.5)
    expect([seen, clock.now()]).toEqual([[], 10])
    await clock.advance(0.5)
    expect(seen).toEqual([0, 10])
  })

  it('lets a long chain of promises happen before the next timer', async () => {
    const clock = virtualClock()
    const seen: string[] = []
    clock.setTimer(1, () => {
      void (async () => {
        for (let step = 0; step < 500; step += 1) await Promise.resolve()
        seen.push('chain')
      })()
    })
    clock.setTimer(1, () => seen.push('next timer'))
    await clock.advance(1)
    expect(seen).toEqual(['chain', 'next timer'])
  })

  it('never fires a cancelled timer, however many there are', async () => {
    const clock = virtualClock()
    let fired = 0
    const timers = Array.from({ length: 5_000 }, (_, index) => clock.setTimer(index % 7, () => (fired += 1)))
    for (const [index, timer] of timers.entries()) if (index % 5 !== 0) timer.cancel()
    expect(clock.pendingTimers).toBe(1_000)
    await clock.runUntilIdle()
    expect(fired).toBe(1_000)
    timers[0]!.cancel()
    expect(clock.pendingTimers).toBe(0)
  })

  it('fires timers that timers set within the time advanced', async () => {
    const clock = virtualClock({ start: 0 })
    const seen: number[] = []
    const again = () => {
      seen.push(clock.now())
      clock.setTimer(10, again)
    }
    clock.setTimer(10, again)
    await clock.advance(35)
    expect(seen).toEqual([10, 20, 30])
  })

  it('runs until a promise settles and gives its result', async () => {
    const clock = virtualClock({ start: 0 })
    const result = await clock.runUntil(clock.sleep(500).then(() => 'done'))
    expect([result, clock.now()]).toEqual(['done', 500])
    await expect(clock.runUntil(clock.sleep(1).then(() => Promise.reject(new Error('no'))))).rejects.toThrow('no')
  })

  it('runs until a predicate holds and no further', async () => {
    const clock = virtualClock({ start: 0 })
    let count = 0
    const tick = () => {
      count += 1
      clock.setTimer(100, tick)
    }
    tick()
    await clock.runUntil(() => count === 4)
    expect(clock.now()).toBe(300)
  })

  it('says that the goal cannot be reached instead of hanging', async () => {
    const clock = virtualClock()
    await expect(clock.runUntil(new Promise(() => undefined))).rejects.toMatchObject({ code: 'nothing-left-to-happen' })
    const tick = () => void clock.setTimer(10, tick)
    tick()
    await expect(clock.runUntil(() => false, { limitMs: 100 })).rejects.toMatchObject({ code: 'virtual-time-limit' })
  })

  it('refuses to run twice at once', async () => {
    const clock = virtualClock()
    const first = clock.advance(10)
    await expect(clock.advance(10)).rejects.toMatchObject({ code: 'already-running' })
    await first
  })

  it('rejects a sleep as soon as its signal aborts', async () => {
    const clock = virtualClock()
    const abort = new AbortController()
    const sleep = clock.sleep(1_000, abort.signal)
    abort.abort(new Error('enough'))
    await expect(sleep).rejects.toThrow('enough')
    expect(clock.pendingTimers).toBe(0)
  })
})
