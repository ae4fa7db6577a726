import { expect, it } from 'vitest'
import { memory } from 'tidemark/memory'
import { catchUp } from '../../../examples/alarm/workloads/catch-up.js'
import { withStores } from '../../../examples/alarm/workloads/fresh.js'

it('a backlog raises the level step by step, nothing fatal is missed, all that began ends, and the level is 0 again', async () => {
  const found = await withStores((stores) =>
    catchUp({ driver: memory(), stores, hosts: 60, seed: 1, backlog: 4_000, lookEveryMs: 50 }),
  )
  const { fatal, stored, shed, sent, levels } = found
  expect(levels.slice(0, 3)).toEqual([1, 2, 3])
  expect(levels.at(-1)).toBe(0)
  expect(found.raised).toEqual({ looked: expect.stringMatching(/times a lag that raises$/) as string, wrong: [] })
  expect(fatal.owed).toBeGreaterThan(10)
  expect(fatal).toEqual({ owed: fatal.owed, began: fatal.owed, ended: fatal.owed })
  expect(found.openOthers).toBe(0)
  expect(shed).toBeGreaterThan(0)
  expect(stored + shed).toBe(sent)
  expect(found.holds).toBe(true)
})
