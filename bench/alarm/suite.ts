import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { logLevel } from 'kafkajs'
import type { Arrival } from '../../examples/alarm/access/arrivals.js'
import { rules } from '../../examples/alarm/rules.js'
import { openStore } from '../../examples/alarm/store/store.js'
import { fanOut } from '../../examples/alarm/workloads/inputs.js'
import { startCluster } from '../../test/support/kafka-cluster.js'
import { measure, type Measured } from '../measure.js'
import { printRatios, printTable } from '../table.js'
import { isThrough, type RunningStages, type StageStores, type Task } from './run.js'
import { withKafkajs } from './with-kafkajs.js'
import { withTidemark } from './with-tidemark.js'
import { withoutKafka } from './without-kafka.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const hosts = 200
/** Of each host, from where the series begins to go wrong, so that alert has something to do. */
const rows = Number(process.env['BENCH_RECORDS'] ?? 40_000) / hosts
const firstRow = 2_900
const longestMs = 600_000

/** W2: 200 hosts with a series each, from file to `alert_status`, with the example's services and with bare kafkajs. */
export async function runAlarm(): Promise<void> {
  const arrivals = await fanOut(hosts, rows, 1, firstRow)
  const results: Measured[] = []
  const outcomes = new Set<string>()
  const round = async (name: string, start: (task: Task) => Promise<RunningStages>): Promise<void> => {
    const { measured, outcome } = await oneRun(name, arrivals, start)
    results.push(measured)
    outcomes.add(outcome)
  }
  for (let n = 1; n <= rounds; n += 1) {
    process.stderr.write(`alarm: round ${n} of ${rounds}\n`)
    await round('no Kafka, the stages alone', withoutKafka)
    await round('tidemark, embedded', (task) => withTidemark(memory(), task))
    // Which of them is first changes, so that what a machine does meanwhile falls on both.
    const onKafka = [
      () =>
        ownCluster((brokers) =>
          round(ours, (task) => withTidemark(kafkajs({ brokers, logLevel: logLevel.NOTHING }), task)),
        ),
      () => ownCluster((brokers) => round(theirs, (task) => withKafkajs(brokers, 'batch', task))),
    ]
    for (const run of n % 2 === 0 ? onKafka.reverse() : onKafka) await run()
  }
  process.stderr.write(`alarm: ${usual}, once: it takes minutes\n`)
  await ownCluster((brokers) => round(usual, (task) => withKafkajs(brokers, 'message', task)))
  printTable(`alarm: W2, ${hosts} hosts, ${arrivals.length} events from file to alert_status, SQLite`, results)
  process.stdout.write(
    `  ${outcomes.size === 1 ? 'the same alerts' : 'OTHER ALERTS'} in all runs: ${[...outcomes].join(' | ')}\n`,
  )
  printRatios(results, [
    { ours, theirs, atLeast: 2 },
    { ours, theirs: usual, atLeast: 2 },
  ])
}

const ours = 'tidemark, Kafka'
const theirs = 'kafkajs by batch, Kafka'
const usual = 'kafkajs by message, Kafka'

async function ownCluster(work: (brokers: string[]) => Promise<void>): Promise<void> {
  const cluster = await startCluster({ nodes: 1 })
  try {
    await work([...cluster.brokers])
  } finally {
    await cluster.stop()
  }
}

async function oneRun(
  name: string,
  arrivals: readonly Arrival[],
  start: (task: Task) => Promise<RunningStages>,
): Promise<{ readonly measured: Measured; readonly outcome: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-alarm-'))
  const stores: StageStores = {
    access: await openStore(join(folder, 'access.db')),
    detect: await openStore(join(folder, 'detect.db')),
    alert: await openStore(join(folder, 'alert.db')),
  }
  const tenants = new Set(arrivals.map(({ event }) => (event as { bk_biz_id: number }).bk_biz_id))
  const [rule] = rules.filter(({ strategyId }) => strategyId === 13)
  const book = { rules: [...tenants].map((bizId) => ({ ...rule!, bizId })), noDataRules: [] }
  const stages = await start({ arrivals, book, stores })
  try {
    const measured = await measure(name, async () => {
      const delivering = stages.deliver()
      const giveUpAt = performance.now() + longestMs
      while (!(await isThrough(stages.progress(), arrivals.length))) {
        if (performance.now() > giveUpAt) throw new Error(`${name}: not through after ${longestMs} ms`)
        await sleep(20)
      }
      await delivering
      return arrivals.length
    })
    return { measured, outcome: await outcomeOf(stores) }
  } finally {
    await stages.stop()
    for (const store of Object.values(stores)) await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** What both must find: alerts, those that are over, and lines of their log. */
async function outcomeOf({ alert: { db } }: StageStores): Promise<string> {
  const found = await db.selectFrom('alert').select(['status', 'version']).execute()
  const over = found.filter(({ status }) => status === 'RECOVERED').length
  const changes = found.reduce((sum, { version }) => sum + version, 0)
  return `${found.length} alerts, ${over} over, ${changes} changes`
}
