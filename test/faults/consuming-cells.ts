import { newestKafka } from '../support/kafka-jars.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { seededRandom } from '../support/seeded-random.js'
import { until } from '../support/waiting.js'
import { churn, killBrokers, killMembers, roll, stopAndContinue, type Injections } from './consuming-nemesis.js'
import { ConsumingChecker, promises, type ConsumingReport } from './consuming-checker.js'
import { historyOf } from './consuming-history.js'
import { ConsumingLoad } from './consuming-load.js'
import { CommitSampler } from './consuming-samples.js'
import type { MemberOptions } from './member-log.js'
import { monotonicMs } from './member-log.js'
import { MemberProgram, type MemberVersion } from './member-process.js'
import { brokerPropertiesFor, cellProtocols, memberOptionsFor, type CellProtocol } from './group-protocols.js'
import { Crew } from './member-crew.js'

export interface ConsumingCell {
  readonly name: string
  readonly nodes: number
  readonly members: number
  readonly partitions: number
  readonly records: number
  /** The load and the faults last at least so long, */
  readonly forMs: number
  /** and longer on a slow machine, which needs longer to do enough; at most so long. */
  readonly withinMs: number
  readonly handlerMs: number
  readonly long: { readonly share: number; readonly ms: number } | null
  readonly options: MemberOptions
  readonly sessionTimeoutMs: number
  /** Of the brokers. */
  readonly properties: Readonly<Record<string, number>>
  /** Resolved when everything runs again. */
  readonly nemesis: (field: ConsumingField) => Promise<Injections>
  /** Least number of each; a cell that did less fails. */
  readonly atLeast: Injections
  /** Least number of commits that the group refused because their sender was no member any more. */
  readonly refusedCommitsAtLeast: number
  readonly lateEndsAtLeast: number
  /** What a killed member of this version had settled longer before may not come again. */
  readonly repeatsOfLastMs: number
  /** Which versions its members run, in turn. */
  readonly versions: readonly MemberVersion[]
}

export interface ConsumingField {
  readonly cluster: KafkaCluster
  readonly crew: Crew
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly sessionTimeoutMs: number
  readonly random: () => number
  /** Until the time is up and enough was done; not for ever. */
  readonly goesOn: (done: Injections) => boolean
}

export interface ConsumingResult {
  readonly cell: ConsumingCell
  readonly report: ConsumingReport
  readonly injections: Injections
  readonly seconds: number
  readonly failures: readonly string[]
}

/** Enough that commits ahead of the work would be met; they are taken five times a second, on a busy machine less often. */
const samplesAtLeast = 20
const heartbeatIntervalMs = 300
const usualSessionMs = 3_000

/** Of all members, whatever their version. */
const common: MemberOptions = {
  order: 'key',
  concurrency: 64,
  rebalanceTimeoutMs: 10_000,
  drainMs: 5_000,
  commit: { everyMs: 200, everyMessages: 500 },
  fetch: { maxWaitMs: 100, partitionMaxBytes: 65_536 },
}

/** What a version offers by default is tried as well. */
const byDefault: MemberOptions = { ...common, sessionTimeoutMs: usualSessionMs, heartbeatIntervalMs }

/** What a kill costs is what the profile's own pace of commits makes of it. */
const { commit: _, ...withoutCommitPolicy } = byDefault

type Size = Pick<ConsumingCell, 'records' | 'forMs' | 'withinMs' | 'atLeast'> & { readonly members: number }

const underProtocol = (protocol: CellProtocol, sessionTimeoutMs: number) => ({
  sessionTimeoutMs,
  options: { ...common, ...memberOptionsFor(protocol, { sessionTimeoutMs, heartbeatIntervalMs }) },
  properties: brokerPropertiesFor(protocol, { sessionTimeoutMs, heartbeatIntervalMs }),
})

const usual = {
  partitions: 12,
  handlerMs: 20,
  long: null,
  refusedCommitsAtLeast: 0,
  lateEndsAtLeast: 0,
  repeatsOfLastMs: Infinity,
  versions: ['present'],
} as const

const storm = (protocol: CellProtocol, size: Size): ConsumingCell => ({
  ...usual,
  ...underProtocol(protocol, usualSessionMs),
  ...size,
  name: `consume-storm/${protocol}`,
  nodes: 1,
  nemesis: churn,
})

const coordinator = (protocol: CellProtocol, size: Size): ConsumingCell => ({
  ...usual,
  ...underProtocol(protocol, 10_000),
  ...size,
  name: `consume-coordinator/${protocol}`,
  nodes: 3,
  nemesis: killBrokers,
})

