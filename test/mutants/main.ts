/**
 * Puts each one-line bug into a copy of the sources and runs simulated seeds against it until one fails, or the unit tests
 * that it names. `--seeds 300` bounds the search, `--only text` takes the mutants whose name, file or tests hold the text, `--part 1/4`
 * the first of four parts, `--jobs 2` judges so many at the same time (default one for each processor).
 */
import { spawn } from 'node:child_process'
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '../support/temporary-folder.js'
import type { Mutant } from './mutant.js'
import { mutants } from './mutants.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const limitMs = 240_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    part: { type: 'string', default: '1/1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
})

type Verdict =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'missed' }
  | { readonly kind: 'not-applied'; readonly reason: string }

async function copySources(): Promise<string> {
  const folder = temporaryFolder('mutants')
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true })
  for (const tests of ['simulation', 'unit', 'support', 'vectors'])
    await cp(join(root, 'test', tests), join(folder, 'test', tests), { recursive: true })
  // Of the examples what unit tests open a database by.
  const files = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'examples/alarm/store/wasm-sqlite-dialect.ts']
  for (const file of files) await cp(join(root, file), join(folder, file))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Leaves the copy as it was. */
async function judge(mutant: Mutant, folder: string): Promise<Verdict> {
  const path = join(folder, mutant.file)
  const original = await readFile(path, 'utf8').catch(() => null)
  if (original === null) return { kind: 'not-applied', reason: `there is no ${mutant.file}` }
  const occurrences = original.split(mutant.find).length - 1
  if (occurrences !== 1) {
    return { kind: 'not-applied', reason: `its text occurs ${occurrences} times in ${mutant.file}, not once` }
  }
  // A function, because "$" means something in a replacement text.
  await writeFile(
    path,
    original.replace(mutant.find, () => mutant.replace),
  )
  const verdict = await (
    mutant.units === undefined ? simulate(folder, mutant.copying) : runUnits(folder, mutant.units, mutant.isRare)
  ).finally(() => writeFile(path, original))
  if (verdict.kind !== 'caught' || mutant.units === undefined || verdict.by.includes(' > ')) return verdict
  // No test failed, but its file: it may be one that fails without the bug too.
  const without = await runUnits(folder, mutant.units, mutant.isRare)
  if (without.kind === 'missed') return verdict
  return { kind: 'not-applied', reason: `${mutant.units} fails without it too` }
}

async function simulate(folder: string, copying = false): Promise<Verdict> {
  const program = join(folder, 'test/simulation/main.ts')
  const search = ['--fail-fast', '--jobs', '1', '--seeds', values.seeds, ...(copying ? ['--copying'] : [])]
  const { code, output, errors } = await run(folder, ['--import', 'tsx', program, ...search])
  const broke = /^seed (\d+) broke: (.*)$/m.exec(output)
  if (broke !== null) return { kind: 'caught', by: `seed ${broke[1]}: ${broke[2]}` }
  const little = /^too little was met: (.*)$/m.exec(output)
  if (little !== null) return { kind: 'caught', by: `what was not met: ${little[1]}` }
  return verdictOf(code, errors)
}

async function runUnits(folder: string, tests: string, isRare = false): Promise<Verdict> {
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs')
  const { code, output, errors } = await run(
    folder,
    [vitest, 'run', '--bail', '1', '--reporter', 'verbose', tests],
    isRare,
  )
  const failed = /FAIL\s+(.*)$/m.exec(output + errors)
  if (code === 1 && failed !== null) return { kind: 'caught', by: failed[1] as string }
  return verdictOf(code, errors)
}

function verdictOf(code: number | null, errors: string): Verdict {
  if (code === 0) return { kind: 'missed' }
  if (code === null) return { kind: 'caught', by: `a run that did not end in ${limitMs / 1000} s` }
  return { kind: 'caught', by: `a crash: ${firstErrorLine(errors)}` }
}

/** `code` is null when it had to be killed. */
function run(folder: string, args: readonly string[], isFull = false) {
  return new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (resolve, reject) => {
      const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...(isFull ? { TIDEMARK_FULL: '1' } : {}) }
      const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      let errors = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
      child.on('error', reject)
      child.on('close', (code) => {
        clearTimeout(timer)
        resolve({ code, output, errors })
      })
    },
  )
}

function firstErrorLine(errors: string): string {
  return errors.split('\n').find((line) => /Error/.test(line)) ?? 'without a message'
}

function told(mutant: Mutant, verdict: Verdict): string {
  switch (verdict.kind) {
    case 'caught':
      return `caught by ${verdict.by}`
    case 'missed':
      return `MISSED by ${mutant.units ?? `${values.seeds} seeds`}: ${mutant.why}`
    case 'not-applied':
      return `NOT APPLIED: ${verdict.reason}`
  }
}

const textOf = ({ name, file, units = '', copying = false }: Mutant) =>
  `${name} ${file} ${units}${copying ? ' copying' : ''}`

async function main(): Promise<number> {
  const [part = 1, parts = 1] = values.part.split('/').map(Number)
  const chosen = mutants.filter((mutant, at) => textOf(mutant).includes(values.only) && at % parts === part - 1)
  const left = [...chosen]
  let passed = 0
  const judgeAll = async () => {
    const folder = await copySources()
    try {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const verdict = await judge(mutant, folder)
        if (verdict.kind === 'caught') passed += 1
        console.log(`${mutant.name} (${mutant.file}): ${told(mutant, verdict)}`)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  await Promise.all(Array.from({ length: Math.min(Number(values.jobs), chosen.length) }, judgeAll))
  const failed = chosen.length - passed
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
