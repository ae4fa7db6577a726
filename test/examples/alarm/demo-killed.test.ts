import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { memory } from 'tidemark/memory'
import { runPipeline } from '../../../examples/alarm/run-pipeline.js'
import { firstRows, sources } from '../../../examples/alarm/sources.js'
import { closeAll, openAllStores } from '../../../examples/alarm/stores.js'
import { freshFolder } from './pipeline.js'
import { readDatabases } from './read-databases.js'
import { demoLimitMs, runDemo, tableOf } from './run-demo.js'

it(
  'npm run demo, killed in the middle and started again, ends with the alerts of a whole run, and run onto them changes none',
  async () => {
    const rows = 2_000
    const whole = freshFolder()
    const stores = await openAllStores(whole)
    await runPipeline({ driver: memory(), stores, sources: firstRows(sources, rows) })
    await closeAll(Object.values(stores))
    const expected = await readDatabases(whole)
    expect(expected['alert']).toHaveLength(23)

    const cut = freshFolder()
    const args = ['--data-dir', cut, '--rows', String(rows)]
    // Alerts are told of with the rows, at last when the run is over: events come earlier, seconds before the last notice.
    const killed = await runDemo(args, { killWhen: (output) => / [1-9]\d* events/.test(output) })
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
  4 * demoLimitMs,
)
