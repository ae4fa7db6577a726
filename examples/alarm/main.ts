import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { createMessaging } from 'tidemark'
import { followLevels } from 'tidemark/degrade'
import { deliver, type DeliverOptions } from './access/access.js'
import type { Input } from './access/arrivals.js'
import { readCsv } from './access/csv.js'
import { httpAccess } from './access/http.js'
import { shedding } from './access/shedding.js'
import { openTopics } from './avro-topics.js'
import { drained } from './drained.js'
import { openDriver } from './driver.js'
import { openProbes, toAddress, type Address } from './probes.js'
import type { Service } from './service.js'
import { instanceId, profileOf, serviceNames, services, type ServiceName } from './services.js'
import { readReplay, sources } from './sources.js'
import { openServiceStore } from './stores.js'
import { jsonTopics } from './topics.js'
import type { VerifyOptions } from './verify/command.js'

const help = `Runs one service of the alarm pipeline as a process of its own.

  npm run alarm -- ${serviceNames.join('|')} --brokers host:port[,host:port] [options]

  --data-dir folder  where the service's database is (default .demo)
  --db url           a server that services share: mysql://… (MariaDB too) or postgres://…
  --instance name    what the group knows this process by (default 1); keep it over restarts, and the next process has
                     the partitions at once, after kill -9 too
  --profile name     of detect: cp (default; in the order of time, with what is missing, an event may come twice) or
                     transactional (each event once, in the order of arrival)
  --schemas url      topics as Avro, by the schema registry at this address (default JSON); needs the package avsc
  --csv file         of access: rows of this file in place of the five series (columns timestamp, metric, value,
                     bk_biz_id, priority; every other one is a dimension)
  --http [host:]port of access: take events at POST /events until SIGTERM (default host 127.0.0.1)
  --spread biz=n     of access: the series of this tenant go over n keys; may be given several times
  --probes [host:]port  /live, /ready and /metrics here (default host 127.0.0.1); needs the package prom-client
  --until-idle       end when nothing was left to read for 3 s (access ends by itself when its sources are replayed)
  --help             this text

  npm run alarm -- workload w1|…|w7 [--seed n] [--hosts n] [--rows n] [--backlog n] [--spread biz=n] [--brokers host:port]
                           [--db url]

  w1 the reference figures beside ours, w2 many hosts, w3 a storm of a rack, w4 dirty input, w5 one hot tenant, w6 each
  service dies twice, w7 a backlog (default 500,000) and the levels it raises; ends with 1 when what must hold does not.
  Without --brokers (a Kafka without records of another run) on the Kafka inside this process, without --db (an empty
  database) on files that are thrown away.

  npm run alarm -- verify --brokers host:port [--data-dir folder | --db url] [--schemas url] [--running]
                                             [--reference file] [--journal file] [--save file]

  Looks at topics and databases, says of each of 18 invariants what it looked at and what it found, and ends with 1 when one
  is broken. --running: only those that hold at any moment (of a --db that services share). --save writes what this run
  ended with, --reference compares with that of another; --journal is what a receiver of notices wrote down.

Environment: ALARM_WEBHOOK, where notice posts what the channel pager is told (default: lines here); ALARM_ELASTIC, where
search finds Elasticsearch (default http://localhost:9200). Both take http://user:password@host:port/path.

SIGTERM or SIGINT: finish what runs, commit, exit.
`

const commands: readonly string[] = [...serviceNames, 'workload', 'verify']
const optionsOfServices = ['brokers', 'data-dir', 'db', 'instance', 'schemas', 'probes', 'until-idle']
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  access: [...optionsOfServices, 'csv', 'http', 'spread'],
  detect: [...optionsOfServices, 'profile'],
  workload: ['brokers', 'db', 'seed', 'hosts', 'rows', 'backlog', 'spread'],
  verify: ['brokers', 'data-dir', 'db', 'schemas', 'running', 'reference', 'journal', 'save'],
}

const idleMs = 3_000
const lookEveryMs = 100
const tellEveryMs = 1_000