const zombie = (protocol: CellProtocol, size: Size): ConsumingCell => ({
  ...usual,
  ...underProtocol(protocol, usualSessionMs),
  ...size,
  name: `consume-zombie/${protocol}`,
  nodes: 1,
  partitions: size.members * 2,
  long: { share: 0.02, ms: 1_000 },
  nemesis: stopAndContinue,
  refusedCommitsAtLeast: 1,
  lateEndsAtLeast: 3,
})

const shortStorm: Size = {
  members: 6,
  records: 20_000,
  forMs: 20_000,
  withinMs: 180_000,
  atLeast: { kills: 3, leaves: 3, joins: 6 },
}
const shortCoordinator: Size = {
  members: 4,
  records: 50_000,
  forMs: 35_000,
  withinMs: 240_000,
  atLeast: { coordinators: 3, leaders: 3 },
}
const shortZombie: Size = { members: 3, records: 20_000, forMs: 30_000, withinMs: 120_000, atLeast: { stops: 3 } }

const versionCells: readonly ConsumingCell[] = [
  {
    name: 'consume-rolling',
    nodes: 3,
    members: 4,
    partitions: 12,
    records: 20_000,
    forMs: 15_000,
    withinMs: 180_000,
    handlerMs: 20,
    long: null,
    sessionTimeoutMs: usualSessionMs,
    properties: {},
    options: byDefault,
    nemesis: roll,
    atLeast: { forward: 2, back: 4 },
    refusedCommitsAtLeast: 0,
    lateEndsAtLeast: 0,
    repeatsOfLastMs: Infinity,
    versions: ['former', 'present'],
  },
  {
    name: 'consume-kill',
    nodes: 1,
    members: 4,
    partitions: 12,
    records: 20_000,
    forMs: 15_000,
    withinMs: 180_000,
    handlerMs: 20,
    long: null,
    sessionTimeoutMs: usualSessionMs,
    properties: {},
    options: withoutCommitPolicy,
    nemesis: killMembers,
    atLeast: { former: 3, present: 3 },
    refusedCommitsAtLeast: 0,
    lateEndsAtLeast: 0,
    // A commit is answered every 100 ms or little more while its coordinator is well, on a busy machine later: far from the
    // five seconds that the former version lets pass.
    repeatsOfLastMs: 2_000,
    versions: ['former', 'present'],
  },
]

export const consumingCells: readonly ConsumingCell[] = [
  ...cellProtocols.map((protocol) => storm(protocol, shortStorm)),
  coordinator('cooperative', shortCoordinator),
  zombie('cooperative', shortZombie),
  ...versionCells,
]

const fullSize = { members: 6, records: 100_000 }

export const fullConsumingCells: readonly ConsumingCell[] = [
  ...cellProtocols.flatMap((protocol) => [
    storm(protocol, {
      ...fullSize,
      forMs: 60_000,
      withinMs: 120_000,
      atLeast: { kills: 7, leaves: 7, joins: 15 },
    }),
    coordinator(protocol, { ...shortCoordinator, ...fullSize, forMs: 60_000 }),
    zombie(protocol, { ...shortZombie, ...fullSize, forMs: 60_000, withinMs: 90_000 }),
  ]),
  ...versionCells,
]

const caughtUpWithinMs = 120_000

/** Runs cells one after another, each on a cluster of its own. */
export async function runConsumingCells(
  cells: readonly ConsumingCell[],
  seed: number,
  onResult: (result: ConsumingResult) => void,
): Promise<void> {
  await using present = await MemberProgram.compile('present')
  const needsFormer = cells.some(({ versions }) => versions.includes('former'))
  await using former = needsFormer ? await MemberProgram.compile('former') : null
  for (const cell of cells) {
    await using cluster = await startCluster({
      nodes: cell.nodes,
      version: newestKafka,
      properties: cell.properties,
    })
    onResult(await runCell(cell, cluster, former === null ? [present] : [present, former], seed))
  }
}

