import { openSync, writeSync } from 'node:fs'
import { logLevel } from 'kafkajs'
import {
  createMessaging,
  defineTopic,
  closeOnSignal,
  string,
  type DrainReport,
  type MetricName,
} from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import { seededRandom } from '../support/seeded-random.js'
import { delay } from '../support/waiting.js'
import { lineOf, monotonicMs, type MemberEvent, type MemberTask } from './member-log.js'

/**
 * A member of a group as a process of its own. Every line is in the file before the consumer can know of it, so a record
 * whose offset was committed has its line, also when this process is killed at once after.
 */
const task = JSON.parse(process.argv[2] ?? '') as MemberTask
const file = openSync(task.logFile, 'a')
const random = seededRandom(task.seed)

function note(event: MemberEvent): void {
  writeSync(file, lineOf(event))
}

/** How often each partition was given up: a new number for each assignment. */
const tenures = new Map<number, number>()
const tenureOf = (partition: number) => tenures.get(partition) ?? 0

function drained(report: DrainReport): void {
  note({ kind: 'drained', at: monotonicMs(), report })
  for (const { partition } of report.partitions) tenures.set(partition, tenureOf(partition) + 1)
}

/** In steps, so that a process which was stopped for a while does not find the time over when it goes on. */
async function work(ms: number): Promise<void> {
  const stepMs = 50
  for (let left = ms; left > 0; left -= stepMs) await delay(Math.min(left, stepMs))
}

function workMs(): number {
  const { handlerMs, long } = task
  if (long !== null && random() < long.share) return long.ms
  return random() * handlerMs
}

const messaging = createMessaging({
  driver: kafkajs({ brokers: [...task.brokers], logLevel: logLevel.NOTHING, clientId: task.name }),
  clientId: task.name,
  durability: 'off',
  metrics: { ...noMetrics, count: (name, { outcome }) => noteCommit(name, outcome) },
  logger: {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => note({ kind: 'warned', at: monotonicMs(), message: `${message} ${text(fields)}` }),
    error: (fields, message) =>
      note({ kind: 'warned', at: monotonicMs(), message: `error: ${message} ${text(fields)}` }),
  },
})
closeOnSignal(messaging, { timeoutMs: task.closeMs })

const consumer = messaging.consumer({
  group: task.group,
  topics: [defineTopic({ name: task.topic, value: string() })],
  ...task.options,
  handle: async ({ partition, offset, key }, context) => {
    const tenure = tenureOf(partition)
    note({ kind: 'started', at: monotonicMs(), partition, offset, tenure, key: key?.toString() ?? '' })
    await work(workMs())
    const late = tenure !== tenureOf(partition)
    note({ kind: 'ended', at: monotonicMs(), partition, offset, tenure, late, aborted: context.signal.aborted })
  },
  onDrained: drained,
  onPartitionStopped: ({ partition }, error) =>
    note({ kind: 'broken', at: monotonicMs(), message: `partition ${partition} stopped: ${error.message}` }),
  onFailed: (error) => note({ kind: 'broken', at: monotonicMs(), message: `the consumer failed: ${error.message}` }),
})

function noteCommit(name: MetricName, outcome: unknown): void {
  if (name === 'tidemark_consumer_commits_total' && outcome === 'committed')
    note({ kind: 'committed', at: monotonicMs() })
}

function text(fields: object): string {
  return JSON.stringify(fields, (_name, value: unknown) => (value instanceof Error ? value.message : value))
}

setInterval(() => {
  const { driver, commits, late, partitions } = consumer.facts()
  const generation = driver?.generationId ?? -1
  note({
    kind: 'facts',
    at: monotonicMs(),
    generation,
    state: driver?.state ?? '',
    commits,
    late,
    partitions: partitions.length,
  })
}, 250).unref()

await consumer.start({ timeoutMs: 60_000 }).catch((error: unknown) => {
  note({ kind: 'not-started', at: monotonicMs(), message: String(error) })
})
