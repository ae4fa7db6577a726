import { expect, it } from 'vitest'
import { commitDelayMs, commitDue } from '../../../src/offsets/commit-policy.js'

it("commits after every record under 'each'", () => {
  expect(commitDue('each', 0)).toBe(false)
  expect(commitDue('each', 1)).toBe(true)
  expect(commitDelayMs('each')).toBe(0)
})

it('commits after so many records, or after so much time', () => {
  const policy = { everyMs: 5_000, everyMessages: 10 }
  expect(commitDue(policy, 9)).toBe(false)
  expect(commitDue(policy, 10)).toBe(true)
  expect(commitDelayMs(policy)).toBe(5_000)
})
