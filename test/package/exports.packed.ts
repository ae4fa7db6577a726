import { execFileSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const subpaths = ['tidemark', 'tidemark/memory', 'tidemark/testing', 'tidemark/driver', 'tidemark/kafkajs']

/** The package as npm would publish it, installed beside its dependencies. */
describe('the packed package', () => {
  let folder: string

  beforeAll(() => {
    if (!existsSync(join(root, 'dist/index.js'))) run('npm', ['run', '--silent', 'build'], root)
    folder = temporaryFolder('package')
    const packed = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
    ) as [{ filename: string }]
    const home = join(folder, 'node_modules/tidemark')
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    mkdirSync(home, { recursive: true })
    run('tar', ['xzf', join(folder, packed[0].filename), '-C', home, '--strip-components=1'], folder)
    for (const dependency of [...Object.keys(dependencies), 'kafkajs']) {
      mkdirSync(join(folder, 'node_modules', dependency, '..'), { recursive: true })
      run('cp', ['-r', join(root, 'node_modules', dependency), join(folder, 'node_modules', dependency)], folder)
    }
    writeFileSync(join(folder, 'package.json'), '{}')
  }, 180_000)

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(subpaths)('%s loads as an ES module and as CommonJS, with the same names', (subpath) => {
    const print =
      "console.log(Object.keys(it).filter((name) => name !== 'default' && name !== '__esModule').sort().join())"
    const esm = run('node', ['--input-type=module', '-e', `import * as it from '${subpath}'; ${print}`], folder)
    const cjs = run('node', ['--input-type=commonjs', '-e', `const it = require('${subpath}'); ${print}`], folder)
    expect(esm.trim().length).toBeGreaterThan(0)
    expect(cjs).toBe(esm)
  })

  it('needs no Kafka client until one is asked for', () => {
    rmSync(join(folder, 'node_modules/kafkajs'), { recursive: true })
    expect(
      run(
        'node',
        ['--input-type=module', '-e', "import 'tidemark'; import 'tidemark/memory'; console.log('ok')"],
        folder,
      ),
    ).toBe('ok\n')
    run('cp', ['-r', join(root, 'node_modules/kafkajs'), join(folder, 'node_modules/kafkajs')], folder)
  })

  it('refuses to write zstd where nobody can, names what to install, and finds it when it is there', () => {
    const peer = '@hpcc-js/wasm-zstd'
    const body = [
      "const producer = (driver) => createMessaging({ driver, logger: 'silent' }).producer({ compression: 'zstd' })",
      "for (const driver of [memory(), kafkajs({ brokers: ['127.0.0.1:1'] })])",
      "  try { producer(driver); console.log('writes it') } catch (error) { console.log(error.code, error.message) }",
    ].join('\n')
    const modules = { createMessaging: 'tidemark', memory: 'tidemark/memory', kafkajs: 'tidemark/kafkajs' }
    const load = (way: (name: string, from: string) => string) =>
      Object.entries(modules).map(([name, from]) => way(name, from))
    const esm = [...load((name, from) => `import { ${name} } from '${from}'`), body].join('\n')
    const cjs = [...load((name, from) => `const { ${name} } = require('${from}')`), body].join('\n')
    const told = () => [
      ...run('node', ['--input-type=module', '-e', esm], folder).trim().split('\n'),
      ...run('node', ['--input-type=commonjs', '-e', cjs], folder).trim().split('\n'),
    ]
    const byNode = typeof (zlib as { zstdCompress?: unknown }).zstdCompress === 'function'
    const refusals = told().filter((line) => line.includes(`npm install ${peer}`))
    expect(refusals).toHaveLength(byNode ? 0 : 4)
    mkdirSync(join(folder, 'node_modules', peer, '..'), { recursive: true })
    run('cp', ['-r', join(root, 'node_modules', peer), join(folder, 'node_modules', peer)], folder)
    expect(told()).toEqual(Array.from({ length: 4 }, () => 'writes it'))
  })

  it('has types that resolve from every module system', () => {
    const report = run('npx', ['attw', '--pack', root, '--profile', 'node16', '--format', 'json'], root)
    // Node 10 knows no subpath exports, and nobody here runs it.
    const { problems = {} } = JSON.parse(report) as { problems?: Record<string, { resolutionKind?: string }[]> }
    const found = Object.values(problems).flat()
    expect(found.filter(({ resolutionKind }) => resolutionKind !== 'node10')).toEqual([])
  }, 120_000)

  it('is a package that publint finds nothing wrong with', () => {
    expect(run('npx', ['publint', '--strict'], root)).toMatch(/All good/)
  }, 120_000)

  it('ships no sources, tests or data', () => {
    const files = run('tar', ['tzf', join(folder, readPackedName())], folder).split('\n')
    const outside = files.filter(
      (file) => file !== '' && !/^package\/(dist\/|package\.json|README\.md|LICENSE|CHANGELOG\.md)/.test(file),
    )
    expect(outside).toEqual([])
  })

  function readPackedName(): string {
    const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      name: string
      version: string
    }
    return `${name}-${version}.tgz`
  }
})
