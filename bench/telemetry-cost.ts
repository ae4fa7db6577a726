import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node'
import { Registry } from 'prom-client'
import type { ConsumerOptions, Messaging, SendOptions } from 'tidemark'
import type * as opentelemetry from 'tidemark/opentelemetry'
import type * as prometheus from 'tidemark/prometheus'
import { built, workingCopy } from './built.js'
import { valueBytes } from './core-measures.js'
import { builtLibrary, type Library } from './library.js'
import { countTo, keepInFlight } from './measure.js'
import { sampled, samplingSdk } from './sampling-sdk.js'

/** Beside the first, which warms up. */
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 4)
const records = Number(process.env['BENCH_RECORDS'] ?? 100_000)

/** What is measured, in this order: what was registered or active once in a process stays so. */
const steps = ['off', 'prom-client', 'registered', 'active once', 'spans'] as const
type Step = (typeof steps)[number]

interface Row {
  readonly name: string
  /** @returns microseconds of CPU time */
  readonly run: (messaging: Messaging) => Promise<number>
}

/**
 * What metrics and traces cost in CPU time a record, over the in-process cluster: without either, with prom-client, with an
 * SDK of OpenTelemetry registered, after a context of it was active once (as an instrumentation of HTTP makes them), and with
 * spans of which one trace in a hundred is sampled. The last two take turns.
 */
export async function runTelemetryCost(): Promise<void> {
  const dist = process.env['BENCH_DIST'] ?? (await built(await workingCopy()))
  const library = await builtLibrary(dist)
  const load = async (entry: string) => import(pathToFileURL(join(dist, `${entry}.js`)).href) as Promise<unknown>
  const { prometheusMetrics } = (await load('prometheus')) as typeof prometheus
  const { openTelemetryTracing } = (await load('opentelemetry')) as typeof opentelemetry
  const measuring: Library = { ...library, metrics: prometheusMetrics({ registry: new Registry() }) }
  const tracing: Library = { ...library, tracing: openTelemetryTracing() }
  const rows = rowsOf(library).filter(({ name }) => name.includes(process.env['BENCH_ONLY'] ?? ''))
  const best = new Map<string, number>()
  const measure = async (own: readonly (readonly [Step, Library])[]) => {
    for (const row of rows) {
      for (let round = 0; round <= rounds; round += 1) {
        for (const [step, used] of own) {
          const cpu = await inWorld(used, row)
          const key = `${row.name}|${step}`
          // The first one warms up; what counts is the one that was disturbed least.
          if (round > 0) best.set(key, Math.min(best.get(key) ?? Infinity, cpu))
        }
      }
      process.stderr.write(`${own.map(([step]) => step).join(', ')}: ${row.name}\n`)
    }
  }
  await measure([
    ['off', library],
    ['prom-client', measuring],
  ])
  samplingSdk(new InMemorySpanExporter()).register()
  await measure([['registered', library]])
  context.with(ROOT_CONTEXT, () => undefined)
  await measure([
    ['active once', library],
    ['spans', tracing],
  ])
  print(rows, best)
}

function print(rows: readonly Row[], best: ReadonlyMap<string, number>): void {
  const line = (name: string, cells: readonly string[]) =>
    process.stdout.write(`${name.padEnd(34)}${cells.map((cell) => cell.padStart(13)).join('')}\n`)
  process.stdout.write(`\ntelemetry: µs of CPU time a record, Node ${process.versions.node}, ${records} records\n`)
  line('', [...steps, 'prom/off', 'spans/active'])
  for (const { name } of rows) {
    const of = (step: Step) => best.get(`${name}|${step}`) ?? Number.NaN
    const ratios = [of('off') / of('prom-client'), of('active once') / of('spans')]
    line(
      name,
      [...steps.map(of), ...ratios].map((figure) => figure.toFixed(2)),
    )
  }
}

async function inWorld({ tidemark, memory, metrics, tracing }: Library, row: Row): Promise<number> {
  const driver = memory.memory({ cluster: memory.createMemoryCluster({ brokers: 1 }) })
  const messaging = tidemark.createMessaging({ driver, profile: 'cp', logger: 'silent', metrics, tracing })
  try {
    return (await row.run(messaging)) / records
  } finally {
    await messaging.close()
  }
}

function rowsOf({ tidemark }: Library): readonly Row[] {
  const topic = tidemark.defineTopic({ name: 'bench', value: tidemark.bytes(), partitions: 8 })
  const value = Buffer.alloc(valueBytes, 'x')
  const thousand = Array.from({ length: 1_000 }, () => value)

  const sends = (name: string, send: (messaging: Messaging) => Promise<unknown>): Row => ({
    name,
    run: async (messaging) => {
      await messaging.ensureTopics([topic])
      await messaging.producer().send(topic, value)
      return cpuOf(() => send(messaging))
    },
  })
  const singles = (inFlight: number): Row =>
    sends(`single sends, ${inFlight} in flight`, (messaging) => {
      const producer = messaging.producer()
      return keepInFlight(records, inFlight, () => producer.send(topic, value))
    })
  const many = sends('sendMany of 1,000', (messaging) => {
    const producer = messaging.producer()
    return keepInFlight(records / 1_000, 4, () => producer.sendMany(topic, thousand))
  })

  const reads = (name: string, headersOf: () => SendOptions, way: (add: (by: number) => void) => Handling): Row => ({
    name,
    run: async (messaging) => {
      await messaging.ensureTopics([topic])
      const producer = messaging.producer()
      await keepInFlight(records, 4_096, () => producer.send(topic, value, headersOf()))
      const handled = countTo(records)
      const options = { group: 'bench', topics: [topic], from: 'earliest', ...way(handled.add) } as ConsumerOptions
      const consumer = messaging.consumer(options)
      return cpuOf(async () => {
        await consumer.start()
        await handled.reached
        await consumer.stop()
      })
    },
  })
  const oneByOne = (add: (by: number) => void): Handling => ({ handle: () => add(1) })
  const async = (add: (by: number) => void): Handling => ({
    handle: async () => {
      await null
      add(1)
    },
  })
  const batches = (add: (by: number) => void): Handling => ({ handleBatch: (messages) => add(messages.length) })
  return [
    singles(256),
    singles(4_096),
    many,
    reads('one by one', noHeaders, oneByOne),
    reads('one by one, with contexts', ownContext, oneByOne),
    reads('one by one, async, with contexts', ownContext, async),
    reads('handleBatch', noHeaders, batches),
    reads('handleBatch, with contexts', ownContext, batches),
  ]
}

type Handling =
  { readonly handle: () => void | Promise<void> } | { readonly handleBatch: (messages: readonly unknown[]) => void }

const noHeaders = (): SendOptions => ({})

/** Each record comes from a request of its own. */
function ownContext(): SendOptions {
  const flags = Math.random() < sampled ? '01' : '00'
  return {
    headers: { traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-${flags}` },
  }
}

async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
