import { describe, expect, it } from 'vitest'
import { describeFailure, runSeed } from './run-seed.js'

/** One test for a row of seeds: it tells of every seed that breaks a promise, with the line that replays it. */
export function expectSeeds(from: number, count: number): void {
  describe('nothing acknowledged is lost, doubled or out of order, and nothing unsettled is committed', () => {
    it(`in seeds ${from} to ${from + count - 1}`, { timeout: 120_000 }, async () => {
      const failures: string[] = []
      for (let seed = from; seed < from + count; seed += 1) {
        const result = await runSeed(seed)
        if (result.outcome === 'failed') failures.push(describeFailure(result))
      }
      expect(failures.join('\n\n')).toBe('')
    })
  })
}