async function main(): Promise<void> {
  const { values, positionals, tokens } = parseArgs({
    allowPositionals: true,
    tokens: true,
    options: {
      brokers: { type: 'string' },
      'data-dir': { type: 'string', default: '.demo' },
      db: { type: 'string' },
      instance: { type: 'string', default: '1' },
      profile: { type: 'string', default: 'cp' },
      schemas: { type: 'string' },
      csv: { type: 'string' },
      http: { type: 'string' },
      probes: { type: 'string' },
      spread: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string', default: '1' },
      hosts: { type: 'string', default: '200' },
      rows: { type: 'string', default: '200' },
      backlog: { type: 'string', default: '500000' },
      running: { type: 'boolean', default: false },
      reference: { type: 'string' },
      journal: { type: 'string' },
      save: { type: 'string' },
      'until-idle': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    print(help)
    return
  }
  if (positionals.length === 0) throw new Error(`expected ${commands.join(', ')}; got nothing\n\n${help}`)
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  refuseOthers(positionals[0] ?? '', given)
  if (positionals[0] === 'workload') return workload(positionals.slice(1), values)
  if (positionals[0] === 'verify') return verify(values)
  const name = toServiceName(positionals)
  const { profile, brokers } = values
  if (profile !== 'cp' && profile !== 'transactional')
    throw new Error(`expected --profile cp or transactional; got ${profile}`)
  if (brokers === undefined)
    throw new Error(
      'expected --brokers host:port: processes share a Kafka only outside themselves; npm run kafka starts one',
    )
  // Before anything is opened: what is wrong is told at once.
  const spread = toSpread(values.spread)
  const http = values.http === undefined ? null : toAddress(values.http)
  const input =
    name !== 'access' || http ? null : values.csv === undefined ? await readReplay(sources) : await readCsv(values.csv)
  const store = await openServiceStore(values['data-dir'], name, values.db)
  const topics = await openTopics(values.schemas)
  const driver = await openDriver(brokers)
  const probes = values.probes === undefined ? null : await openProbes(values.probes, name)
  const how = { driver, clientId: name, profile: profileOf(name, profile) }
  const messaging = createMessaging({ ...how, ...(probes && { metrics: probes.metrics }) })
  // Aborted by a signal (without an error) or by a service that cannot go on (with one).
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(signal))
  try {
    await messaging.ensureTopics(Object.values(topics))
    const onTrouble = (error: unknown): void => print(`trying again: ${describe(error)}\n`)
    const parts = { messaging, store, topics, onTrouble }
    if (name === 'access') {
      await probes?.serve(messaging)
      await access({ ...parts, spread, signal: stop.signal }, input ?? http)
    } else {
      const service = services[name]({
        ...parts,
        groupInstanceId: instanceId(name, values.instance),
        profile,
        onStopped: (error) => stop.abort(error),
      })
      // With its consumer: before that nothing would say that it is not ready.
      await probes?.serve(messaging)
      await serve(name, service, values['until-idle'] ? idleMs : Infinity, stop.signal)
    }
  } finally {
    await messaging.close()
    await store.close()
  }
}

async function workload(
  [name = '', ...rest]: readonly string[],
  given: {
    readonly brokers?: string
    readonly db?: string
    readonly seed: string
    readonly hosts: string
    readonly rows: string
    readonly backlog: string
    readonly spread: string[]
  },
): Promise<void> {
  const { workloads } = await import('./workloads/run-workload.js')
  const run = workloads[name]
  if (!run || rest.length > 0)
    throw new Error(
      `expected one workload of ${Object.keys(workloads).join(', ')}; got ${[name, ...rest].join(' ') || 'none'}`,
    )
  const [hosts, rows, backlog] = [
    toCount('hosts', given.hosts),
    toCount('rows', given.rows),
    toCount('backlog', given.backlog),
  ]
  const seed = toCount('seed', given.seed, 0)
  const { text, holds } = await run({
    brokers: given.brokers,
    db: given.db,
    seed,
    hosts,
    rows,
    backlog,
    spread: toSpread(given.spread),
  })
  print(`${text}\n${holds ? 'holds' : 'DOES NOT HOLD'}\n`)
  if (!holds) process.exitCode = 1
}

async function verify({ brokers, ...options }: VerifyOptions & { readonly brokers?: string }): Promise<void> {
  if (brokers === undefined) throw new Error('expected --brokers host:port, where the topics are')
  const messaging = createMessaging({ driver: await openDriver(brokers), clientId: 'verify' })
  try {
    const { text, holds } = await (await import('./verify/command.js')).verifyPipeline(messaging, options)
    print(`${text}\n`)
    if (!holds) process.exitCode = 1
  } finally {
    await messaging.close()
  }
}

/** Shed by the level that whoever watches the lag tells (`control`). */
async function access(
  options: DeliverOptions & { readonly signal: AbortSignal },
  from: Input | Address | null,
): Promise<void> {
  const { messaging, topics = jsonTopics } = options
  const less = shedding(messaging, topics)
  await followLevels(messaging, topics.control, less).start()
  const onProgress = ({ sent, total }: { sent: number; total: number }): void =>
    print(`${sent} of ${total} rows acknowledged\n`)
  const all = { ...options, less, onProgress }
  if (from === null) return
  if ('arrivals' in from) {
    print(`access: ${await deliver(from, all)} rows acknowledged\n`)
    return
  }
  const { host, port } = from
  const server = httpAccess(all).listen(port, host)
  await once(server, 'listening')
  print(`access: running at http://${host}:${(server.address() as AddressInfo).port}/events\n`)
  if (!options.signal.aborted) await once(options.signal, 'abort')
  server.closeIdleConnections()
  await new Promise((resolve) => server.close(resolve))
}

function toSpread(given: readonly string[]): Map<number, number> {
  return new Map(
    given.map((text) => {
      const [, biz, ways] = /^(\d+)=([1-9]\d*)$/.exec(text) ?? []
      if (biz === undefined) throw new Error(`expected --spread with a tenant and a number, as 2=4; got ${text}`)
      return [Number(biz), Number(ways)]
    }),
  )
}

/** What would be passed over is refused: an option of another command, or a misunderstanding. */
function refuseOthers(command: string, given: readonly string[]): void {
  const taken = [...(command in optionsOf ? (optionsOf[command] ?? []) : optionsOfServices), 'help']
  const [other] = given.filter((name) => !taken.includes(name))
  if (other === undefined || !commands.includes(command)) return
  throw new Error(`expected options of ${command}: ${taken.map((name) => `--${name}`).join(', ')}; got --${other}`)
}

function toCount(name: string, text: string, least = 1): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= least) return count
  throw new Error(`expected --${name} with a whole number from ${least}; got ${text}`)
}

