import { describe, expect, it } from 'vitest'
import { runSeed } from './run-seed.js'

describe('simulation', () => {
  it('repeats exactly for the same seed, and differs between seeds', async () => {
    const [first, second, other] = [await runSeed(42), await runSeed(42), await runSeed(43)]
    expect(second).toEqual(first)
    expect(first.outcome).toBe('passed')
    expect(other.hash).not.toBe(first.hash)
  })
})
