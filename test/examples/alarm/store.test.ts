import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { afterEach, describe, expect, it } from 'vitest'
import { openStore } from '../../../examples/alarm/store/store.js'
import { dieWithUs } from '../../support/reaper.js'
import { freshFolder } from './pipeline.js'

const writer = fileURLToPath(new URL('./store-writer.ts', import.meta.url))

describe('a database file', () => {
  const children: ChildProcess[] = []
  afterEach(async () => {
    for (const child of children.splice(0)) await kill(child)
  })

  /** A process that writes whole generations of rows, one transaction each, until it is killed. */
  async function startWriter(path: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['--import', 'tsx', writer, path], { stdio: ['ignore', 'pipe', 'ignore'] })
    dieWithUs(child)
    children.push(child)
    if (!child.stdout) throw new Error('no stdout')
    const said = once(child.stdout, 'data')
    await Promise.race([said, once(child, 'exit').then(() => Promise.reject(new Error('it ended')))])
    return child
  }

  const ownersOf = (path: string): string[] => readdirSync(dirname(path)).filter((name) => name.includes('.owner'))

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  it('opens after its owner was killed in mid-transaction, with whole transactions only', async () => {
    const path = join(freshFolder(), 'alert.db')
    for (let round = 0; round < 3; round++) {
      await kill(await startWriter(path))
      expect(existsSync(`${path}.lock`)).toBe(true)

      const store = await openStore(path)
      const rows = await store.db.selectFrom('metric_point').select(['series', 'value']).execute()
      expect(rows).toHaveLength(2_000)
      expect(new Set(rows.map((row) => row.value)).size).toBe(1)
      const { rows: checked } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(store.db)
      expect(checked).toEqual([{ integrity_check: 'ok' }])
      await store.close()
    }
  })

  it('is refused while another living process has it, with its pid and what to do', async () => {
    const path = join(freshFolder(), 'alert.db')
    const child = await startWriter(path)
    await expect(openStore(path)).rejects.toThrow(
      new RegExp(`only process that opens .*alert\\.db, but process ${child.pid ?? 0} has it open; stop that process`),
    )
    await kill(child)
    await (await openStore(path)).close()
  })

  it('is refused to the process that has it open already', async () => {
    const path = join(freshFolder(), 'alert.db')
    const store = await openStore(path)
    await expect(openStore(path)).rejects.toThrow(/has it open/)
    await store.close()
    await (await openStore(path)).close()
  })

  it('is free again when its owner number belongs to a later process', async () => {
    const path = join(freshFolder(), 'alert.db')
    writeFileSync(`${path}.owner.${process.pid}.1`, '')
    await (await openStore(path)).close()
    expect(ownersOf(path)).toEqual([])
  })

  it('is of one process at most when several open it at once, and of the next one when that is killed', async () => {
    const path = join(freshFolder(), 'alert.db')
    for (let round = 0; round < 2; round++) {
      const opened = await Promise.allSettled([1, 2, 3].map(() => startWriter(path)))
      expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
      for (const child of children.splice(0)) await kill(child)
    }
    await (await openStore(path)).close()
    expect(ownersOf(path)).toEqual([])
  })

  it('keeps its rows over a close', async () => {
    const path = join(freshFolder(), 'alert.db')
    const first = await openStore(path)
    await first.db.insertInto('metric_point').values({ series: 's', ts: 1, value: '0.5' }).execute()
    await first.close()
    expect(ownersOf(path)).toEqual([])
    const second = await openStore(path)
    expect(await second.db.selectFrom('metric_point').selectAll().execute()).toEqual([
      { series: 's', ts: 1, value: '0.5' },
    ])
    await second.close()
  })
})
