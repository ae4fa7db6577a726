import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import type { CopierTask } from '../support/copier-process.js'
import { readByConsole, startConsoleConsumer, type ConsoleRecord } from '../support/console-consumer.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { setTransactionVersion } from '../support/kafka-features.js'
import { newestKafka, oldestKafka } from '../support/kafka-jars.js'
import { dieWithUs } from '../support/reaper.js'
import { delay, until } from '../support/waiting.js'
import { brokerPropertiesFor, cellProtocols, memberOptionsFor, type CellProtocol } from './group-protocols.js'

/** Copiers and brokers are killed in turn while records are copied exactly once. */
export interface CopierCell {
  readonly name: string
  readonly version: string
  readonly records: number
  readonly withinMs: number
  /** The cluster agrees on `transaction.version` 2 in the middle of it. */
  readonly raises: boolean
  readonly protocol: CellProtocol
}

export interface CopierResult {
  readonly cell: CopierCell
  readonly failures: readonly string[]
  readonly seconds: number
  readonly aborted: number
  readonly killedBrokers: number
  readonly killedCopiers: number
}

const short = {
  version: newestKafka,
  records: 20_000,
  withinMs: 400_000,
  raises: false,
  protocol: 'cooperative',
} as const

const cell = (size: Partial<CopierCell>): CopierCell => {
  const { version, raises, protocol, ...rest } = { ...short, ...size }
  return { name: `copier/${version}/${protocol}${raises ? '/raised' : ''}`, version, raises, protocol, ...rest }
}

const full = { records: 100_000, withinMs: 900_000 }

export const copierCells: readonly CopierCell[] = [cell({ raises: true })]
export const fullCopierCells: readonly CopierCell[] = [
  ...[oldestKafka, '4.4.0'].map((version) => cell({ ...full, version })),
  ...cellProtocols.map((protocol) => cell({ ...full, protocol })),
  cell({ ...full, raises: true }),
]

/** Of the group: under the `consumer` protocol whoever comes after a killed copier waits for so long. */
const times = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 1_000 }

const copiers = 3
const partitions = 3
/** Of the records, before anything is killed. */
const firstShare = 0.2

/** One process after the other in one place of the group. */
class Place {
  aborted = 0
  rewound = 0
  errors = ''
  #child: ChildProcess | null = null
  #lives = 0
  #whenStarted: Promise<void> = Promise.resolve()

  constructor(private readonly task: Omit<CopierTask, 'seed'>) {}

  start(): void {
    this.#lives += 1
    const task: CopierTask = { ...this.task, seed: this.#lives * 100 + Number(this.task.name.slice(1)) }
    const program = fileURLToPath(new URL('../support/copier-process.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    dieWithUs(child)
    child.stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + String(chunk)).slice(-4_000)))
    this.#whenStarted = new Promise((resolve) => {
      child.once('exit', () => resolve())
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'aborted') this.aborted += 1
        if (line === 'transaction-aborted') this.rewound += 1
        if (line === 'started') resolve()
      })
    })
    this.#child = child
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  started(): Promise<void> {
    return this.#whenStarted
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === null || !this.isRunning) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const limit = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await gone
    clearTimeout(limit)
  }
}

export async function runCopierCells(
  cells: readonly CopierCell[],
  onResult: (result: CopierResult) => void,
): Promise<void> {
  for (const each of cells) onResult(await runCell(each))
}

async function runCell(cell: CopierCell): Promise<CopierResult> {
  const startedAt = performance.now()
  const properties = {
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
    ...brokerPropertiesFor(cell.protocol, times),
  }
  await using cluster = await startCluster({ version: cell.version, nodes: 3, properties })
  if (cell.raises) await setTransactionVersion(cluster, 1)
  const [from, to] = ['copier-in', 'copier-out']
  for (const name of [from, to]) await cluster.createTopic(name, { partitions })
  const messaging = createMessaging({
    driver: kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }),
    logger: 'silent',
  })
  const places = Array.from(
    { length: copiers },
    (_, number) =>
      new Place({
        ...{ name: `c${number}`, brokers: cluster.brokers, group: 'copier', from, to, aborted: 0.1 },
        membership: memberOptionsFor(cell.protocol, times),
      }),
  )
  const failures: string[] = []
  const kills = { brokers: 0, copiers: 0 }
  const meanwhile = startConsoleConsumer(cluster, to)
  try {
    for (const place of places) place.start()
    await Promise.all(places.map((place) => place.started()))
    let raised: () => void = () => undefined
    const whenRaised = cell.raises ? new Promise<void>((resolve) => (raised = resolve)) : Promise.resolve()
    // Else a slow machine has copied everything before the version is raised.
    const written = write(messaging, from, cell.records, whenRaised)
    written.catch(() => undefined) // said below
    const copied = () => committedOf(messaging, from)
    const limit = { timeoutMs: cell.withinMs, everyMs: 200 }
    await until('a fifth is copied', async () => (await copied()) >= cell.records * firstShare, limit)
    const epochs = () => epochsOf(messaging)
    let before: readonly number[] = []
    for (let number = 0; number < copiers; number += 1) {
      await killInTurn(cluster, places, number, kills)
      if (number > 0 || !cell.raises) continue
      await setTransactionVersion(cluster, 2)
      before = await epochs()
      raised()
    }
    await written
    await until('all is copied', async () => (await copied()) >= cell.records, limit)
    if (cell.raises) failures.push(...notRaised(before, await epochs()))
    for (const place of places) await place.end('SIGTERM')
    const all = await readByConsole(cluster, to)
    await until('the reader meanwhile has all', () => meanwhile.records.length >= all.length)
    if (!sameByPartition(meanwhile.records, all)) {
      failures.push('what was read meanwhile is not what is there in the end')
    }
    failures.push(...compare(await readTopic(cluster, from), all))
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error))
  } finally {
    for (const place of places) await place.end('SIGKILL')
    await meanwhile.stop()
    await messaging.close({ timeoutMs: 2_000 }).catch(() => undefined) // brokers may be down
  }
  const aborted = places.reduce((sum, place) => sum + place.aborted, 0)
  if (aborted < 3) failures.push(`only ${aborted} transactions were aborted on purpose`)
  if (failures.length > 0)
    failures.push(...places.map(({ errors }) => errors.slice(-600)).filter((text) => text !== ''))
  return {
    ...{ cell, failures, aborted, killedBrokers: kills.brokers, killedCopiers: kills.copiers },
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  }
}

