import { describe, expect, it } from 'vitest'
import { coverageTable, shortfalls } from './coverage.js'
import { runSeeds } from './run-many.js'

/** One test for a row of seeds: it tells of every seed that breaks a promise, with the line that replays it. */
export function expectSeeds(from: number, count: number): void {
  describe('nothing acknowledged is lost, doubled or out of order, and nothing unsettled is committed', () => {
    it(`in seeds ${from} to ${from + count - 1}, which meet what they are meant to`, { timeout: 120_000 }, async () => {
      const failures: string[] = []
      const seeds = Array.from({ length: count }, (_, index) => from + index)
      const { coverage, passed } = await runSeeds(seeds, (description) => {
        failures.push(description)
        return 'go-on'
      })
      expect(failures.join('\n\n')).toBe('')
      expect(shortfalls(coverage, passed), coverageTable(coverage)).toEqual([])
    })
  })
}
