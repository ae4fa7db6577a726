import type { Command } from 'commander'
import { failedAtOf, LetterCounter, type LetterCounts, type LetterView } from '../../letters/letter-counts.js'
import type { UnseenPartition } from '../../lag/lag-look.js'
import { letterOf } from '../../redrive/letter.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { selected } from '../../redrive/selection.js'
import { wholeFrom } from '../arguments.js'
import { exitCode } from '../exit-code.js'
import { momentText } from '../../text/figures.js'
import { selectionOf, withLetterFilter, type LetterFilter } from '../letter-filter.js'
import type { Paint } from '../paint.js'
import { partsOf, readRecords } from '../../letters/read-records.js'
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

async function countLetters(session: Session, topic: string, filter: Options): Promise<Report> {
  const isMeant = selected(selectionOf(filter))
  const counter = new LetterCounter()
  const reading = await session.reading()
  const { parts, unseen } = await partsOf(reading, topic, filter)
  await session.watched('offsets read', (onProgress) =>
    readRecords({ ...reading, onProgress }, rawTopic(topic), parts, (message) => {
      const letter = letterOf(message)
      if (isMeant(letter)) counter.add(letter, failedAtOf(letter, message.timestamp))
    }),
  )
  const value: CountsOfTopic = { topic, ...counter.counts(), unseen }
  const exit = session.noteUnseen(unseen)
  return {
    value,
    text: (paint) => countsText(paint, value),
    exit: value.letters === 0 ? exit : exitCode.found,
  }
}

interface CountsOfTopic extends LetterCounts {
  readonly topic: string
  readonly unseen: readonly UnseenPartition[]
}

const titles: Readonly<Record<LetterView, string>> = {
  byReason: 'REASON',
  byError: 'ERROR',
  byOrigin: 'ORIGIN',
  byGroup: 'GROUP',
  byWriter: 'WRITTEN BY',
}

function countsText(paint: Paint, counts: CountsOfTopic): string {
  const { topic, letters, cameBack, oldestAt, newestAt } = counts
  const head = listing(paint, [
    ['topic', topic],
    ['letters', letters],
    ['came back', cameBack],
    ['oldest', oldestAt === null ? null : momentText(oldestAt)],
    ['newest', newestAt === null ? null : momentText(newestAt)],
  ])
  if (letters === 0) return head
  const tables = (Object.keys(titles) as LetterView[]).map((view) =>
    table(paint, [titles[view], 'LETTERS'], Object.entries(counts[view]), ''),
  )
  return [head, ...tables].join('\n')
}
