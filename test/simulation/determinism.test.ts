import { describe, expect, it } from 'vitest'
import { runSeed } from './run-seed.js'

describe('simulation', () => {
  it.each([7, 42, 43])('repeats exactly for the same seed (%i)', async (seed) => {
    const first = await runSeed(seed)
    const second = await runSeed(seed)
    expect(second).toEqual(first)
    expect(first.outcome).toBe('passed')
  })

  it('differs between seeds', async () => {
    const hashes = await Promise.all([11, 12, 13].map(async (seed) => (await runSeed(seed)).hash))
    expect(new Set(hashes).size).toBe(3)
  })
})
