import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { memory } from 'tidemark/memory'
import { runPipeline } from '../../../examples/alarm/run-pipeline.js'
import { firstRows, sources } from '../../../examples/alarm/sources.js'
import { openStore } from '../../../examples/alarm/store/store.js'
import { closeAll, openAllStores } from '../../../examples/alarm/stores.js'
import { runExample, type Ended, type RunOptions } from '../run-example.js'
import { expectAlertInvariants } from './invariants.js'
import { freshFolder, readAlertTables } from './pipeline.js'

/** A run takes some 5 s of one core; the limit is for machines that do much else. */
const runMs = 120_000

function runDemo(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return runExample('alarm/demo.ts', { args, limitMs: runMs, ...options })
}

async function readDatabases(folder: string): Promise<Record<string, unknown[]>> {
  const detectStore = await openStore(join(folder, 'detect.db'))
  const alertStore = await openStore(join(folder, 'alert.db'))
  try {
    await expectAlertInvariants({ detectStore, alertStore })
    return await readAlertTables(alertStore)
  } finally {
    await closeAll([detectStore, alertStore])
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

  it(
    'ends with the reference figures',
    async () => {
      const folder = freshFolder()
      const ended = await runDemo(['--data-dir', folder])
      expect(ended, ended.output).toMatchObject({ code: 0 })
      const [, ...lines] = tableOf(ended.output)
      figures.forEach((figure, index) => expect(lines[index]).toMatch(figure))
      await readDatabases(folder)
    },
    runMs,
  )

  it(
    'killed in the middle and started again ends with the alerts of a whole run, and run onto them changes none',
    async () => {
      const rows = 4_000
      const whole = freshFolder()
      const stores = await openAllStores(whole)
      await runPipeline({ driver: memory(), stores, sources: firstRows(sources, rows) })
      await closeAll(Object.values(stores))
      const expected = await readDatabases(whole)
      expect(expected['alert']).toHaveLength(35)

      const cut = freshFolder()
      const args = ['--data-dir', cut, '--rows', String(rows)]
      const killed = await runDemo(args, { killWhen: (output) => / [1-9]\d* alerts opened/.test(output) })
      expect(killed, killed.output).toMatchObject({ signal: 'SIGKILL' })
      expect(existsSync(join(cut, 'unfinished'))).toBe(true)
      expect(existsSync(join(cut, 'alert.db.lock'))).toBe(true)

      const again = await runDemo(args)
      expect(again, again.output).toMatchObject({ code: 0 })
      expect(again.output).toContain('the last run did not finish')
      expect(await readDatabases(cut)).toEqual(expected)

      const onto = await runDemo([...args, '--keep'])
      expect(onto, onto.output).toMatchObject({ code: 0 })
      expect(onto.output).toContain(' 0 alerts opened')
      expect(onto.output).not.toMatch(/ [1-9]\d* alerts opened/)
      expect(tableOf(onto.output)).toEqual(tableOf(again.output))
      expect(await readDatabases(cut)).toEqual(expected)
    },
    4 * runMs,
  )
})
