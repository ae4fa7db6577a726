import type { Command } from 'commander'
import { letterOf, type Letter } from '../../redrive/letter.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { selected } from '../../redrive/selection.js'
import { wholeFrom } from '../arguments.js'
import { exitCode } from '../exit-code.js'
import { momentText } from '../figures.js'
import { failedAtOf, selectionOf, withLetterFilter, type LetterFilter } from '../letter-filter.js'
import type { Paint } from '../paint.js'
import { partsOf, readRecords } from '../read-records.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { listing, table } from '../table.js'

interface Options extends LetterFilter {
  readonly most: number
}

export function addDlqStats(dlq: Command, execute: Execute): void {
  withLetterFilter(dlq.command('stats'))
    .description('letters by reason, error, origin and group; ends with 1 when there are any')
    .argument('<topic>')
    .option('--most <count>', 'read no more than the newest so many of each partition', wholeFrom(1), 100_000)
    .action((topic: string, options: Options) => execute((session) => countLetters(session, topic, options)))
}

/** Headers are data from outside: any number of names must not fill the memory. */
const mostNames = 100

const views = {
  byReason: (letter: Letter) => letter.reason,
  byError: (letter: Letter) => letter.errorClasses[0] ?? null,
  byOrigin: (letter: Letter) => letter.origin?.topic ?? null,
  byGroup: (letter: Letter) => letter.group,
  byWriter: (letter: Letter) => letter.writer,
} as const

type View = keyof typeof views

interface LetterCounts extends Readonly<Record<View, Readonly<Record<string, number>>>> {
  readonly topic: string
  readonly letters: number
  /** Were redriven before, and came back. */
  readonly cameBack: number
  /** When letters failed last; `null` where there is none. */
  readonly oldestAt: number | null
  readonly newestAt: number | null
}

async function countLetters(session: Session, topic: string, filter: Options): Promise<Report> {
  const isMeant = selected(selectionOf(filter))
  const counts = new Map(Object.keys(views).map((view) => [view as View, new Map<string, number>()]))
  let [letters, cameBack, oldestAt, newestAt] = [0, 0, Infinity, -Infinity]
  await readRecords(session, rawTopic(topic), await partsOf(session, topic, filter), (message) => {
    const letter = letterOf(message)
    if (!isMeant(letter)) return
    const at = failedAtOf(letter, message.timestamp)
    letters += 1
    if (letter.hops > 0) cameBack += 1
    oldestAt = Math.min(oldestAt, at)
    newestAt = Math.max(newestAt, at)
    for (const [view, ofView] of counts) count(ofView, views[view](letter) ?? 'none')
  })
  const found = Object.fromEntries([...counts].map(([view, ofView]) => [view, mostFirst(ofView)]))
  const value = {
    topic,
    letters,
    cameBack,
    oldestAt: letters === 0 ? null : oldestAt,
    newestAt: letters === 0 ? null : newestAt,
    ...found,
  } as LetterCounts
  return {
    value,
    text: (paint) => countsText(paint, value),
    exit: letters === 0 ? exitCode.fine : exitCode.found,
  }
}

function count(counts: Map<string, number>, name: string): void {
  const known = counts.has(name) || counts.size < mostNames ? name : 'other'
  counts.set(known, (counts.get(known) ?? 0) + 1)
}

function mostFirst(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  // A name from outside may be __proto__, which fromEntries takes as any other.
  return Object.fromEntries([...counts].sort((one, other) => other[1] - one[1]))
}

const titles: Readonly<Record<View, string>> = {
  byReason: 'REASON',
  byError: 'ERROR',
  byOrigin: 'ORIGIN',
  byGroup: 'GROUP',
  byWriter: 'WRITTEN BY',
}

function countsText(paint: Paint, counts: LetterCounts): string {
  const { topic, letters, cameBack, oldestAt, newestAt } = counts
  const head = listing(paint, [
    ['topic', topic],
    ['letters', letters],
    ['came back', cameBack],
    ['oldest', oldestAt === null ? null : momentText(oldestAt)],
    ['newest', newestAt === null ? null : momentText(newestAt)],
  ])
  if (letters === 0) return head
  const tables = (Object.keys(titles) as View[]).map((view) =>
    table(paint, [titles[view], 'LETTERS'], Object.entries(counts[view]), ''),
  )
  return [head, ...tables].join('\n')
}
