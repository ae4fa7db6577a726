import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openTopics } from './avro-topics.js'
import { openDriver } from './driver.js'
import { repeatsOf, stagesOf } from './page/accounts.js'
import { mortalCluster } from './page/mortal-cluster.js'
import { readDrawnSeries } from './page/read-series.js'
import { reportPage, sentenceOf, type ReportData } from './page/report-page.js'
import { watchRun, type Watched } from './page/watch-run.js'
import { Progress } from './progress.js'
import { formatReport, readReport } from './report.js'
import { noDataRules, rules } from './rules.js'
import { runPipeline, untold, type PipelineCounts } from './run-pipeline.js'
import { firstRows, readSource, sources as allSources, type Source } from './sources.js'
import { clear, closeAll, openAllStores, storedPoints, type Stores } from './stores.js'

const help = `Detects real anomalies in five real series, folds their alerts and tells of them: access → detect → alert → converge →
notice, all in this process; five of them are killed on the way. (search needs an Elasticsearch: npm run alarm -- search.)

  npm run demo -- [options]

  --brokers host:port[,host:port]  a real Kafka instead of the one inside this process
  --schemas url                    topics as Avro, by the schema registry at this address; needs the package avsc
  --db url                         beside --brokers, an empty database that all services share: mysql://… (MariaDB too) or
                                   postgres://…; instead of SQLite's files
  --data-dir folder                where the databases are, and the report (default .demo)
  --keep                           keep the alerts of the last run and replay everything onto them
  --rows n                         only the first n rows of each series
  --help                           this text
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      brokers: { type: 'string' },
      schemas: { type: 'string' },
      db: { type: 'string' },
      'data-dir': { type: 'string', default: '.demo' },
      keep: { type: 'boolean', default: false },
      rows: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  const startedAt = performance.now()
  const dataDir = values['data-dir']
  const sources = values.rows === undefined ? allSources : firstRows(allSources, toRowCount(values.rows))
  if (values.db !== undefined && values.brokers === undefined)
    throw new Error(
      'expected --brokers beside --db: a database outlives the Kafka inside this process, whose offsets it has',
    )
  mkdirSync(dataDir, { recursive: true })
  const stores = await openAllStores(dataDir, values.db)
  try {
    const unfinished = join(dataDir, 'unfinished')
    const isContinued = values.db === undefined && existsSync(unfinished)
    const keep = values.keep || isContinued
    if (!keep && values.db !== undefined && (await storedPoints(stores)) > 0)
      throw new Error('expected --db with an empty database, or --keep: alarms of somebody else may be in it')
    await prepare(stores, { keep, embedded: values.brokers === undefined })
    if (isContinued) print('the last run did not finish: its alerts stay, and what is replayed is known by its ids\n')
    writeFileSync(unfinished, 'removed when the run ends\n')
    const { counts, watched } = await run(stores, sources, values)
    rmSync(unfinished)

    const input = { sources, rules, noDataRules, detectDb: stores.detect.db, alertDb: stores.alert.db }
    const report = await readReport(input)
    const page: ReportData = {
      rows: report.reduce((sum, line) => sum + (line.rows ?? 0), 0),
      seconds: watched.seconds(),
      series: await readDrawnSeries(input),
      samples: watched.samples,
      kills: watched.kills,
      stages: stagesOf(
        report.reduce((sum, line) => sum + (line.rows ?? 0), 0),
        counts,
      ),
      repeats: await repeatsOf(counts, watched.kills, stores),
    }
    const file = join(dataDir, 'report.html')
    writeFileSync(file, reportPage(page))
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    print(
      `\n${formatReport(report)}\n\n${sentenceOf(page)}\n${seconds} s; the picture of it is ${file}, the databases are ${values.db === undefined ? `in ${dataDir}` : 'where --db says'}\n`,
    )
  } finally {
    await closeAll(Object.values(stores))
  }
}

function toRowCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new Error(`expected --rows with a whole number from 1, got ${text}`)
}

/**
 * The embedded Kafka dies with its process, and with it everything that speaks about its log: checkpoints, offsets, and
 * the points detect took from it. Alerts are results and may stay; their inbox knows every event that comes again.
 */
async function prepare(stores: Stores, { keep, embedded }: { keep: boolean; embedded: boolean }): Promise<void> {
  for (const store of [stores.alert, stores.converge, stores.notice]) {
    if (!keep) await clear(store)
    else if (embedded) await store.db.deleteFrom('tidemark_positions' as never).execute()
  }
  if (!keep || embedded) {
    await clear(stores.access)
    await clear(stores.detect)
  }
}

async function run(
  stores: Stores,
  sources: readonly Source[],
  { brokers, schemas }: { readonly brokers?: string | undefined; readonly schemas?: string | undefined },
): Promise<{ readonly counts: PipelineCounts; readonly watched: Watched }> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort(new Error('interrupted; start again and it goes on'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  const progress = new Progress((await Promise.all(sources.map(readSource))).flat().length)
  // What runs in this process can be killed without harm to others.
  const cluster = brokers === undefined ? mortalCluster() : null
  const watched = watchRun(({ counts }) => showProgress(progress, counts()), cluster?.cut ?? null)
  try {
    const counts = await runPipeline({
      driver: cluster ? cluster.driverOf : await openDriver(brokers),
      stores,
      sources,
      topics: await openTopics(schemas),
      signal: stop.signal,
      continues: true,
      logger: cluster ? 'silent' : undefined,
      ...untold,
      onTrouble: (error) => {
        if (!cluster) print(`trying again: ${error instanceof Error ? error.message : String(error)}\n`)
      },
      onRunning: watched.onRunning,
      onProgress: watched.onProgress,
    })
    return { counts, watched }
  } finally {
    await watched.stop()
    progress.end()
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

function showProgress(progress: Progress, { detect, alert }: PipelineCounts): void {
  const rows = (detect['accepted'] ?? 0) + (detect['repeated'] ?? 0) + (detect['conflicts'] ?? 0)
  progress.show(rows, `${detect['sent'] ?? 0} events, ${alert['open'] ?? 0} alerts opened`)
}

function print(text: string): void {
  process.stdout.write(text)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
