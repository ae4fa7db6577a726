import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { dieWithUs } from '../../support/reaper.js'

/** A process that is to be killed. */
export interface Life {
  readonly pid: number
  kill(): void
  /** The signal that ended it, or its exit code. */
  readonly ended: Promise<string | number>
}

export function begin(script: string, told: object): Life {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url))
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', path, JSON.stringify(told)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TIDEMARK_LOG: 'silent' },
  })
  dieWithUs(child)
  const ended = new Promise<string | number>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 'gone'))
  })
  return { pid: child.pid as number, kill: () => void child.kill('SIGKILL'), ended }
}
