import { Checker, violations, type Report, type Violation } from '../support/checker.js'
import { scanTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { Ledger } from '../support/ledger.js'
import { seededRandom } from '../support/seeded-random.js'
import { delay } from '../support/waiting.js'
import type { Cell } from './cells.js'
import { ConfirmedByBrokers } from './confirmed.js'
import { FirstAcknowledgements, type FirstAcknowledgement } from './first-acknowledgement.js'
import { heal } from './heal.js'
import { Load, type LoadOptions } from './load.js'
import { injectedByProxies, nemeses, type Battlefield, type Nemesis } from './nemesis.js'
import type { OpenWorkload } from './workload.js'

export interface CellResult {
  readonly cell: Cell
  readonly report: Report
  readonly injections: number
  readonly injectedByProxies: number
  readonly seconds: number
  /** One for each leader killed. */
  readonly firstAcks: readonly FirstAcknowledgement[]
  readonly failures: readonly string[]
}

const partitions = 6
const producers = 2
const load: LoadOptions = { perSecond: 1_200, inFlight: 2_000, keys: 48, valueBytes: 100 }
/** Faults of the network come many a second, so the records decide how long such a cell takes. */
const denseLoad: LoadOptions = { ...load, perSecond: 2_500 }
/** Longer than any record's own delivery deadline: what has no outcome then never gets one. */
const outcomeWithinMs = 90_000
/** Kafka's own time to see that a broker died (`broker.session.timeout.ms`); on a busy machine it takes longer. */
const brokerSessionMs = 2_000
/** The client's own part of the wait for the first acknowledgement: of most, */
const clientPartMs = 2_000
/** and of each, on a machine that does much else; who waits for a request to be given up needs longer. */
const clientPartAtMostMs = 4_500
const closedWithinMs = 30_000

/** Runs cells one after another; neighbours of one version share a cluster. */
export async function runMatrix(
  cells: readonly Cell[],
  open: OpenWorkload,
  seed: number,
  onResult: (result: CellResult) => void,
): Promise<void> {
  let cluster: KafkaCluster | undefined
  try {
    for (const cell of cells) {
      if (cluster !== undefined && !(await isReusable(cluster, cell.version))) {
        await cluster.stop()
        cluster = undefined
      }
      cluster ??= await startCluster({ nodes: 3, version: cell.version, proxies: true })
      onResult(await runCell(cluster, cell, open, seed))
    }
  } finally {
    await cluster?.stop()
  }
}

async function isReusable(cluster: KafkaCluster, version: string): Promise<boolean> {
  return cluster.version === version && cluster.nodes.every((node) => node.running)
}

async function runCell(cluster: KafkaCluster, cell: Cell, open: OpenWorkload, seed: number): Promise<CellResult> {
  const startedAt = performance.now()
  const topic = `${cell.profile}-${cell.nemesis}-${Math.round(startedAt)}`
  await cluster.createTopic(topic, { partitions })
  const ledger = new Ledger(topic)
  const firstAcks = new FirstAcknowledgements()
  const confirmed = new ConfirmedByBrokers(cluster, topic)
  const field: Battlefield = {
    cluster,
    topic,
    random: seededRandom(seed),
    onLeaderKilled: (led) => firstAcks.leaderKilled(led),
    onNewLeaders: () => firstAcks.newLeaders(),
  }
  const proxyFaultsBefore = injectedByProxies(cluster)
  const failures: string[] = []

  const workloads = await Promise.all(
    Array.from({ length: producers }, () => open({ brokers: cluster.brokers, topic, profile: cell.profile })),
  )
  const pace = nemeses[cell.nemesis].dense === true ? denseLoad : load
  const loads = workloads.map(
    (workload, producer) =>
      new Load(workload, ledger, producer, pace, (outcome, sentAt) => firstAcks.outcome(outcome, sentAt)),
  )
  const injections = await injectUntilEnough(cell, nemeses[cell.nemesis], field, () => ledger.counts.stored).catch(
    (error: unknown) => {
      failures.push(`the fault could not be injected: ${String(error)}`)
      return 0
    },
  )
  await heal(cluster, topic).catch((error: unknown) => failures.push(`the cluster did not recover: ${String(error)}`))
  await Promise.all(loads.map((running) => running.stop(outcomeWithinMs)))
  await Promise.all(workloads.map((workload) => workload.close()))
  const socketsLeft = await socketsAfterClose(cluster)

  const checker = new Checker(ledger)
  await scanTopic(cluster, topic, (record) => checker.record(record))
  const report = checker.report()
  const result: CellResult = {
    cell,
    report,
    injections,
    injectedByProxies: injectedByProxies(cluster) - proxyFaultsBefore,
    seconds: (performance.now() - startedAt) / 1_000,
    firstAcks: firstAcks.all,
    failures,
  }
  failures.push(...didLess(result), ...brokenPromises(cell, report), ...unexplained(cell, checker, confirmed))
  if (socketsLeft > 0) failures.push(`${socketsLeft} sockets open after close`)
  await cluster.deleteTopic(topic)
  return result
}

async function injectUntilEnough(
  cell: Cell,
  nemesis: Nemesis,
  field: Battlefield,
  acknowledged: () => number,
): Promise<number> {
  await delay(1_000)
  const giveUpAt = performance.now() + cell.withinMs
  const stopBackground = nemesis.background?.(field)
  let injections = 0
  try {
    const enough = () => injections >= cell.injectionsAtLeast && acknowledged() >= cell.acknowledgedAtLeast
    while (!enough() && performance.now() < giveUpAt) injections += await nemesis.inject(field)
  } finally {
    stopBackground?.()
  }
  return injections
}

async function socketsAfterClose(cluster: KafkaCluster): Promise<number> {
  const open = () => cluster.proxies.reduce((sum, proxy) => sum + proxy.openConnections, 0)
  const giveUpAt = performance.now() + closedWithinMs
  while (open() > 0 && performance.now() < giveUpAt) await delay(50)
  return open()
}

function didLess({ cell, report, injections, firstAcks }: CellResult): string[] {
  const failures: string[] = []
  if (report.acknowledged < cell.acknowledgedAtLeast)
    failures.push(`acknowledged ${report.acknowledged}, fewer than ${cell.acknowledgedAtLeast}`)
  if (injections < cell.injectionsAtLeast)
    failures.push(`injected ${injections} times, less often than ${cell.injectionsAtLeast}`)
  if (cell.nemesis === 'sigkill') {
    const laterThan = (ms: number) =>
      firstAcks.filter(
        ({ afterDeathMs, afterNewLeaderMs }) => afterDeathMs > brokerSessionMs + ms && afterNewLeaderMs > ms,
      )
    const [late, tooLate] = [laterThan(clientPartMs), laterThan(clientPartAtMostMs)]
    if (firstAcks.length < injections) failures.push(`of ${injections} first acknowledgements ${firstAcks.length} came`)
    if (late.length > firstAcks.length / 2 || tooLate.length > 0)
      failures.push(`first acknowledgements too late: ${late.map(inWords).join('; ')}`)
  }
  return failures
}

const inWords = ({ afterDeathMs, afterNewLeaderMs }: FirstAcknowledgement): string =>
  `${Math.round(afterDeathMs)} ms after the death, ${Math.round(afterNewLeaderMs)} ms after the new leader`

/** acks 1 promises neither that a record survives its leader nor that it is there once or in order. */
const promisedByAp: readonly Violation[] = ['notStoredButPresent', 'unsettled', 'foreign']

function brokenPromises(cell: Cell, { broken, examples }: Report): string[] {
  const promised = cell.profile === 'ap' ? promisedByAp : violations
  return promised
    .filter((name) => broken[name] > 0)
    .map((name) => `${broken[name]} ${name}: ${examples[name].slice(0, 3).join('; ')}`)
}

/** What acks 1 may lose, Kafka lost after a broker had confirmed it; a record that none confirmed was the client's to keep. */
function unexplained(cell: Cell, checker: Checker, confirmed: ConfirmedByBrokers): string[] {
  if (cell.profile !== 'ap') return []
  const byClient = checker.lost.filter((place) => !confirmed.covers(place))
  return byClient.length === 0 ? [] : [`${byClient.length} of the lost were never confirmed by any broker`]
}

/** One line for people and logs. */
export function cellLine({
  cell,
  report,
  injections,
  injectedByProxies: byProxies,
  seconds,
  firstAcks,
  failures,
}: CellResult): string {
  const { broken } = report
  const numbers = [
    `acknowledged ${report.acknowledged}`,
    `unknown ${report.unknown} (${report.unknownPresent} present)`,
    `not stored ${report.notStored}`,
    `lost ${broken.lost}`,
    `doubled ${broken.doubled}`,
    `out of order ${broken.outOfOrder}`,
    `injections ${injections}`,
    `proxy faults ${byProxies}`,
    `${seconds.toFixed(1)} s`,
    ...(firstAcks.length === 0 ? [] : [`first ack ${millisecondsOf(firstAcks)}`]),
  ]
  const verdict = failures.length === 0 ? 'ok    ' : 'FAILED'
  return [
    `${verdict} ${cell.name.padEnd(28)} ${numbers.join('  ')}`,
    ...failures.map((failure) => `       ${failure}`),
  ].join('\n')
}

/** Middle and worst, of the whole wait and of the client's part. */
function millisecondsOf(firstAcks: readonly FirstAcknowledgement[]): string {
  const whole = firstAcks.map(({ afterDeathMs }) => afterDeathMs).sort((a, b) => a - b)
  const part = firstAcks.map(({ afterNewLeaderMs }) => afterNewLeaderMs).sort((a, b) => a - b)
  const middleAndWorst = (sorted: readonly number[]) =>
    [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((ms) => Math.round(ms ?? 0)).join('/')
  return `${middleAndWorst(whole)} ms (${middleAndWorst(part)} after the new leader)`
}
