import { expect, it } from 'vitest'
import { compile } from './compile.js'
import { codeBlocks, pages, type CodeBlock } from './pages.js'
import { snippetsOf } from './snippets.js'

it('what the README and the guides show compiles', () => {
  const blocks = pages.flatMap((page) => codeBlocks(page, 'ts'))
  const snippets = snippetsOf(blocks)
  const complaints = compile(snippets).map(({ name, line, message }) => {
    const block = blocks[snippets.findIndex((snippet) => snippet.name === name)] as CodeBlock
    return `${block.page}:${block.line + line}: ${message}`
  })
  expect(complaints).toEqual([])
  expect(snippets.length).toBeGreaterThan(40)
})
