import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createMessaging, type Messaging } from 'tidemark'
import { replay } from './access/access.js'
import { alert } from './alert/alert.js'
import { detect } from './detect/detect.js'
import { drained } from './drained.js'
import { openDriver } from './driver.js'
import { Progress } from './progress.js'
import { formatReport, readReport } from './report.js'
import { rules } from './rules.js'
import { readSource, sources } from './sources.js'
import { closeAll, openAllStores, type Stores } from './stores.js'
import { alerts, rawEvents, rawEventsDeadLetters } from './topics.js'

const help = `Detects real anomalies in five real series: access → raw_events → detect → alerts → alert → database.

  npm run demo -- [options]

  --brokers host:port[,host:port]  a real Kafka instead of the one inside this process
  --data-dir folder                where the databases are (default .demo)
  --keep                           keep the alerts of the last run and replay everything onto them
  --help                           this text
`

/** Longer than a fetch waits for records, so a quiet service has looked at the log at least once. */
const quietMs = 400

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      brokers: { type: 'string' },
      'data-dir': { type: 'string', default: '.demo' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  const startedAt = performance.now()
  const dataDir = values['data-dir']
  const stores = await openAllStores(dataDir)
  try {
    const unfinished = join(dataDir, 'unfinished')
    const isContinued = existsSync(unfinished)
    await prepare(stores, { keep: values.keep || isContinued, embedded: values.brokers === undefined })
    if (isContinued) print('the last run did not finish: its alerts stay, and what is replayed is known by its ids\n')
    writeFileSync(unfinished, 'removed when the run ends\n')
    await runPipeline(stores, values.brokers)
    rmSync(unfinished)

    const report = await readReport({ sources, rules, detectDb: stores.detect.db, alertDb: stores.alert.db })
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    print(`\n${formatReport(report)}\n\n${seconds} s; the databases are in ${dataDir}\n`)
  } finally {
    await closeAll(Object.values(stores))
  }
}

/**
 * The embedded Kafka dies with its process, and with it everything that speaks about its log: checkpoints, offsets, and
 * the points detect took from it. Alerts are results and may stay; their inbox knows every event that comes again.
 */
async function prepare(stores: Stores, { keep, embedded }: { keep: boolean; embedded: boolean }): Promise<void> {
  if (!keep) await stores.alert.clear()
  if (keep && embedded) await stores.alert.db.deleteFrom('consumer_offset').execute()
  if (!keep || embedded) {
    await stores.access.clear()
    await stores.detect.clear()
  }
}

async function runPipeline(stores: Stores, brokers: string | undefined): Promise<void> {
  const driver = await openDriver(brokers)
  const stop = new AbortController()
  const fail = (error: unknown): void => stop.abort(error)
  const onTrouble = (error: unknown, waitMs: number): void =>
    print(`trying again in ${waitMs} ms: ${error instanceof Error ? error.message : String(error)}\n`)
  const onSignal = (): void => fail(new Error('interrupted; start again and it goes on'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)

  // One client a service, as if each ran in a process of its own.
  const clients = {
    access: createMessaging({ driver, clientId: 'access', profile: 'cp' }),
    detect: createMessaging({ driver, clientId: 'detect', profile: 'cp' }),
    alert: createMessaging({ driver, clientId: 'alert', profile: 'cp' }),
  }
  const reports = { onTrouble, onStopped: fail }
  try {
    await clients.access.ensureTopics([rawEvents, rawEventsDeadLetters, alerts])
    const detecting = detect({ messaging: clients.detect, store: stores.detect, rules, ...reports })
    const alerting = alert({ messaging: clients.alert, store: stores.alert, ...reports })
    await Promise.all([detecting.start(), alerting.start()])

    const rows = (await Promise.all(sources.map(readSource))).flat().length
    const progress = new Progress(rows)
    const note = (): string => `${detecting.counts().sent} events, ${alerting.counts().open} alerts opened`
    const ticker = setInterval(() => progress.show(detecting.counts().received, note()), 100)
    try {
      const sent = await replay({ messaging: clients.access, store: stores.access, sources, signal: stop.signal })
      await drained(
        { lag: detecting.lag, received: () => detecting.counts().received },
        { expected: sent, quietMs, signal: stop.signal },
      )
      await drained(
        { lag: alerting.lag, received: () => alerting.counts().received },
        { expected: detecting.counts().sent, quietMs, signal: stop.signal },
      )
    } finally {
      clearInterval(ticker)
      progress.end(detecting.counts().received, note())
    }
  } catch (error) {
    // Whoever waited was woken by the abort; its reason tells what happened.
    throw stop.signal.aborted ? stop.signal.reason : error
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    await closeInOrder(clients)
  }
}

/** Writers of a topic before its readers. */
async function closeInOrder(clients: Readonly<Record<'access' | 'detect' | 'alert', Messaging>>): Promise<void> {
  await clients.access.close()
  await clients.detect.close()
  await clients.alert.close()
}

function print(text: string): void {
  process.stdout.write(text)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
