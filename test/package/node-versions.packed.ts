import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { install, pack, run } from './packed.js'
import { body, imported, needed, printed, required } from './program.js'

/** What the npm package `node` brings for this machine, without the script by which it does so. */
const packaged = `node-${process.platform}-${process.arch}`

describe('the packed package, under other versions of Node', () => {
  let home: string

  beforeAll(() => {
    home = temporaryFolder('node-versions')
    install(pack(), home, needed)
    writeFileSync(join(home, 'app.mjs'), imported.join('\n') + body)
    writeFileSync(join(home, 'app.cjs'), required.join('\n') + body)
  }, 240_000)

  it.each([22, 24])('sends and consumes under Node %i, as ES modules and as CommonJS', (version) => {
    const folder = temporaryFolder('node')
    const quiet = ['--prefix', folder, '--no-audit', '--no-fund', '--silent', '--ignore-scripts']
    run('npm', ['install', ...quiet, `${packaged}@${version}`], projectRoot)
    const node = join(folder, 'node_modules', packaged, 'bin/node')
    expect(run(node, ['--version'], home)).toMatch(new RegExp(`^v${version}[.]`))
    expect(run(node, ['app.mjs'], home)).toBe(printed)
    expect(run(node, ['app.cjs'], home)).toBe(printed)
    expect(run(node, [join(home, 'node_modules/.bin/tidemark'), '--version'], home)).toMatch(/^\d/)
  })
})
