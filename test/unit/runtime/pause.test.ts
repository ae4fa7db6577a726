import { describe, expect, it } from 'vitest'
import { pause } from '../../../src/runtime/pause.js'
import { whenAborted } from '../../../src/runtime/when-aborted.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

describe('a pause', () => {
  it('lasts as long as it was asked for', async () => {
    const clock = virtualClock()
    const begun = clock.now()
    let endedAt: number | null = null
    void pause(clock, 300).then(() => (endedAt = clock.now()))
    await clock.advance(1_000)
    expect(endedAt).toBe(begun + 300)
  })

  it('ends without an error and leaves no timer when its signal aborts, or has aborted', async () => {
    const clock = virtualClock()
    const over = new AbortController()
    const waiting = pause(clock, 60_000, over.signal)
    over.abort(new Error('over'))
    await waiting
    await pause(clock, 60_000, over.signal)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a wait for a signal', () => {
  it('ends when it aborts, and at once when it has', async () => {
    const over = new AbortController()
    let ended = false
    const waiting = whenAborted(over.signal).then(() => (ended = true))
    await Promise.resolve()
    expect(ended).toBe(false)
    over.abort()
    await waiting
    await whenAborted(over.signal)
  })
})
