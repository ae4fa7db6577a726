import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { basics } from './basics-output.js'
import { runExample } from './run-example.js'

/** Each takes about a second; the limit is for machines that do much else. */
const limitMs = 60_000

it.concurrent.each(basics)(
  'basics/%s runs alone, prints what it shows and ends',
  async (file, output) => {
    const ended = await runExample(`basics/${file}`, { limitMs })
    expect(ended.output).toMatch(output)
    expect(ended.code).toBe(0)
  },
  limitMs + 5_000,
)

it('every basic example is run', () => {
  const files = readdirSync(new URL('../../examples/basics', import.meta.url)).filter((file) => /^\d/.test(file))
  expect(files.sort()).toEqual(basics.map(([file]) => file))
})
