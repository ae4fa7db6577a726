import { parseArgs } from 'node:util'
import { createMessaging, type Messaging } from 'tidemark'
import { replay } from './access/access.js'
import { alert } from './alert/alert.js'
import { detect } from './detect/detect.js'
import { drained } from './drained.js'
import { openDriver } from './driver.js'
import { rules } from './rules.js'
import type { Service, ServiceReports } from './service.js'
import { sources } from './sources.js'
import type { Store } from './store/store.js'
import { openServiceStore, type ServiceName } from './stores.js'
import { alerts, rawEvents, rawEventsDeadLetters } from './topics.js'

const help = `Runs one service of the alarm pipeline as a process of its own.

  npm run alarm -- access|detect|alert --brokers host:port[,host:port] [options]

  --data-dir folder  where the service's database is (default .demo)
  --until-idle       end when nothing was left to read for 3 s (access ends by itself when its sources are replayed)
  --help             this text

SIGTERM or SIGINT: finish what runs, commit, leave the group, exit.
`

const idleMs = 3_000

interface Run {
  readonly messaging: Messaging
  readonly store: Store
  readonly untilIdle: boolean
  /** Aborted by a signal (without an error) or by a service that cannot go on (with one). */
  readonly stop: AbortController
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      brokers: { type: 'string' },
      'data-dir': { type: 'string', default: '.demo' },
      'until-idle': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  const service = toServiceName(positionals)
  if (values.brokers === undefined) {
    throw new Error(`expected --brokers host:port: processes share a Kafka only outside themselves\n\n${help}`)
  }
  const store = await openServiceStore(values['data-dir'], service)
  const driver = await openDriver(values.brokers)
  const messaging = createMessaging({ driver, clientId: service, profile: 'cp' })
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(signal))
  try {
    await messaging.ensureTopics([rawEvents, rawEventsDeadLetters, alerts])
    await run(service, { messaging, store, untilIdle: values['until-idle'], stop })
  } finally {
    await messaging.close()
    await store.close()
  }
}

function toServiceName([name, ...rest]: readonly string[]): ServiceName {
  if (rest.length === 0 && (name === 'access' || name === 'detect' || name === 'alert')) return name
  throw new Error(`expected one of access, detect, alert; got ${[name ?? 'nothing', ...rest].join(' ')}\n\n${help}`)
}

async function run(service: ServiceName, { messaging, store, untilIdle, stop }: Run): Promise<void> {
  const reports: ServiceReports = {
    onTrouble: (error, waitMs) => print(`trying again in ${waitMs} ms: ${describe(error)}`),
    onStopped: (error) => stop.abort(error),
  }
  switch (service) {
    case 'access': {
      const sent = await replay({
        messaging,
        store,
        sources,
        signal: stop.signal,
        onProgress: ({ source, sent: done, total }) => print(`${source.file}: ${done} of ${total} rows acknowledged`),
      })
      print(`access: ${sent} rows acknowledged`)
      return
    }
    case 'detect':
      return serve(service, detect({ messaging, store, rules, ...reports }), untilIdle, stop.signal)
    case 'alert':
      return serve(service, alert({ messaging, store, ...reports }), untilIdle, stop.signal)
  }
}

async function serve<Counts extends { received: number }>(
  name: ServiceName,
  service: Service<Counts>,
  untilIdle: boolean,
  signal: AbortSignal,
): Promise<void> {
  await service.start()
  print(`${name}: running`)
  try {
    await drained(
      { lag: service.lag, received: () => service.counts().received },
      { quietMs: untilIdle ? idleMs : Infinity, signal },
    )
  } catch (error) {
    if (!signal.aborted) throw error
    if (signal.reason instanceof Error) throw signal.reason
  } finally {
    print(`${name}: ${JSON.stringify(service.counts())}`)
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

main().catch((error: unknown) => {
  process.stderr.write(`${describe(error)}\n`)
  process.exitCode = 1
})
