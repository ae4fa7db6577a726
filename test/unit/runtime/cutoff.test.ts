import { describe, expect, it } from 'vitest'
import { Cutoff } from '../../../src/runtime/cutoff.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

function watched(at: number) {
  const clock = virtualClock()
  const begun = clock.now()
  const cutoff = new Cutoff(clock, begun + at)
  let reachedAfter: number | null = null
  void cutoff.reached.then(() => {
    reachedAfter = clock.now() - begun
  })
  return { clock, begun, cutoff, reachedAfter: () => reachedAfter }
}

describe('a cutoff', () => {
  it('comes at its moment', async () => {
    const { clock, reachedAfter } = watched(100)
    await clock.advance(99)
    expect(reachedAfter()).toBeNull()
    await clock.advance(1)
    expect(reachedAfter()).toBe(100)
  })

  it('can be brought forward, also into the past, and never put off', async () => {
    const { clock, begun, cutoff, reachedAfter } = watched(100)
    cutoff.bringForward(begun + 50)
    cutoff.bringForward(begun + 80)
    expect(cutoff.at).toBe(begun + 50)
    await clock.advance(20)
    cutoff.bringForward(begun + 10)
    await clock.advance(0)
    expect(reachedAfter()).toBe(20)
    expect(clock.pendingTimers).toBe(0)
  })

  it('that is never can still be brought forward', async () => {
    const { clock, begun, cutoff, reachedAfter } = watched(Infinity)
    expect(clock.pendingTimers).toBe(0)
    cutoff.bringForward(begun + 30)
    await clock.advance(30)
    expect(reachedAfter()).toBe(30)
  })

  it('leaves no timer behind when it is cancelled, and does not come', async () => {
    const { clock, begun, cutoff, reachedAfter } = watched(100)
    cutoff.cancel()
    expect(clock.pendingTimers).toBe(0)
    cutoff.bringForward(begun)
    await clock.advance(200)
    expect(reachedAfter()).toBeNull()
  })
})
