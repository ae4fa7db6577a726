import type { Command } from 'commander'
import { usualName } from '../../letters/letter-topics.js'
import { planPurge, purge, type PurgedPart } from '../../letters/purge.js'
import { moment, wholeFrom } from '../arguments.js'
import { carryOut, type ChangeOptions } from '../change.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options extends ChangeOptions {
  readonly until?: number | undefined
  readonly partition?: number | undefined
  readonly anyName?: boolean | undefined
}

export function addDlqPurge(dlq: Command, execute: Execute): void {
  dlq
    .command('purge')
    .description('deletes letters for good, the oldest first; shows how many before')
    .argument('<topic>')
    .option('--until <time>', 'those before the first that was written at that time or later (default: all)', moment)
    .option('--partition <number>', 'of this one alone', wholeFrom(0))
    .option('--any-name', 'also of a topic that is not named as dead-letter topics are')
    .option('--dry-run', 'show only')
    .option('-y, --yes', 'do not ask')
    .action((topic: string, options: Options) => execute((session) => purgeLetters(session, topic, options)))
}

async function purgeLetters(session: Session, topic: string, options: Options): Promise<Report> {
  await requireDeadLetters(session, topic, options)
  const { admin } = await session.cluster()
  const { parts, unseen } = await planPurge(admin, topic, options, session.call)
  const letters = parts.reduce((sum, part) => sum + part.letters, 0)
  const exit = session.noteUnseen(unseen)
  const shown = (paint: Paint) => purgeText(paint, topic, parts)
  return carryOut(session, options, {
    isEmpty: parts.length === 0,
    question: `delete up to ${letters} letter(s) of ${topic} for good`,
    plan: shown,
    work: () => purge(admin, topic, parts, session.call),
    report: (done) => ({
      value: { topic, done: done !== null, letters, partitions: parts, unseen },
      text: (paint) => shown(paint) + (done === null ? '' : '\nThey are deleted.\n'),
      exit,
    }),
  })
}

/** A mistyped name must not empty the topic that the letters came from. */
async function requireDeadLetters(session: Session, topic: string, { anyName }: Options): Promise<void> {
  if (anyName === true || usualName.test(topic)) return
  const { topics = [] } = await session.file()
  if (topics.some(({ name, deadLettersOf }) => name === topic && deadLettersOf !== undefined)) return
  throw new WrongUse(`${topic} is not named as dead-letter topics are; if it is one, say so with --any-name`)
}

function purgeText(paint: Paint, topic: string, parts: readonly PurgedPart[]): string {
  return table(
    paint,
    ['TOPIC', 'PARTITION', 'FROM', 'BEFORE', 'LETTERS AT MOST'],
    parts.map(({ partition, from, before, letters }) => [topic, partition, from, before, letters]),
    'There is nothing to delete.',
  )
}
