import { expect, it } from 'vitest'
import { textOf } from './pages.js'

const file = 'examples/nestjs/tidemark-transport.ts'

it('the transport for NestJS that the guide prints is the one that is tested, in at most 60 lines', () => {
  const code = textOf(file)
  const shown = textOf('docs/guides/migrating-from-kafkajs.md').split(`<!-- ${file} -->\n\n`)[1] ?? ''
  expect(shown.startsWith(`\`\`\`ts\n${code}\`\`\`\n`)).toBe(true)
  expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(60)
})
