import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withinDeadline } from '../../../src/runtime/within-deadline.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const unhandled: unknown[] = []
const note = (reason: unknown) => unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(() => {
  process.off('unhandledRejection', note)
})

function world() {
  const clock = virtualClock()
  let resolve!: (value: string) => void
  let reject!: (error: Error) => void
  const work = new Promise<string>((done, failed) => {
    resolve = done
    reject = failed
  })
  const late = () => {
    throw new Error('too late')
  }
  return { clock, work, resolve, reject, late, in: (ms: number) => clock.now() + ms }
}

describe('a wait with a deadline', () => {
  it('ends as the work does, and leaves no timer', async () => {
    const { clock, work, resolve, late, in: within } = world()
    const waited = withinDeadline(work, { clock, deadline: within(1_000), onLate: late })
    clock.setTimer(500, () => resolve('done'))
    expect(await clock.runUntil(waited)).toBe('done')
    expect(clock.pendingTimers).toBe(0)
  })

  it('shares one listener of a signal with all others, so that Node takes none for a leak', async () => {
    const { clock, work, resolve, late } = world()
    const { signal } = new AbortController()
    const waits = Array.from({ length: 20 }, () =>
      withinDeadline(work, { clock, deadline: Infinity, signal, onLate: late }),
    )
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    resolve('done')
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['done']))
  })

  it('rejects as the work does, and leaves no timer', async () => {
    const { clock, work, reject, late, in: within } = world()
    const waited = withinDeadline(work, { clock, deadline: within(1_000), onLate: late })
    clock.setTimer(500, () => reject(new Error('broken')))
    await expect(clock.runUntil(waited)).rejects.toThrow('broken')
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends by onLate exactly at the deadline, with its value or its error', async () => {
    const { clock, work, late, in: within } = world()
    const startedAt = clock.now()
    const value = withinDeadline(work, { clock, deadline: within(1_000), onLate: () => 7 })
    const error = withinDeadline(work, { clock, deadline: within(1_000), onLate: late })
    error.catch(() => undefined)
    expect(await clock.runUntil(value)).toBe(7)
    await expect(clock.runUntil(error)).rejects.toThrow('too late')
    expect(clock.now() - startedAt).toBe(1_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no unhandled rejection when the work fails after the deadline', async () => {
    const { clock, work, reject, in: within } = world()
    await clock.runUntil(withinDeadline(work, { clock, deadline: within(10), onLate: () => 'late' }))
    reject(new Error('nobody waits any more'))
    await clock.advance(1)
    expect(unhandled).toEqual([])
  })

  it('prefers work that is done over a deadline that has passed', async () => {
    const { clock, late, in: within } = world()
    const waited = withinDeadline(Promise.resolve('done'), { clock, deadline: within(-5), onLate: late })
    expect(await clock.runUntil(waited)).toBe('done')
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends at once with the reason of a signal, and leaves no timer', async () => {
    const { clock, work, late, in: within } = world()
    const abort = new AbortController()
    const waited = withinDeadline(work, { clock, deadline: within(1_000), signal: abort.signal, onLate: late })
    clock.setTimer(5, () => abort.abort(new Error('never mind')))
    await expect(clock.runUntil(waited)).rejects.toThrow('never mind')
    const again = withinDeadline(work, { clock, deadline: within(1_000), signal: abort.signal, onLate: late })
    await expect(clock.runUntil(again)).rejects.toThrow('never mind')
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([60 * 86_400_000, Infinity])('waits as long as it was told to: %d ms', async (ms) => {
    const { clock, work, resolve, late, in: within } = world()
    const waited = withinDeadline(work, { clock, deadline: within(ms), onLate: late })
    clock.setTimer(50 * 86_400_000, () => resolve('done'))
    expect(await clock.runUntil(waited, { limitMs: 100 * 86_400_000 })).toBe('done')
    expect(clock.pendingTimers).toBe(0)
  })
})
