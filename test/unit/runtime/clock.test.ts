import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/runtime/clock.js'
import { onAbort } from '../../../src/runtime/on-abort.js'

describe('a timer of the system clock', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  const longestOfNode = 2_147_483_647

  it('that is longer than Node can wait does not fire at once', () => {
    let fired = 0
    systemClock.setTimer(2 * longestOfNode + 10, () => (fired += 1))
    vi.advanceTimersByTime(2 * longestOfNode + 9)
    expect(fired).toBe(0)
    vi.advanceTimersByTime(1)
    expect(fired).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that never ends can be cancelled, also after it was armed again', () => {
    let fired = 0
    const timer = systemClock.setTimer(Infinity, () => (fired += 1))
    vi.advanceTimersByTime(longestOfNode + 1)
    expect(vi.getTimerCount()).toBe(1)
    timer.cancel()
    expect(vi.getTimerCount()).toBe(0)
    expect(fired).toBe(0)
  })
})

describe('timers of the system clock', () => {
  it('fire no sooner by its own reading, so whoever looks then finds that it is time', async () => {
    const early: number[] = []
    const timers = Array.from({ length: 400 }, async (_, index) => {
      await systemClock.sleep(index / 7) // so that they begin at all parts of a millisecond
      const dueAt = systemClock.now() + 5
      await new Promise<void>((fired) => systemClock.setTimer(5, fired))
      if (systemClock.now() < dueAt) early.push(dueAt - systemClock.now())
    })
    await Promise.all(timers)
    expect(early).toEqual([])
  })
})

describe('waits that end with one signal', () => {
  it('may be many: no warning, since they share one listener', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    const ending = new AbortController()
    const over = Array.from({ length: 20 }, () => systemClock.sleep(1, ending.signal))
    const ended = Array.from({ length: 20 }, () => systemClock.sleep(60_000, ending.signal))
    await Promise.all(over)
    expect(getEventListeners(ending.signal, 'abort').length).toBe(1)
    const rejected = Promise.allSettled(ended)
    ending.abort(new Error('over'))
    expect((await rejected).every(({ status }) => status === 'rejected')).toBe(true)
    expect(getEventListeners(ending.signal, 'abort').length).toBe(0)
    await systemClock.sleep(5)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('end one after another, and what one of them stops does not run', () => {
    const ending = new AbortController()
    const ran: string[] = []
    const waits = ['first', 'second', 'third'].map((name, index) =>
      onAbort(ending.signal, () => {
        ran.push(name)
        if (index === 0) waits[1]?.()
      }),
    )
    ending.abort()
    expect(ran).toEqual(['first', 'third'])
  })
})
