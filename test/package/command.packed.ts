import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { builtCommand, runProcess } from '../support/built-command.js'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { usersEnvironment } from './packed.js'

const directory = temporaryFolder('manners')
const escape = '\u001b['
const { NO_COLOR: _, ...inherited } = usersEnvironment
const env = { ...inherited, KAFKA_BROKERS: 'kafka-1:9092', TERM: 'xterm' }

interface Ended {
  readonly exit: number | null
  readonly shown: string
}

/** Runs a line of bash; `onShown` is told all that was shown so far, and may type. */
function shell(line: string, onShown: (shown: string, type: (text: string) => void) => void): Promise<Ended> {
  const child = spawn('bash', ['-c', line], { cwd: directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
  let shown = ''
  const take = (part: Buffer) => {
    shown += String(part)
    onShown(shown, (text) => void child.stdin.write(text))
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => resolve({ exit, shown }))
  })
}

/** In a terminal of its own, as util-linux makes one. */
function inTerminal(command: string): string {
  return `script --quiet --return --command '${command}' /dev/null`
}

describe('the command as a process', () => {
  let tidemark: string

  beforeAll(async () => {
    tidemark = `"${process.execPath}" "${await builtCommand()}"`
  }, 120_000)

  it('ends with 130 at ctrl-C while it asks', async () => {
    let typed = false
    const { exit } = await shell(inTerminal(`${tidemark} profile`), (shown, type) => {
      if (typed || !shown.includes('?')) return
      typed = true
      // As a terminal hands over ctrl-C while a line is typed.
      type('\u0003')
    })
    expect([typed, exit]).toEqual([true, 130])
  })

  it('ends without a word, and with 0, when who reads it has read enough', async () => {
    const line = `for n in 1 2 3; do ${tidemark} config explain --json; echo "exit $?" >&2; done | head -c 1`
    const { shown } = await shell(line, () => undefined)
    expect(shown.slice(shown.indexOf('exit'))).toBe('exit 0\nexit 0\nexit 0\n')
  })

  it('has failed, and says why, where what it has to say cannot be written', async () => {
    const { shown } = await shell(`${tidemark} config explain 2>&1 >/dev/full; echo "exit $?"`, () => undefined)
    expect(shown).toBe(
      'tidemark: what it has to say could not be written: ENOSPC: no space left on device, write\nexit 5\n',
    )
  })

  it('shows colours on a terminal alone, and never with NO_COLOR', async () => {
    const shown = async (line: string) => (await shell(line, () => undefined)).shown
    const explain = `${tidemark} config explain`
    expect(await shown(inTerminal(explain))).toContain(escape)
    expect(await shown(inTerminal(`NO_COLOR=1 ${explain}`))).not.toContain(escape)
    expect(await shown(explain)).not.toContain(escape)
  })

  it('is up in less than a second of CPU', async () => {
    const { exit, cpuMs, memory } = await runProcess(['--version'])
    const folder = join(projectRoot, 'dist/cli')
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    console.log(
      `tidemark --version: CPU ${(cpuMs / 1_000).toFixed(2)} s, ${(memory / 2 ** 20).toFixed(0)} MB resident; ` +
        `dist/cli ${(bytes / 1e6).toFixed(1)} MB`,
    )
    expect(exit).toBe(0)
    expect(cpuMs).toBeLessThan(1_000)
    expect(bytes).toBeLessThan(3_000_000)
  })
})