async function runCell(
  cell: ConsumingCell,
  cluster: KafkaCluster,
  programs: readonly MemberProgram[],
  seed: number,
): Promise<ConsumingResult> {
  const topic = cell.name.replace('/', '-')
  const group = topic
  const failures: string[] = []
  await cluster.createTopic(topic, { partitions: cell.partitions })
  const startedAt = monotonicMs()
  const sampler = new CommitSampler(cluster.internalBrokers, group, topic)
  const { handlerMs, long, options: memberOptions } = cell
  await using crew = new Crew(
    programs,
    { brokers: cluster.brokers, topic, group, handlerMs, long, closeMs: 10_000, options: memberOptions },
    seed,
  )
  for (let member = 0; member < cell.members; member++) crew.join(cell.versions[member % cell.versions.length])
  await crew.allJoined()
  sampler.start()
  const load = new ConsumingLoad(cluster.brokers, topic, cell.records, cell.forMs)
  const disturbedSince = monotonicMs()
  const goesOn = (done: Injections) => {
    const forMs = monotonicMs() - disturbedSince
    const enough = Object.entries(cell.atLeast).every(([kind, atLeast]) => (done[kind] ?? 0) >= atLeast)
    return forMs < cell.forMs || (!enough && forMs < cell.withinMs)
  }
  const field = {
    cluster,
    crew,
    topic,
    partitions: cell.partitions,
    group,
    sessionTimeoutMs: cell.sessionTimeoutMs,
    random: seededRandom(seed),
    goesOn,
  }
  const injections = await cell.nemesis(field).catch((error: unknown): Injections => {
    failures.push(`the fault could not be injected: ${String(error)}`)
    return {}
  })
  await load.stop().catch((error: unknown) => failures.push(`producing failed: ${String(error)}`))
  const ends = await sampler.endOffsets()
  const caughtUp = () =>
    ends.every((end, partition) => end === 0 || sampler.last?.offsets.get(partition)?.offset === end)
  await until('everything is committed', caughtUp, { timeoutMs: caughtUpWithinMs }).catch((error: unknown) => {
    const at = ends.map(
      (end, partition) => `${partition}: ${sampler.last?.offsets.get(partition)?.offset ?? 'nothing'} of ${end}`,
    )
    failures.push(`${String(error)}: committed ${at.join(', ')}`)
  })
  await crew.allLeave()
  await sampler.stop()
  const members = await Promise.all(crew.everyone.map(historyOf))
  const report = new ConsumingChecker({ startedAt, members, samples: sampler.samples, ends }).report()
  const seconds = (monotonicMs() - startedAt) / 1_000
  failures.push(...didLess(cell, report, injections), ...brokenPromises(report))
  for (const { name, errors } of crew.everyone)
    if (errors !== '') failures.push(`${name} wrote to its standard error: ${errors}`)
  return { cell, report, injections, seconds, failures }
}

function didLess(cell: ConsumingCell, report: ConsumingReport, injections: Injections): string[] {
  const failures: string[] = []
  const need = (what: string, done: number, atLeast: number) => {
    if (done < atLeast) failures.push(`${what}: ${done}, fewer than ${atLeast}`)
  }
  need('records', report.records, cell.records)
  need('samples', report.samples, samplesAtLeast)
  for (const [kind, atLeast] of Object.entries(cell.atLeast)) need(kind, injections[kind] ?? 0, atLeast)
  need('commits of a lost member', report.refusedCommits, cell.refusedCommitsAtLeast)
  const oldestMs = Math.round(report.kills.present.oldestMs)
  if (oldestMs > cell.repeatsOfLastMs) {
    failures.push(`repeated after a kill what was settled ${oldestMs} ms before, more than ${cell.repeatsOfLastMs}`)
  }
  need('handlers that outlived their assignment', report.lateEnds, cell.lateEndsAtLeast)
  return failures
}

function brokenPromises({ broken, examples }: ConsumingReport): string[] {
  return promises
    .filter((name) => broken[name] > 0)
    .map((name) => `${broken[name]} ${name}: ${examples[name].join('; ')}`)
}

/** One line for people and logs. */
export function consumingLine({ cell, report, injections, seconds, failures }: ConsumingResult): string {
  const numbers = [
    `records ${report.records}`,
    `handled ${report.runs}`,
    `repeated ${report.repeats} (${report.repeatsReported} reported, ${report.repeatsAfterKill} after a kill)`,
    ...killFigures(report),
    `missed ${report.broken.missed}`,
    `out of order ${report.broken.outOfOrder}`,
    `committed ahead ${report.broken.committedAhead + report.broken.handledBelowCommit}`,
    `samples ${report.samples}`,
    `late ${report.lateEnds}`,
    `abandoned ${report.abandoned}`,
    `refused commits ${report.refusedCommits}`,
    `given up: ${Object.entries(report.drains)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ')}`,
    Object.entries(injections)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', '),
    `${seconds.toFixed(1)} s`,
  ]
  const verdict = failures.length === 0 ? 'ok    ' : 'FAILED'
  return [
    `${verdict} ${cell.name.padEnd(28)} ${numbers.join('  ')}`,
    ...failures.map((failure) => `       ${failure}`),
  ].join('\n')
}

/** What a kill -9 costs, the former version's figure beside this one's where a cell has both. */
function killFigures({ kills }: ConsumingReport): string[] {
  return (['former', 'present'] as const)
    .filter((version) => kills[version].kills > 0)
    .map((version) => {
      const { kills: count, settled, oldestMs } = kills[version]
      const each = (settled / count).toFixed(1)
      return `${version} version: ${each} settled records again for each of ${count} kills, settled up to ${Math.round(oldestMs)} ms before`
    })
}
