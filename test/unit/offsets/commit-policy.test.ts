import { expect, it } from 'vitest'
import { commitDue } from '../../../src/offsets/commit-policy.js'

it("commits after every record under 'each'", () => {
  expect(commitDue('each', 0)).toBe(false)
  expect(commitDue('each', 1)).toBe(true)
})

it('commits after so many records', () => {
  const policy = { everyMs: 5_000, everyMessages: 10 }
  expect(commitDue(policy, 9)).toBe(false)
  expect(commitDue(policy, 10)).toBe(true)
})

it("leaves it to the pace under 'closely'", () => {
  expect(commitDue('closely', 1_000_000)).toBe(false)
})
