import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { dieWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

const main = fileURLToPath(new URL('../../examples/service/main.ts', import.meta.url))
/** It takes about a second; the limit is for machines that do much else. */
const limitMs = 60_000

export interface ServiceOrder {
  readonly id: string
  readonly customer: string
  readonly cents: number
}

/** The example service as a process of its own, that listens. */
export interface ServiceProcess {
  /** Status of the answer; rejects when there is none. */
  post(order: ServiceOrder): Promise<number>
  total(customer: string): Promise<{ readonly orders: number; readonly cents: number }>
  output(): string
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>
}

export async function startService(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  const { KAFKA_BROKERS: _, ...inherited } = process.env
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, PORT: '0', ...env },
  })
  dieWithUs(child)
  let output = ''
  const take = (chunk: Buffer): void => void (output += chunk.toString())
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const port = () => /port: (\d+)/.exec(output)?.[1]
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until('the service listens', () => port() !== undefined || hasEnded(), { timeoutMs: limitMs })
  if (port() === undefined) throw new Error(`the service ended before it listened:\n${output}`)
  const url = `http://127.0.0.1:${port()}`
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await until(`the service ended by ${signal}; it said:\n${output}`, hasEnded, { timeoutMs: limitMs })
    return closed
  }
  return {
    post: async (order) => {
      const answer = await fetch(`${url}/orders`, { method: 'POST', body: JSON.stringify(order) })
      await answer.arrayBuffer()
      return answer.status
    },
    total: async (customer) => {
      const answer = await fetch(`${url}/customers/${customer}`)
      return (await answer.json()) as Awaited<ReturnType<ServiceProcess['total']>>
    },
    output: () => output,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}
