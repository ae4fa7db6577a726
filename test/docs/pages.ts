import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** What people read first: the README and the guides, as paths from the root. */
export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(`${root}docs/guides`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/guides/${name}`),
]

export const textOf = (page: string) => readFileSync(`${root}${page}`, 'utf8')

export interface CodeBlock {
  readonly page: string
  /** Of its first line of code, as an editor counts. */
  readonly line: number
  readonly code: string
}

/** The fenced blocks of one language in a page. */
export function codeBlocks(page: string, language: string): readonly CodeBlock[] {
  const text = textOf(page)
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1] as string,
  }))
}
