import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../../support/source-tree.js'

const folder = join(projectRoot, 'src/pictures')
const files = readdirSync(folder).map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }))

describe('the drawing code', () => {
  it('runs in Node and in a page alike: it uses nothing that only one of them has', () => {
    const foreign = files.flatMap(({ file, text }) => [
      ...[...text.matchAll(/from '(?!\.|d3-)([^']+)'/g)].map(([, name]) => `${file} imports ${name}`),
      ...[...text.matchAll(/\b(?:document|window|globalThis|process|Buffer)\b[.(]/g)].map(([use]) => `${file}: ${use}`),
    ])
    expect(files.length).toBeGreaterThan(8)
    expect(foreign).toEqual([])
  })
})
