import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { install, pack, run, unpackedSize, usersEnvironment } from './packed.js'

const subpaths = [
  'tidemark',
  'tidemark/memory',
  'tidemark/testing',
  'tidemark/driver',
  'tidemark/transactions',
  'tidemark/kafkajs',
  'tidemark/dedupe',
  'tidemark/sql',
  'tidemark/redrive',
  'tidemark/event-time',
  'tidemark/pattern',
  'tidemark/health',
  'tidemark/lag',
  'tidemark/degrade',
  'tidemark/registry',
  'tidemark/avro',
  'tidemark/json-schema',
  'tidemark/auth',
  'tidemark/prometheus',
  'tidemark/opentelemetry',
  'tidemark/capacity',
]

const typesAlone = ['tidemark/outbox', 'tidemark/admin']

/** The package as npm would publish it, installed beside its dependencies. */
describe('the packed package', () => {
  const folder = temporaryFolder('package')
  let tarball: string

  beforeAll(() => {
    tarball = pack()
    const { dependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    install(tarball, folder, [...Object.keys(dependencies), 'kafkajs', 'kysely', 'avsc', '@opentelemetry/api'])
  }, 240_000)

  it.each(typesAlone)('%s loads as an ES module and as CommonJS, and holds types alone', (subpath) => {
    const count = 'console.log(Object.keys(it).filter((name) => !/^(default|__esModule)$/.test(name)).length)'
    const esm = run('node', ['--input-type=module', '-e', `import * as it from '${subpath}'; ${count}`], folder)
    const cjs = run('node', ['--input-type=commonjs', '-e', `const it = require('${subpath}'); ${count}`], folder)
    expect([esm.trim(), cjs.trim()]).toEqual(['0', '0'])
  })

  // What logs and test runners say of an error is the name of its class.
  it.each(subpaths)('%s loads as an ES module and as CommonJS, with the same names of what it exports', (subpath) => {
    const print = `
      const exported = Object.keys(it).filter((name) => name !== 'default' && name !== '__esModule').sort()
      console.log(exported.map((name) => name + ' is ' + it[name]?.name).join())`
    const esm = run('node', ['--input-type=module', '-e', `import * as it from '${subpath}'; ${print}`], folder)
    const cjs = run('node', ['--input-type=commonjs', '-e', `const it = require('${subpath}'); ${print}`], folder)
    expect(esm.trim().length).toBeGreaterThan(0)
    expect(cjs).toBe(esm)
  })

  it('needs no Kafka client until one is asked for, and then says what to install', () => {
    const without = temporaryFolder('package-alone')
    install(tarball, without, ['zod', 'fzstd', '@standard-schema/spec'])
    const program = `
      import { createMessaging, defineTopic, string } from 'tidemark'
      import 'tidemark/memory'
      import { kafkajs } from 'tidemark/kafkajs'
      const topic = defineTopic({ name: 't', value: string() })
      const messaging = createMessaging({ driver: kafkajs({ brokers: ['127.0.0.1:1'] }), logger: 'silent' })
      const started = messaging.consumer({ group: 'g', topics: [topic], handle: () => undefined }).start()
      for (const call of [started, messaging.producer().send(topic, 'a'), messaging.ensureTopics([topic])]) {
        console.log(await call.catch(({ message }) => /npm install kafkajs@2\\.2\\.4/.test(message)))
      }
      await messaging.close()`
    expect(run('node', ['--input-type=module', '-e', program], without)).toBe('true\ntrue\ntrue\n')
  })

  it('brings a command that needs none of the libraries it is made with, and their licences', () => {
    const without = temporaryFolder('package-command')
    install(tarball, without, ['zod', 'fzstd', '@standard-schema/spec'])
    for (const library of ['commander', 'string-width']) {
      expect(existsSync(join(without, 'node_modules', library)), library).toBe(false)
    }
    const command = join(without, 'node_modules/.bin/tidemark')
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }
    expect(run(command, ['--version'], without)).toBe(`${version}\n`)
    expect(run(command, ['plan', '--rate', '100', '--size', '1kB', '--retention', '1d'], without)).toContain('brokers')
    const unreachable = spawnSync(command, ['group', 'list', '--brokers', '127.0.0.1:1'], {
      cwd: without,
      env: usersEnvironment,
    })
    expect([unreachable.status, String(unreachable.stderr)]).toEqual([
      4,
      expect.stringContaining('npm install kafkajs'),
    ])
    const licences = readFileSync(join(without, 'node_modules/tidemark/dist/cli/LICENSES.txt'), 'utf8')
    expect(licences).toMatch(/^commander .+ \(MIT\)$/m)
    expect(licences).toMatch(/^string-width .+ \(MIT\)$/m)
  })

  it('takes little of a disk, and is loaded quickly; both are printed', () => {
    const { bytes, files } = unpackedSize(tarball)
    // Of processor time: what else the machine does is not counted.
    const cost = (what: string) =>
      Number(
        run(
          'node',
          [
            '--input-type=module',
            '-e',
            `${what}; const { user, system } = process.cpuUsage()
        console.log((user + system) / 1_000)`,
          ],
          folder,
        ),
      )
    const least = (what: string) => Math.min(...[1, 2, 3, 4, 5].map(() => cost(what)))
    const loading = least("await import('tidemark')") - least('')
    console.log(
      `unpacked ${(bytes / 1e6).toFixed(1)} MB in ${files} files; import of tidemark ${loading.toFixed(0)} ms`,
    )
    expect(bytes).toBeLessThan(17e6)
    expect(loading).toBeLessThan(1_000)
  }, 60_000)

  it('asks npm to run nothing when it is installed', () => {
    const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/tidemark/package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>
    }
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
  })

  it('has types that resolve from every module system', () => {
    const report = run('npx', ['attw', tarball, '--format', 'json'], projectRoot)
    const { problems = {} } = JSON.parse(report) as { problems?: Record<string, unknown[]> }
    expect(Object.values(problems).flat()).toEqual([])
  }, 120_000)

  it('is a package that publint finds nothing wrong with', () => {
    expect(run('npx', ['publint', tarball, '--strict'], projectRoot)).toMatch(/All good/)
  }, 120_000)

  it('ships what its documents link to, and no sources, tests or data', () => {
    expect(run('npx', ['tsx', 'build/check-package.ts'], projectRoot)).toBe('')
    const files = run('tar', ['tzf', tarball], folder).split('\n')
    const unwanted = files.filter((file) => /^package\/(src|test|build|node_modules|docs\/api)\/|\/data\//.test(file))
    expect(unwanted).toEqual([])
    for (const file of ['README.md', 'SECURITY.md', 'SUPPORT.md', 'LICENSE', 'docs/guarantees.md']) {
      expect(files).toContain(`package/${file}`)
    }
  })
})
