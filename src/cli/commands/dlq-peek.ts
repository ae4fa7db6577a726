import type { Command } from 'commander'
import { failedAtOf } from '../../letters/letter-counts.js'
import { letterOf, type Letter } from '../../redrive/letter.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { selected } from '../../redrive/selection.js'
import { wholeFrom } from '../arguments.js'
import { momentText } from '../../text/figures.js'
import { selectionOf, withLetterFilter, type LetterFilter } from '../letter-filter.js'
import type { Paint } from '../paint.js'
import { printable } from '../../text/printable.js'
import { partsOf, readRecords } from '../../letters/read-records.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { bytesText, shownBytes, type ShownBytes } from '../../text/shown-bytes.js'
import { listing, type Cell } from '../table.js'

interface Options extends LetterFilter {
  readonly most: number
  readonly show: number
  readonly headers?: boolean | undefined
  readonly values?: boolean | undefined
}

export function addDlqPeek(dlq: Command, execute: Execute): void {
  withLetterFilter(dlq.command('peek'))
    .description('the newest letters: where each came from, and why; key, value and headers only when asked for')
    .argument('<topic>')
    .option('--show <count>', 'so many letters', wholeFrom(1), 5)
    .option('--most <count>', 'look at no more than the newest so many of each partition', wholeFrom(1), 10_000)
    .option('--headers', 'show headers')
    .option('--values', 'show keys and values, which may be personal data')
    .action((topic: string, options: Options) => execute((session) => peek(session, topic, options)))
}

/** A letter without what was not asked for. */
interface ShownLetter extends Pick<Letter, 'topic' | 'partition' | 'offset' | 'writer' | 'origin' | 'reason' | 'hops'> {
  readonly failedAt: number
  readonly error: string | null
  readonly message: string | null
  readonly group: string | null
  readonly isPointer: boolean
  readonly headers?: readonly (readonly [name: string, value: ShownBytes])[]
  readonly key?: ShownBytes
  readonly value?: ShownBytes
}

async function peek(session: Session, topic: string, options: Options): Promise<Report> {
  const { show } = options
  const isMeant = selected(selectionOf(options))
  const newest: ShownLetter[] = []
  const reading = await session.reading()
  const { parts, unseen } = await partsOf(reading, topic, options)
  await session.watched('offsets read', (onProgress) =>
    readRecords({ ...reading, onProgress }, rawTopic(topic), parts, (message) => {
      const letter = letterOf(message)
      if (!isMeant(letter)) return
      newest.push(shownLetter(letter, failedAtOf(letter, message.timestamp), options))
      // Kept small while it is read, whatever the number of letters.
      if (newest.length >= show * 2) sortNewest(newest).length = show
    }),
  )
  const letters = sortNewest(newest).slice(0, show)
  return {
    value: letters,
    text: (paint) =>
      letters.length === 0 ? 'There is no such letter.\n' : letters.map((one) => letterText(paint, one)).join('\n'),
    exit: session.noteUnseen(unseen),
  }
}

function sortNewest(letters: ShownLetter[]): ShownLetter[] {
  return letters.sort((one, other) => other.failedAt - one.failedAt || other.offset - one.offset)
}

function shownLetter(letter: Letter, failedAt: number, show: Pick<Options, 'headers' | 'values'>): ShownLetter {
  const { topic, partition, offset, writer, origin, reason, hops, errorClasses, errorMessage, group, isPointer } =
    letter
  return {
    ...{ topic, partition, offset, failedAt, writer, origin, reason, hops, group, isPointer },
    error: errorClasses[0] ?? null,
    message: errorMessage,
    ...(show.headers
      ? { headers: [...letter.headers].map(([name, value]) => [name, shownBytes(value)] as const) }
      : {}),
    ...(show.values ? { key: shownBytes(letter.key), value: shownBytes(letter.value) } : {}),
  }
}

function letterText(paint: Paint, letter: ShownLetter): string {
  const { topic, partition, offset, failedAt, origin, reason, error, message, group, writer, hops } = letter
  const from = origin === null ? null : `${origin.topic}-${origin.partition ?? '?'}@${origin.offset ?? '?'}`
  const rows: (readonly [string, Cell])[] = [
    ['letter', { text: `${topic}-${partition}@${offset}`, tone: 'title' }],
    ['failed', momentText(failedAt)],
    ['from', from],
    ['reason', reason],
    ['error', error === null ? message : message === null ? error : `${error}: ${message}`],
    ['group', group],
    ['written by', writer],
    ...(hops > 0 ? [['came back', `${hops} time(s)`] as const] : []),
    ...(letter.isPointer ? [['value', 'left at its origin, since it was too large'] as const] : []),
    ...(letter.key === undefined ? [] : [['key', bytesText(letter.key)] as const]),
    ...(letter.value === undefined ? [] : [['value', bytesText(letter.value)] as const]),
  ]
  const headers = (letter.headers ?? []).map(
    ([name, value]) => `  ${printable(name)}: ${printable(bytesText(value))}\n`,
  )
  return listing(paint, rows) + headers.join('')
}
