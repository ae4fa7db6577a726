import { writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { optionsPage } from './options-page.js'
import { root, textOf } from './pages.js'

const page = 'docs/guides/options.md'

// With TIDEMARK_WRITE_GUIDE=1 it writes the page.
it('the reference of options is what the schemas say', () => {
  if (process.env['TIDEMARK_WRITE_GUIDE'] === '1') writeFileSync(`${root}${page}`, optionsPage())
  expect(textOf(page)).toBe(optionsPage())
})
