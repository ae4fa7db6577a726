import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { dieWithUs } from '../support/reaper.js'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

export interface RunOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Looks at what was printed so far; true kills the process with -9. */
  readonly killWhen?: (output: string) => boolean
  /** Then it is killed. An example takes some seconds; the default is for machines that do much else. */
  readonly limitMs?: number
}

/** Runs an example as a process of its own, to its end. `file` counts from the folder of examples. */
export async function runExample(
  file: string,
  { args = [], env = {}, killWhen = () => false, limitMs = 120_000 }: RunOptions = {},
): Promise<Ended> {
  const path = fileURLToPath(new URL(`../../examples/${file}`, import.meta.url))
  const { KAFKA_BROKERS: _, ...inherited } = process.env
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...env },
  })
  dieWithUs(child)
  let output = ''
  const take = (chunk: Buffer): void => {
    output += chunk.toString()
    if (killWhen(output)) child.kill('SIGKILL')
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs)
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal])),
  )
  clearTimeout(limit)
  return { code, signal, output }
}