function toServiceName([name, ...rest]: readonly string[]): ServiceName {
  const found = serviceNames.find((one) => one === name)
  if (found !== undefined && rest.length === 0) return found
  throw new Error(`expected ${commands.join(', ')}; got ${[name, ...rest].join(' ')}; --help tells more`)
}

async function serve(name: ServiceName, service: Service, quietMs: number, signal: AbortSignal): Promise<void> {
  await service.start()
  print(`${name}: running\n`)
  const received = (): number => service.counts()['received'] ?? 0
  const ticker = tellOfProgress(name, received)
  try {
    await drained({ lag: () => service.lag(), received }, { quietMs, signal })
  } catch (error) {
    if (!signal.aborted) throw error
    if (signal.reason instanceof Error) throw signal.reason
  } finally {
    clearInterval(ticker)
    print(`${name}: ${JSON.stringify(service.counts())}\n`)
  }
}

/** A line when there is news, at most one a second. */
function tellOfProgress(name: ServiceName, received: () => number): NodeJS.Timeout {
  let told = { received: 0, at: -Infinity }
  return setInterval(() => {
    const now = performance.now()
    if (received() === told.received || now - told.at < tellEveryMs) return
    told = { received: received(), at: now }
    print(`${name}: ${told.received} records stored\n`)
  }, lookEveryMs)
}

function print(text: string): void {
  process.stdout.write(text)
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

main().catch((error: unknown) => {
  process.stderr.write(`${describe(error)}\n`)
  process.exitCode = 1
})
