import { Option, type Command } from 'commander'
import type { Messaging } from '../../messaging.js'
import type { RedriveOptions } from '../../redrive/redrive-options.js'
import { redrive } from '../../redrive/redrive.js'
import { RedriveError } from '../../redrive/redrive-error.js'
import { refusalReasons, type RefusalReason } from '../../redrive/refusal.js'
import type { RedriveSummary } from '../../redrive/tally.js'
import { gathered, numberFrom, wholeFrom } from '../arguments.js'
import { leaderlessOf } from '../../operations/places.js'
import { exitCode } from '../exit-code.js'
import { timeText } from '../../text/figures.js'
import { selectionOf, withLetterFilter, type LetterFilter } from '../letter-filter.js'
import type { Paint } from '../paint.js'
import { paintOf, type Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { listing, table, type Cell } from '../table.js'

interface Options extends LetterFilter {
  readonly allow: readonly string[]
  readonly group: string
  readonly perSecond?: number | undefined
  readonly maxHops?: number | undefined
  readonly parking?: string | undefined
  readonly defaultOrigin?: string | undefined
  readonly place?: 'origin' | 'key' | undefined
  readonly passOver?: readonly string[] | undefined
  readonly dryRun?: boolean | undefined
  readonly yes?: boolean | undefined
}

export function addDlqRedrive(dlq: Command, execute: Execute): void {
  withLetterFilter(dlq.command('redrive'))
    .description('sends letters back to the topics they came from; counts what would go first')
    .argument('<topic>')
    .requiredOption('--allow <topic>', 'a topic that letters may go back to, and no other; may be repeated', gathered)
    .requiredOption('--group <name>', 'names this redrive: its progress is kept under it, and the same call goes on')
    .option('--per-second <count>', 'most letters in a second', numberFrom(0))
    .option('--max-hops <count>', 'how often a letter may be redriven (default: 3)', wholeFrom(1))
    .option('--parking <topic>', 'for letters that came back too often')
    .option('--default-origin <topic>', 'for letters whose headers name no origin')
    .addOption(
      new Option('--place <how>', 'partition: that of the origin, or that of the key').choices(['origin', 'key']),
    )
    .option('--pass-over <reason>', `go on without letters that are refused: ${refusalReasons.join(', ')}`, gathered)
    .option('--dry-run', 'count only')
    .option('-y, --yes', 'do not ask')
    .action((topic: string, options: Options) =>
      // What is on its way when it is interrupted is finished.
      execute((session) => redriveLetters(session, topic, options), { endsItself: true }),
    )
}

async function redriveLetters(session: Session, topic: string, options: Options): Promise<Report> {
  const { dryRun, yes } = options
  const messaging = await session.cluster()
  const settings = settingsOf(session, topic, options)
  const tell = (summary: RedriveSummary) => reportOf(session, topic, summary)
  const run = (options: RedriveOptions, what: string) => toItsEnd(session, messaging, options, what)
  const planned = await run({ ...settings, dryRun: true }, 'letters looked at')
  if (dryRun || planned.redriven + planned.parked === 0) return tell(planned)
  const question =
    `send ${planned.redriven} letter(s) to ${Object.keys(planned.toTopics).join(', ') || 'no topic'}, ` +
    `where all groups see them${planned.parked === 0 ? '' : `, and ${planned.parked} to ${options.parking}`}`
  await session.confirm(question, yes, (paint) => summaryText(paint, planned))
  return tell(await run(settings, 'letters sent'))
}

/** A run that cannot go on tells people what it has done until then; beside data an error is all there is. */
async function toItsEnd(
  session: Session,
  messaging: Messaging,
  options: RedriveOptions,
  what: string,
): Promise<RedriveSummary> {
  try {
    return await session.watched(what, (onProgress) =>
      redrive(messaging, {
        ...options,
        onProgress: ({ read, left, waitsFor }) => onProgress(read, read + left, waitsFor),
      }),
    )
  } catch (error) {
    if (error instanceof RedriveError && !session.json) {
      session.terminal.writeError(`${summaryText(paintOf(session.terminal), error.summary)}\n`)
    }
    throw error
  }
}

function settingsOf(session: Session, topic: string, options: Options): RedriveOptions {
  const { allow, group, perSecond, maxHops, parking, defaultOrigin, place, passOver } = options
  return {
    ...{ from: topic, allow, group, perSecond, maxHops, parking, defaultOrigin, partition: place },
    passOver: passOver as readonly RefusalReason[] | undefined,
    select: selectionOf(options),
    signal: session.signal,
    stallMs: Math.max(60_000, session.call.timeoutMs),
  }
}

function reportOf(session: Session, topic: string, summary: RedriveSummary): Report {
  const { ended, refused, unseen } = summary
  const found = session.noteUnseen(leaderlessOf(topic, unseen))
  const exit = ended === 'aborted' ? exitCode.interrupted : Object.keys(refused).length > 0 ? exitCode.found : found
  return { value: summary, text: (paint) => summaryText(paint, summary), exit }
}

function summaryText(paint: Paint, summary: RedriveSummary): string {
  const { dryRun, ended, read, redriven, parked, notSelected, refused, inDoubt, passedBefore, expired } = summary
  const { left, waitsFor } = summary
  const head = listing(paint, [
    [dryRun ? 'would be sent' : 'sent', { text: String(redriven), tone: 'title' }],
    ...shown(dryRun ? 'would be parked' : 'parked', parked),
    ['looked at', read],
    ...shown('not selected', notSelected),
    ...shown('passed by former runs', passedBefore),
    ...shown('deleted before they were read', expired),
    ...shown('perhaps sent twice', inDoubt),
    ...shown('left', left),
    ...(waitsFor === null ? [] : [[dryRun ? 'letters would wait for' : 'waited for', waitsFor] as const]),
    ...shown('partitions left, without a leader', summary.unseen.length),
    ...(dryRun && ended === 'done' ? [] : [['ended', ended] as const, ['took', timeText(summary.elapsedMs)] as const]),
  ])
  return [
    head,
    ...tableOf(paint, ['TO TOPIC', 'LETTERS'], summary.toTopics),
    ...tableOf(paint, ['REASON', 'LETTERS'], summary.byReason),
    ...tableOf(paint, ['REFUSED', 'LETTERS'], refused),
    ...tableOf(paint, ['OUTSIDE THE ALLOWED TOPICS', 'LETTERS'], summary.outside),
  ].join('\n')
}

function shown(name: string, count: number): readonly (readonly [string, Cell])[] {
  return count === 0 ? [] : [[name, count]]
}

function tableOf(paint: Paint, titles: readonly string[], counts: Readonly<Record<string, number>>): readonly string[] {
  const rows = Object.entries(counts)
  return rows.length === 0 ? [] : [table(paint, titles, rows, '')]
}
