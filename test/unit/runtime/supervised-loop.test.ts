import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/runtime/random.js'
import { SupervisedLoop } from '../../../src/runtime/supervised-loop.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

/** A loop whose runs crash as often as told; a crash is followed by 100 ms for each in a row. */
function crashing(times: number) {
  const clock = virtualClock()
  const begun = clock.now()
  const runs: number[] = []
  const crashes: [message: string, restartMs: number][] = []
  let left = times
  const loop = new SupervisedLoop(
    async () => {
      runs.push(clock.now() - begun)
      await Promise.resolve()
      if (left-- > 0) throw new Error('defect')
    },
    {
      runtime: { clock, random: seededRandom(1) },
      backoff: (attempt) => attempt * 100,
      onCrash: (error, restartMs) => crashes.push([(error as Error).message, restartMs]),
    },
  )
  return { clock, loop, runs, crashes }
}

describe('a supervised loop', () => {
  it('that crashes is told and runs again, later after each crash in a row', async () => {
    const { clock, loop, runs, crashes } = crashing(2)
    loop.wake()
    await clock.advance(1_000)
    expect(runs).toEqual([0, 100, 300])
    expect(crashes).toEqual([
      ['defect', 100],
      ['defect', 200],
    ])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is not woken out of its pause, and loses no wake-up by it', async () => {
    const { clock, loop, runs } = crashing(1)
    loop.wake()
    await clock.advance(50)
    loop.wake()
    loop.wake()
    await clock.advance(1_000)
    expect(runs).toEqual([0, 100])
    loop.wake()
    await clock.advance(0)
    expect(runs).toEqual([0, 100, 1_050])
  })

  it('runs once more for a wake-up that came during a run that crashed, after the pause', async () => {
    const { clock, loop, runs } = crashing(1)
    loop.wake()
    loop.wake()
    await clock.advance(1_000)
    expect(runs).toEqual([0, 100])
  })

  it('forgets its crashes once a run ends well', async () => {
    const { clock, loop, crashes } = crashing(1)
    loop.wake()
    await clock.advance(1_000)
    loop.wake()
    await clock.advance(1_000)
    expect(crashes).toEqual([['defect', 100]])
  })

  it('does not run again once it is closed', async () => {
    const { clock, loop, runs } = crashing(1)
    loop.wake()
    await clock.advance(10)
    loop.close()
    loop.wake()
    await clock.advance(1_000)
    expect(runs).toEqual([0])
    expect(clock.pendingTimers).toBe(0)
  })
})
