import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { shownAndPrinted, timeless } from './guide.js'

const file = fileURLToPath(new URL('../../../docs/guides/command-line.md', import.meta.url))

// With TIDEMARK_WRITE_GUIDE=1 it writes what is printed into the guide.
it('shows in the guide what the commands print', async () => {
  const guide = readFileSync(file, 'utf8')
  const commands = await shownAndPrinted(guide)
  expect(commands.length).toBeGreaterThan(5)
  if (process.env['TIDEMARK_WRITE_GUIDE'] === '1') {
    const written = commands.reduce(
      (text, { words, shown, printed }) =>
        text.replace(`tidemark ${words}\n${shown}\`\`\``, () => `tidemark ${words}\n${printed}\`\`\``),
      guide,
    )
    writeFileSync(file, written)
    return
  }
  for (const { words, shown, printed } of commands) expect(timeless(shown), words).toBe(timeless(printed))
})
