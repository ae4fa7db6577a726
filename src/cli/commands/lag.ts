import type { Command } from 'commander'
import { lagMonitor, type LagMonitor } from '../../lag/lag-monitor.js'
import type { GroupLag, PartitionLag } from '../../lag/lag-report.js'
import type { LagTrend } from '../../lag/trend.js'
import { pause } from '../../runtime/pause.js'
import { duration, gathered, wholeFrom } from '../arguments.js'
import { exitCode, type ExitCode } from '../exit-code.js'
import { momentText, timeText } from '../../text/figures.js'
import { clearScreen, type Paint, type Tone } from '../paint.js'
import { present, type Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'

interface Options {
  readonly topic?: readonly string[] | undefined
  readonly partitions?: boolean | undefined
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
    .option('--threshold <records>', 'a group with so much lag is behind', wholeFrom(1), 100_000)
    .option('-w, --watch', 'look again and again, until ctrl-C')
    .option('--every <time>', 'how often --watch looks', duration, 5_000)
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
  const looks = options.watch ? (options.looks ?? Infinity) : 1
  for (let look = 1; ; look += 1) {
    const report = reportOf(await lookOnce(monitor, session), options)
    if (look >= looks) return report
    show(session, report)
    await pause(messaging.clock, options.every, session.signal)
    if (session.signal.aborted) return { ...report, follows: 'nothing' }
  }
}

function lookOnce(monitor: LagMonitor, session: Session): Promise<readonly GroupLag[]> {
  return monitor.look(session.call)
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

function reportOf(groups: readonly GroupLag[], { threshold, partitions, watch }: Options): Report {
  return {
    value: groups,
    follows: watch ? 'line' : undefined,
    text: (paint) => {
      const [at] = groups.map((group) => momentText(group.at))
      const head = at === undefined ? '' : `${paint('quiet', at)}\n`
      return head + (partitions ? partitionTable(paint, groups) : groupTable(paint, groups, threshold))
    },
    exit: exitOf(groups, threshold),
  }
}

const wrong: readonly LagTrend[] = ['falling-behind', 'stalled', 'never-committed', 'past-the-end']

function exitOf(groups: readonly GroupLag[], threshold: number): ExitCode {
  const isWrong = ({ lag, trend, unseen }: GroupLag) => lag >= threshold || wrong.includes(trend) || unseen.length > 0
  return groups.some(isWrong) ? exitCode.found : exitCode.fine
}

function groupTable(paint: Paint, groups: readonly GroupLag[], threshold: number): string {
  const rows = groups.map(({ group, lag, lagMs, trend, drainMs, instancesThatHelp, partitions, unseen }): Cell[] => [
    group,
    lag >= threshold ? { text: lag.toLocaleString('en-US'), tone: 'bad' } : lag,
    timeText(lagMs),
    { text: trend, tone: toneOf(trend) },
    timeText(drainMs),
    partitions.length,
    instancesThatHelp,
    unseen.length === 0 ? null : { text: String(unseen.length), tone: 'bad' },
  ])
  const titles = ['GROUP', 'LAG', 'OLDEST', 'TREND', 'CAUGHT UP IN', 'PARTITIONS', 'INSTANCES THAT HELP', 'UNSEEN']
  return table(paint, titles, rows, 'There is no group.')
}

function partitionTable(paint: Paint, groups: readonly GroupLag[]): string {
  const rows = groups.flatMap(({ group, partitions, unseen }) => [
    ...partitions.map((one): Cell[] => [group, ...placeCells(one)]),
    ...unseen.map(({ topic, partition, reason }): Cell[] => [
      group,
      topic,
      partition,
      null,
      null,
      null,
      null,
      { text: reason, tone: 'bad' },
    ]),
  ])
  const titles = ['GROUP', 'TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'OLDEST', 'TREND']
  return table(paint, titles, rows, 'No group has committed anything.')
}

function placeCells({ topic, partition, committed, end, lag, lagMs, trend }: PartitionLag): readonly Cell[] {
  return [topic, partition, committed, end, lag, timeText(lagMs), { text: trend, tone: toneOf(trend) }]
}

function toneOf(trend: LagTrend): Tone {
  return trend === 'ok' ? 'good' : trend === 'rewound' ? 'warning' : 'bad'
}
