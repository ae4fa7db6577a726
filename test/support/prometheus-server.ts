import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { temporaryFolder } from './temporary-folder.js'
import { until } from './waiting.js'

export interface FiringAlert {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export interface PrometheusServer extends AsyncDisposable {
  /** Alerts that fire now. */
  firing(): Promise<readonly FiringAlert[]>
  /** Rules that Prometheus could not evaluate, with its words. */
  brokenRules(): Promise<readonly string[]>
  /** How many series an expression has now; rejects where Prometheus does not take it. */
  series(expression: string): Promise<number>
}

/** A real Prometheus (Debian's `prometheus`) that scrapes the ports of each job twice a second. */
export async function startPrometheus(
  rules: string,
  jobs: Readonly<Record<string, readonly number[]>>,
): Promise<PrometheusServer> {
  const folder = temporaryFolder('prometheus')
  const scraped = Object.entries(jobs).map(([job, ports]) => {
    const targets = ports.map((port) => `'127.0.0.1:${port}'`).join(', ')
    return `  - job_name: ${job}\n    static_configs: [{ targets: [${targets}] }]`
  })
  const config = [
    'global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }',
    'rule_files: [rules.yml]',
    'scrape_configs:',
    ...scraped,
  ]
  await writeFile(join(folder, 'rules.yml'), rules)
  await writeFile(join(folder, 'prometheus.yml'), config.join('\n'))
  const [port] = await freePorts(1)
  const address = `127.0.0.1:${port}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(-4_000)))
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      words += String(error)
      resolve()
    })
    child.once('exit', () => resolve())
  })
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${path}`, { signal: AbortSignal.timeout(5_000) })
    const answer = (await response.json()) as { status: string; data: unknown; error?: string }
    if (answer.status !== 'success') throw new Error(answer.error ?? `status ${response.status}`)
    return answer.data
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const isReady = async () => (await fetch(`http://${address}/-/ready`)).ok
  await until('Prometheus is ready (it comes with the Debian package prometheus)', isReady, {
    seen: () => words,
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return {
    firing: async () => {
      const { alerts } = (await ask('alerts')) as { alerts: { labels: Record<string, string>; state: string }[] }
      return alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => ({ name: labels['alertname'] ?? '', labels }))
    },
    brokenRules: async () => {
      const { groups } = (await ask('rules')) as {
        groups: { rules: { name: string; health: string; lastError?: string }[] }[]
      }
      return groups
        .flatMap(({ rules: all }) => all)
        .filter(({ health }) => health === 'err')
        .map(({ name, lastError = '' }) => `${name}: ${lastError}`)
    },
    series: async (expression) => {
      const { result } = (await ask(`query?query=${encodeURIComponent(expression)}`)) as { result: unknown[] }
      return result.length
    },
    [Symbol.asyncDispose]: stop,
  }
}
