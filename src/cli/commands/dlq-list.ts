import type { Command } from 'commander'
import { thrownText } from '../../runtime/thrown.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options {
  readonly match?: string | undefined
}

/** How such topics are called by most who have them: `orders.dlq`, `orders-dlt`, `orders.DLT`, `dead-letters.orders`. */
const usual = /(^|[._-])(dlq|dlt|dead[._-]?letters?)([._-]|$)/i

export function addDlqList(dlq: Command, execute: Execute): void {
  dlq
    .command('list')
    .description('dead-letter topics, by their names, and how much is in them')
    .option('--match <expression>', 'other names: an expression that is looked for in them')
    .action((options: Options) => execute((session) => listTopics(session, options)))
}

async function listTopics(session: Session, { match }: Options): Promise<Report> {
  const expression = match === undefined ? usual : expressionOf(match)
  const { admin } = await session.cluster()
  const named = (await admin.describeTopics(null, session.call)).filter(({ name }) => expression.test(name))
  const places = named.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const [starts, ends] = await Promise.all([
    admin.listOffsets(places, 'earliest', session.call),
    admin.listOffsets(places, 'latest', session.call),
  ])
  const offsets = new Map<string, number>()
  for (const [index, { topic }] of places.entries()) {
    const held = (ends[index] as number) - (starts[index] as number)
    offsets.set(topic, (offsets.get(topic) ?? 0) + held)
  }
  const topics = named
    .map(({ name, partitions }) => ({ topic: name, partitions: partitions.length, letters: offsets.get(name) ?? 0 }))
    .sort((one, other) => (one.topic < other.topic ? -1 : 1))
  return {
    value: topics,
    text: (paint) =>
      table(
        paint,
        ['TOPIC', 'PARTITIONS', 'LETTERS AT MOST'],
        topics.map(({ topic, partitions, letters }): Cell[] => [topic, partitions, letters]),
        'No topic has such a name.',
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