/** In forty parts, so that copying goes on while brokers and copiers are killed; the second half of them afterwards. */
async function write(messaging: Messaging, name: string, records: number, afterwards: Promise<void>): Promise<void> {
  const topic = defineTopic({ name, value: string() })
  const producer = messaging.producer()
  const part = Math.ceil(records / 40)
  for (let from = 0; from < records; from += part) {
    if (from >= records / 2) await afterwards
    const values = Array.from({ length: Math.min(part, records - from) }, (_, index) => String(from + index))
    await Promise.all(values.map((value) => producer.send(topic, value, { partition: Number(value) % partitions })))
    await delay(600)
  }
}

/** How many records the group has behind it. */
async function committedOf(messaging: Messaging, topic: string): Promise<number> {
  const offsets = await messaging.admin.committedOffsets('copier')
  return offsets.filter((one) => one.topic === topic).reduce((sum, { offset }) => sum + Math.max(0, offset), 0)
}

/** A broker and, while it is away, a copier; both come back. */
async function killInTurn(
  cluster: KafkaCluster,
  places: readonly Place[],
  number: number,
  kills: { brokers: number; copiers: number },
): Promise<void> {
  const place = places[number] as Place
  const node = cluster.node(number + 1)
  await node.kill()
  kills.brokers += 1
  await delay(1_500)
  await place.end('SIGKILL')
  kills.copiers += 1
  place.start()
  await node.restart(cluster.nodes.length)
  await place.started()
  for (const topic of ['copier-in', 'copier-out']) await cluster.waitForFullIsr(topic, 60_000)
}

async function epochsOf(messaging: Messaging): Promise<readonly number[]> {
  const ids = Array.from({ length: copiers }, (_, number) => `copier-copier-c${number}`)
  const described = await messaging.admin.describeTransactions(ids)
  return described.map(({ producerEpoch }) => producerEpoch)
}

/** Under version 2 every transaction has an epoch of its own; before that only one that failed is followed by another one. */
function notRaised(before: readonly number[], after: readonly number[]): string[] {
  const rose = after.map((epoch, index) => epoch - (before[index] ?? epoch))
  // Not of all: one may have nothing left to copy when it is back. Each of twenty parts that come may be one transaction; of
  // those one in ten is aborted on purpose, and a copier is killed once.
  if (rose.some((epochs) => epochs >= 10)) return []
  return [`the copiers did not follow the transaction.version: their epochs rose by ${rose.join(', ')}`]
}

function sameByPartition(one: readonly ConsoleRecord[], other: readonly ConsoleRecord[]): boolean {
  const inOrder = (records: readonly ConsoleRecord[], index: number) =>
    JSON.stringify(records.filter(({ partition }) => partition === index))
  return Array.from({ length: partitions }, (_, index) => inOrder(one, index) === inOrder(other, index)).every(Boolean)
}

function compare(source: Awaited<ReturnType<typeof readTopic>>, copy: readonly ConsoleRecord[]): string[] {
  const failures: string[] = []
  const wanted = new Set(source.map(({ value }) => String(value)))
  const seen = new Set<string>()
  let doubled = 0
  let disorder = 0
  const last = new Map<number, number>()
  for (const { partition, value } of copy) {
    if (seen.has(value)) doubled += 1
    seen.add(value)
    if (Number(value) < (last.get(partition) ?? -1)) disorder += 1
    last.set(partition, Number(value))
  }
  const missing = [...wanted].filter((text) => !seen.has(text)).length
  const strange = [...seen].filter((text) => !wanted.has(text)).length
  if (missing > 0) failures.push(`${missing} of ${wanted.size} missing`)
  if (doubled > 0) failures.push(`${doubled} doubled`)
  if (strange > 0) failures.push(`${strange} that were not in the source`)
  if (disorder > 0) failures.push(`${disorder} out of order`)
  return failures
}

export function copierLine({ cell, failures, seconds, aborted, killedBrokers, killedCopiers }: CopierResult): string {
  const verdict = failures.length === 0 ? 'ok    ' : 'FAILED'
  const told = `${cell.records} copied, ${killedBrokers} brokers and ${killedCopiers} copiers killed, ${aborted} aborted on purpose`
  return `${verdict} ${cell.name.padEnd(32)} ${told}  ${seconds} s${failures.map((failure) => `\n         ${failure}`).join('')}`
}
