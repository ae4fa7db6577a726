/**
 * Puts each one-line bug into a copy of the sources and runs simulated seeds against it until one fails.
 * `--seeds 300` bounds the search, `--only text` takes the mutants whose name holds the text.
 */
import { spawn } from 'node:child_process'
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '../support/temporary-folder.js'
import { mutants, type Mutant } from './mutants.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const limitMs = 240_000

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '300' }, only: { type: 'string', default: '' } },
})

type Verdict =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'missed' }
  | { readonly kind: 'not-applied'; readonly reason: string }

async function copySources(): Promise<string> {
  const folder = temporaryFolder('mutants')
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true })
  await cp(join(root, 'test/simulation'), join(folder, 'test/simulation'), { recursive: true })
  for (const file of ['package.json', 'tsconfig.json']) await cp(join(root, file), join(folder, file))
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
  try {
    return await simulate(folder)
  } finally {
    await writeFile(path, original)
  }
}

function simulate(folder: string): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const program = join(folder, 'test/simulation/main.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', program, '--fail-fast', '--seeds', values.seeds], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, limitMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      const broke = /^seed (\d+) broke: (.*)$/m.exec(output)
      if (broke !== null) resolve({ kind: 'caught', by: `seed ${broke[1]}: ${broke[2]}` })
      else if (timedOut) resolve({ kind: 'caught', by: `a run that did not end in ${limitMs / 1000} s` })
      else if (code === 0) resolve({ kind: 'missed' })
      else resolve({ kind: 'caught', by: `a crash: ${firstErrorLine(errors)}` })
    })
  })
}

function firstErrorLine(errors: string): string {
  return errors.split('\n').find((line) => /Error/.test(line)) ?? 'without a message'
}

async function main(): Promise<number> {
  const chosen = mutants.filter(({ name }) => name.includes(values.only))
  const folder = await copySources()
  let passed = 0
  try {
    for (const mutant of chosen) {
      const verdict = await judge(mutant, folder)
      if (verdict.kind === 'caught') passed += 1
      const told = {
        caught: () => `caught by ${(verdict as { by: string }).by}`,
        missed: () => `MISSED in ${values.seeds} seeds: ${mutant.why}`,
        'not-applied': () => `NOT APPLIED: ${(verdict as { reason: string }).reason}`,
      }[verdict.kind]()
      console.log(`${mutant.name} (${mutant.file}): ${told}`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const failed = chosen.length - passed
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
