import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.js'
import { install, pack, run, runBinary } from './packed.js'
import { body, imported, needed, printed, required } from './program.js'

const typed = body
  .replace('const handled = []', 'const handled: string[] = []')
  .replace('(error) => error', '(error: { code: string }) => error')
  .replace('failure.code', "'code' in failure && failure.code")

const compilerOptions = { target: 'ES2022', strict: true, outDir: 'out', types: ['node'], skipLibCheck: false }

describe('the packed package, in a project of its own', () => {
  let home: string

  beforeAll(() => {
    home = temporaryFolder('projects')
    install(pack(), home, needed)
  }, 240_000)

  /** Below the installed packages, with sources by name. */
  function project(name: string, files: Readonly<Record<string, string>>): string {
    const folder = join(home, name)
    mkdirSync(folder, { recursive: true })
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
    return folder
  }

  function typescript(
    name: string,
    type: 'module' | 'commonjs',
    options: object,
    source = imported.join('\n') + typed,
  ) {
    return project(name, {
      'package.json': JSON.stringify({ type }),
      'tsconfig.json': JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files: ['app.ts'] }),
      'app.ts': source,
    })
  }

  it('sends and consumes as ES modules and as CommonJS', () => {
    const folder = project('javascript', {
      'app.mjs': imported.join('\n') + body,
      'app.cjs': required.join('\n') + body,
    })
    expect(run('node', ['app.mjs'], folder)).toBe(printed)
    expect(run('node', ['app.cjs'], folder)).toBe(printed)
  })

  it.each([
    [
      'commonjs, as older projects have it',
      'commonjs',
      // zod's own declarations ask for the second, which `tsc --init` has always written.
      { module: 'commonjs', esModuleInterop: true, lib: ['ES2023', 'ESNext.Disposable'] },
    ],
    ['nodenext', 'module', { module: 'nodenext', lib: ['ES2023', 'ESNext.Disposable'] }],
    ['bundler', 'module', { module: 'esnext', moduleResolution: 'bundler', lib: ['ES2023', 'ESNext.Disposable'] }],
  ] as const)('is checked by TypeScript, sends and consumes: module %s', (name, type, options) => {
    const folder = typescript(name.split(',')[0] as string, type, options)
    runBinary('tsc', ['-p', '.'], folder)
    expect(run('node', ['out/app.js'], folder)).toBe(printed)
  })

  it('is in one file by esbuild, kafkajs too, and needs no packages then', () => {
    const folder = typescript('esbuild', 'commonjs', {})
    const alone = temporaryFolder('bundle')
    const out = join(alone, 'app.cjs')
    const settings = ['--bundle', '--platform=node', '--target=node20', '--log-level=error']
    runBinary('esbuild', ['app.ts', ...settings, `--outfile=${out}`], folder)
    expect(run('node', [out], alone)).toBe(printed)
  })

  it('is in a bundle by vite, kafkajs too, and needs no packages then', () => {
    const folder = typescript('vite', 'module', {})
    const alone = temporaryFolder('bundle')
    const config = { ssr: { noExternal: true }, build: { outDir: alone, emptyOutDir: true, target: 'node20' } }
    writeFileSync(join(folder, 'vite.config.mjs'), `export default ${JSON.stringify(config)}`)
    runBinary('vite', ['build', '--ssr', 'app.ts', '--logLevel', 'error'], folder)
    writeFileSync(join(alone, 'package.json'), JSON.stringify({ type: 'module' }))
    expect(run('node', ['app.js'], alone)).toBe(printed)
  })

  it('has a compiler say what is wrong: a schema that is no serde, and a handler that is missing', () => {
    const wrong = `${imported.join('\n')}
const Order = z.object({ id: z.string() })
defineTopic({ name: 'a', value: Order })
const topic = defineTopic({ name: 'b', value: json(Order) })
createMessaging({ driver: memory({ cluster: createMemoryCluster() }) }).consumer({ group: 'g', topics: [topic] })
void kafkajs
`
    const folder = typescript('wrong', 'module', { module: 'nodenext', noEmit: true }, wrong)
    let said = ''
    try {
      runBinary('tsc', ['-p', '.', '--pretty', 'false'], folder)
    } catch (error) {
      said = (error as Error).message
    }
    const errors = said.split('\n').filter((line) => line.startsWith('app.ts'))
    expect(errors.map((line) => line.replace(/\(.*/, ''))).toEqual(['app.ts', 'app.ts'])
    expect(said).toMatch(/a schema is not a serde: write json\(schema\)/)
    expect(said).not.toMatch(/handleBatch/)
  })
})
