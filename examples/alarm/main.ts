import { parseArgs } from 'node:util'
import { createMessaging, type Messaging } from 'tidemark'
import { replay } from './access/access.js'
import { alert } from './alert/alert.js'
import { openTopics } from './avro-topics.js'
import { detect, type DetectProfile } from './detect/detect.js'
import { drained } from './drained.js'
import { openDriver } from './driver.js'
import { noDataRules, rules } from './rules.js'
import { instanceId, type Service, type ServiceMembership, type ServiceReports } from './service.js'
import { sources } from './sources.js'
import type { Store } from './store/store.js'
import { openServiceStore, type ServiceName } from './stores.js'
import type { AlarmTopics } from './topics.js'

const help = `Runs one service of the alarm pipeline as a process of its own.

  npm run alarm -- access|detect|alert --brokers host:port[,host:port] [options]

  --data-dir folder  where the service's database is (default .demo)
  --instance name    what the group knows this process by (default 1); keep it over restarts, and the next process has
                     the partitions at once, after kill -9 too
  --profile name     of detect: cp (default; in the order of time, with what is missing, an event may come twice) or
                     transactional (each event once, in the order of arrival)
  --schemas url      topics as Avro, by the schema registry at this address (default JSON); needs the package avsc
  --until-idle       end when nothing was left to read for 3 s (access ends by itself when its sources are replayed)
  --help             this text

SIGTERM or SIGINT: finish what runs, commit, exit.
`

const idleMs = 3_000
const lookEveryMs = 100
const tellEveryMs = 1_000

interface Run {
  readonly messaging: Messaging
  readonly store: Store
  readonly topics: AlarmTopics
  readonly groupInstanceId: string
  readonly profile: DetectProfile
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
      instance: { type: 'string', default: '1' },
      profile: { type: 'string', default: 'cp' },
      schemas: { type: 'string' },
      'until-idle': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  const service = toServiceName(positionals)
  const profile = toProfile(values.profile, service)
  if (values.brokers === undefined) {
    throw new Error(`expected --brokers host:port: processes share a Kafka only outside themselves\n\n${help}`)
  }
  const store = await openServiceStore(values['data-dir'], service)
  const driver = await openDriver(values.brokers)
  const topics = await openTopics(values.schemas)
  const messaging = createMessaging({ driver, clientId: service, profile })
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(signal))
  try {
    await messaging.ensureTopics([topics.rawEvents, topics.rawEventsDeadLetters, topics.alerts])
    const groupInstanceId = instanceId(service, values.instance)
    await run(service, { messaging, store, topics, groupInstanceId, profile, untilIdle: values['until-idle'], stop })
  } finally {
    await messaging.close()
    await store.close()
  }
}

function toServiceName([name, ...rest]: readonly string[]): ServiceName {
  if (rest.length === 0 && (name === 'access' || name === 'detect' || name === 'alert')) return name
  throw new Error(`expected one of access, detect, alert; got ${[name ?? 'nothing', ...rest].join(' ')}\n\n${help}`)
}

function toProfile(name: string, service: ServiceName): DetectProfile {
  if (name === 'cp' || (name === 'transactional' && service === 'detect')) return name
  throw new Error(`expected --profile cp, or transactional of detect; got ${name}\n\n${help}`)
}

async function run(
  service: ServiceName,
  { messaging, store, topics, groupInstanceId, profile, untilIdle, stop }: Run,
): Promise<void> {
  const member: ServiceMembership & ServiceReports = {
    groupInstanceId,
    onTrouble: (error) => print(`trying again: ${describe(error)}`),
    onStopped: (error) => stop.abort(error),
  }
  switch (service) {
    case 'access': {
      const sent = await replay({
        messaging,
        store,
        sources,
        topics,
        signal: stop.signal,
        onProgress: ({ sent: done, total }) => print(`${done} of ${total} rows acknowledged`),
      })
      print(`access: ${sent} rows acknowledged`)
      return
    }
    case 'detect':
      return serve(
        service,
        detect({ messaging, store, topics, rules, noDataRules, profile, ...member }),
        untilIdle,
        stop.signal,
      )
    case 'alert':
      return serve(service, alert({ messaging, store, topics, ...member }), untilIdle, stop.signal)
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
  const ticker = tellOfProgress(name, () => service.counts().received)
  try {
    await drained(
      { lag: service.lag, received: () => service.counts().received },
      { quietMs: untilIdle ? idleMs : Infinity, signal },
    )
  } catch (error) {
    if (!signal.aborted) throw error
    if (signal.reason instanceof Error) throw signal.reason
  } finally {
    clearInterval(ticker)
    print(`${name}: ${JSON.stringify(service.counts())}`)
  }
}

/** A line when there is news, at most one a second. */
function tellOfProgress(name: ServiceName, received: () => number): NodeJS.Timeout {
  let told = { received: 0, at: -Infinity }
  return setInterval(() => {
    const now = performance.now()
    if (received() === told.received || now - told.at < tellEveryMs) return
    told = { received: received(), at: now }
    print(`${name}: ${told.received} records stored`)
  }, lookEveryMs)
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
