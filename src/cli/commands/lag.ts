import type { Command } from 'commander'
import { lagMonitor, type LagMonitor } from '../../lag/lag-monitor.js'
import { NextRecordAges } from '../../lag/next-record-age.js'
import type { GroupLag, PartitionLag } from '../../lag/lag-report.js'
import type { LagTrend } from '../../lag/trend.js'
import { pause } from '../../runtime/pause.js'
import { gathered, timeOption, wholeFrom } from '../arguments.js'
import { exitCode, type ExitCode } from '../exit-code.js'
import { momentText, timeText } from '../../text/figures.js'
import { printable } from '../../text/printable.js'
import { clearScreen, type Paint, type Tone } from '../paint.js'
import { present, type Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'

interface Options {
  readonly topic?: readonly string[] | undefined
  readonly partitions?: boolean | undefined
  readonly behind?: boolean | undefined
  readonly threshold: number
  readonly watch?: boolean | undefined
  readonly every: number
  readonly looks?: number | undefined
}

export function addLag(program: Command, execute: Execute): void {
  program
    .command('lag')
    .description('how far groups are behind; with --watch also for how long, and whether it grows')
    .argument('[groups...]', 'default: all groups of consumers')
    .option('--topic <name>', 'count it also where a group has never committed; may be repeated', gathered)
    .option('--partitions', 'each partition, not the group alone')
    .option('--behind', 'only what has something left to read, the oldest first')
    .option('--threshold <records>', 'a group with so much lag is behind', wholeFrom(1), 100_000)
    .option('-w, --watch', 'look again and again, until ctrl-C')
    .addOption(timeOption('--every <time>', 'how often --watch looks', '5s'))
    .option('--looks <count>', 'how often --watch looks in all (default: until ctrl-C)', wholeFrom(1))
    .action((groups: readonly string[], options: Options) =>
      // Watching ends by ctrl-C, and with what the last look has found.
      execute((session) => lagOf(session, groups, options), { endsItself: options.watch === true }),
    )
}

/** Of how many looks a trend is told. With the usual pace: half a minute. */
const windowSize = 6

async function lagOf(session: Session, named: readonly string[], options: Options): Promise<Report> {
  const messaging = await session.cluster()
  const groups = named.length > 0 ? named : await consumerGroups(session)
  const watched = groups.map((group) => ({ group, topics: options.topic }))
  const monitor = lagMonitor(messaging, { groups: watched, threshold: options.threshold, windowSize })
  const ages = new NextRecordAges(messaging.admin)
  const looks = options.watch ? (options.looks ?? Infinity) : 1
  for (let look = 1; ; look += 1) {
    const found = await lookOnce(monitor, ages, session, options.behind === true)
    if (look === 1 && named.length > 0) await noteUnknown(session, found.seen)
    const report = reportOf(found, options)
    if (look >= looks) return report
    show(session, report)
    await pause(messaging.clock, options.every, session.signal)
    if (session.signal.aborted) return { ...report, follows: 'nothing' }
  }
}

/** A name that was mistyped looks like a group that has committed nothing yet. */
async function noteUnknown(session: Session, seen: readonly GroupLag[]): Promise<void> {
  const silent = seen.flatMap(({ group, partitions, unseen }) => (partitions.length + unseen.length === 0 ? group : []))
  if (silent.length === 0) return
  const { admin } = await session.cluster()
  const known = new Set((await admin.describeGroups(silent, session.call)).map(({ groupId }) => groupId))
  for (const name of silent) if (!known.has(name)) session.note(`no coordinator knows group ${name}; correct its name`)
}

interface AgedPartition extends PartitionLag {
  /** Of the next record to read, from this look alone, ms: a minute, an hour, a day, …; 0 where nothing tells that. */
  readonly olderThanMs: number
}

interface AgedGroup extends Omit<GroupLag, 'partitions'> {
  readonly partitions: readonly AgedPartition[]
  /** That of the oldest. */
  readonly olderThanMs: number
}

interface Look {
  readonly seen: readonly GroupLag[]
  readonly shown: readonly AgedGroup[]
}

/** With `--behind` only what has something left to read, or could not be seen; the oldest first. */
async function lookOnce(monitor: LagMonitor, ages: NextRecordAges, session: Session, isBehind: boolean): Promise<Look> {
  const { clock } = await session.cluster()
  const groups = await monitor.look(session.call)
  const behind = groups.flatMap(({ partitions }) => partitions.filter(({ lag }) => lag > 0))
  const found = await ages.look(behind, clock.wallTime(), session.call)
  const ageOf = new Map(behind.map((place, index) => [place, found[index] as number]))
  const shown = isBehind ? groups.filter(({ lag, unseen }) => lag > 0 || unseen.length > 0) : groups
  const aged = shown.map((group): AgedGroup => {
    const places = isBehind ? group.partitions.filter(({ lag }) => lag > 0) : group.partitions
    const partitions = places.map((place) => ({ ...place, olderThanMs: ageOf.get(place) ?? 0 }))
    if (isBehind) partitions.sort(oldestFirst)
    return { ...group, partitions, olderThanMs: oldestOf(partitions) }
  })
  return { seen: groups, shown: isBehind ? aged.sort(oldestFirst) : aged }
}

function oldestOf(partitions: readonly AgedPartition[]): number {
  return partitions.reduce((most, { olderThanMs }) => Math.max(most, olderThanMs), 0)
}

function oldestFirst(one: AgedPartition | AgedGroup, other: AgedPartition | AgedGroup): number {
  return other.olderThanMs - one.olderThanMs || other.lag - one.lag
}

/** Share groups keep no offsets that others may see. */
async function consumerGroups(session: Session): Promise<readonly string[]> {
  const { admin } = await session.cluster()
  const listed = await admin.listGroups(session.call)
  const reading = listed.filter(({ type, protocolType }) => type !== 'share' && ['consumer', ''].includes(protocolType))
  return reading.map(({ groupId }) => groupId).sort()
}

/** On a screen each look is drawn over the one before. */
function show({ terminal, json }: Session, report: Report): void {
  if (terminal.isScreen && !json) terminal.write(clearScreen)
  present(report, terminal, json)
}

function reportOf({ seen, shown: groups }: Look, { threshold, partitions, behind, watch }: Options): Report {
  const none = behind ? 'Nothing is left to read.' : null
  return {
    value: groups,
    follows: watch ? 'line' : undefined,
    text: (paint) => {
      const [at] = seen.map((group) => momentText(group.at))
      const head = at === undefined ? '' : `${paint('quiet', at)}\n`
      const shown = partitions ? partitionTable(paint, groups, none) : groupTable(paint, groups, threshold, none)
      return head + shown + failuresText(paint, groups)
    },
    exit: exitOf(seen, threshold),
  }
}

const wrong: readonly LagTrend[] = ['falling-behind', 'stalled', 'never-committed', 'past-the-end', 'unseen']

function exitOf(groups: readonly GroupLag[], threshold: number): ExitCode {
  const isWrong = ({ lag, trend, unseen }: GroupLag) => lag >= threshold || wrong.includes(trend) || unseen.length > 0
  return groups.some(isWrong) ? exitCode.found : exitCode.fine
}

function groupTable(paint: Paint, groups: readonly AgedGroup[], threshold: number, none: string | null): string {
  const rows = groups.map((aged): Cell[] => {
    const { group, lag, trend, drainMs, instancesThatHelp, partitions, unseen } = aged
    return [
      group,
      trend === 'unseen' ? null : lag >= threshold ? { text: lag.toLocaleString('en-US'), tone: 'bad' } : lag,
      ageText(aged),
      { text: trend, tone: toneOf(trend) },
      // Of who has committed nothing nobody knows what is left.
      timeText(trend === 'never-committed' ? null : drainMs),
      partitions.length,
      instancesThatHelp,
      unseen.length === 0 ? null : { text: String(unseen.length), tone: 'bad' },
    ]
  })
  const titles = ['GROUP', 'LAG', 'OLDEST', 'TREND', 'CAUGHT UP IN', 'PARTITIONS', 'INSTANCES THAT HELP', 'UNSEEN']
  return table(paint, titles, rows, none ?? 'There is no group.')
}

function partitionTable(paint: Paint, groups: readonly AgedGroup[], none: string | null): string {
  const rows = groups.flatMap(({ group, partitions, unseen }) => [
    ...partitions.map((one): Cell[] => [group, ...placeCells(one)]),
    ...unseen.map((part): Cell[] => [
      group,
      part.topic,
      part.partition,
      null,
      null,
      null,
      null,
      { text: part.reason, tone: 'bad' },
    ]),
  ])
  const titles = ['GROUP', 'TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'OLDEST', 'TREND']
  return table(paint, titles, rows, none ?? 'No group has committed anything.')
}

/** Each reason once: a broker that does not answer hides all that it leads. */
function failuresText(paint: Paint, groups: readonly AgedGroup[]): string {
  const whys = new Map<string, string>()
  for (const { group, unseen } of groups)
    for (const part of unseen) if (part.reason === 'failed' && !whys.has(part.why)) whys.set(part.why, group)
  return [...whys].map(([why, group]) => `${paint('warning', 'not seen')} ${printable(`${group}: ${why}`)}\n`).join('')
}

function placeCells(place: AgedPartition): readonly Cell[] {
  const { topic, partition, committed, end, lag, trend } = place
  return [topic, partition, committed, end, lag, ageText(place), { text: trend, tone: toneOf(trend) }]
}

/** Exactly where it was seen to be written, else at the least. */
function ageText({ lag, lagMs, olderThanMs }: Pick<AgedPartition, 'lag' | 'lagMs' | 'olderThanMs'>): string | null {
  if (lag === 0) return null
  return timeText(lagMs) ?? (olderThanMs === 0 ? null : `> ${timeText(olderThanMs)}`)
}

function toneOf(trend: LagTrend): Tone {
  return trend === 'ok' ? 'good' : trend === 'rewound' ? 'warning' : 'bad'
}
