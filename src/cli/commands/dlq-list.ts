import type { Command } from 'commander'
import { letterTopics, usualName } from '../../letters/letter-topics.js'
import { leaderlessOf } from '../../operations/places.js'
import { thrownText } from '../../runtime/thrown.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options {
  readonly match?: string | undefined
}

export function addDlqList(dlq: Command, execute: Execute): void {
  dlq
    .command('list')
    .description('dead-letter topics, by their names, and how much is in them')
    .option('--match <expression>', 'other names: an expression that is looked for in them')
    .action((options: Options) => execute((session) => listTopics(session, options)))
}

async function listTopics(session: Session, { match }: Options): Promise<Report> {
  const expression = match === undefined ? usualName : expressionOf(match)
  const { admin } = await session.cluster()
  const topics = await letterTopics(admin, expression, session.call)
  const unseen = topics.flatMap(({ topic, unseen: numbers }) => leaderlessOf(topic, numbers))
  return {
    value: topics,
    exit: session.noteUnseen(unseen),
    text: (paint) =>
      table(
        paint,
        ['TOPIC', 'PARTITIONS', 'LETTERS AT MOST'],
        topics.map(({ topic, partitions, letters }): Cell[] => [topic, partitions, letters]),
        match === undefined
          ? 'No topic is called as dead-letter topics are: orders.dlq, orders-dlt, orders.DLT, dead-letters.orders (--match names others).'
          : 'No topic has such a name.',
      ),
  }
}

function expressionOf(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new WrongUse(`--match is no expression: ${thrownText(error).message}`)
  }
}
