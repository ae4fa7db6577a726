import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mutants } from '../../mutants/mutants.js'

/** The bugs themselves are planted by `npm run mutants`; here only that each of them still can be. */
describe('the planted bugs', () => {
  it.each(mutants)('$name: the text it replaces stands once in its file', ({ file, find, replace }) => {
    expect(existsSync(file), file).toBe(true)
    expect(readFileSync(file, 'utf8').split(find).length - 1).toBe(1)
    expect(replace).not.toBe(find)
  })

  it('are judged by tests that exist, under names that differ', () => {
    expect(mutants.filter(({ units }) => units !== undefined && !existsSync(units))).toEqual([])
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })
})
