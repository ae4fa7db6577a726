import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../../examples/alarm/store/store.js'
import { expectAlertInvariants } from './invariants.js'
import { freshFolder, readAlertTables } from './pipeline.js'

const demo = fileURLToPath(new URL('../../../examples/alarm/demo.ts', import.meta.url))
/** A run takes some 5 s of one core; the limit is for machines that do much else. */
const runMs = 120_000

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs the demo as a process; `killWhen` looks at what it has printed so far. */
async function runDemo(args: readonly string[], killWhen: (output: string) => boolean = () => false): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', demo, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const take = (chunk: Buffer): void => {
    output += chunk.toString()
    if (killWhen(output)) child.kill('SIGKILL')
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const limit = setTimeout(() => child.kill('SIGKILL'), runMs)
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal])),
  )
  clearTimeout(limit)
  return { code, signal, output }
}

async function readDatabases(folder: string): Promise<Record<string, unknown[]>> {
  const detectStore = await openStore(join(folder, 'detect.db'))
  const alertStore = await openStore(join(folder, 'alert.db'))
  try {
    await expectAlertInvariants({ detectStore, alertStore })
    return await readAlertTables(alertStore)
  } finally {
    await detectStore.close()
    await alertStore.close()
  }
}

/** The closing table without the time it took. */
function tableOf(output: string): string[] {
  return output.split('\n').filter((line) => /^(rule|machine|request|database|cost|all) /.test(line))
}

describe('npm run demo', () => {
  const figures = [
    /^machine temperature low +22,695 +22,683 +1,539 +1,488 +16 +0 +4 of 4$/,
    /^request latency high +4,032 +4,021 +3 +3 +2 +1 +2 of 3$/,
    /^database CPU high +4,032 +4,032 +675 +644 +10 +1 +2 of 2$/,
    /^request count high +4,032 +4,032 +16 +16 +14 +0 +2 of 2$/,
    /^cost per click high +1,538 +1,538 +10 +10 +6 +0 +3 of 3$/,
  ]

  const folder = freshFolder()
  let first: Ended

  beforeAll(async () => {
    first = await runDemo(['--data-dir', folder])
  }, runMs)

  it(
    'ends with the reference figures, and run again onto its own alerts changes none',
    async () => {
      expect(first, first.output).toMatchObject({ code: 0 })
      const [, ...lines] = tableOf(first.output)
      figures.forEach((figure, index) => expect(lines[index]).toMatch(figure))
      const tables = await readDatabases(folder)

      const second = await runDemo(['--data-dir', folder, '--keep'])
      expect(second, second.output).toMatchObject({ code: 0 })
      expect(second.output).toContain(' 0 alerts opened')
      expect(tableOf(second.output)).toEqual(tableOf(first.output))
      expect(await readDatabases(folder)).toEqual(tables)
    },
    3 * runMs,
  )

  it(
    'killed in the middle and started again ends with the same alerts',
    async () => {
      const cut = freshFolder()
      const killed = await runDemo(['--data-dir', cut], (output) => / [1-9]\d* alerts opened/.test(output))
      expect(killed, killed.output).toMatchObject({ signal: 'SIGKILL' })
      expect(existsSync(join(cut, 'unfinished'))).toBe(true)
      expect(existsSync(join(cut, 'alert.db.lock'))).toBe(true)

      const again = await runDemo(['--data-dir', cut])
      expect(again, again.output).toMatchObject({ code: 0 })
      expect(again.output).toContain('the last run did not finish')
      expect(await readDatabases(cut)).toEqual(await readDatabases(folder))
    },
    3 * runMs,
  )
})
