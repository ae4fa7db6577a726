import type { Command } from 'commander'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { gathered, place } from '../arguments.js'
import { carryOut, type ChangeOptions } from '../change.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options extends ChangeOptions {
  readonly topic?: readonly string[] | undefined
  readonly partition?: readonly TopicPartition[] | undefined
}

export function addGroupForget(group: Command, execute: Execute): void {
  group
    .command('forget')
    .description('forgets what a group has committed of topics that no member reads; shows it first')
    .argument('<group>')
    .option('--topic <name>', 'of all its partitions, whether it is there or not; may be repeated', gathered)
    .option('--partition <topic:n>', 'of this one; may be repeated', place)
    .option('--dry-run', 'show only')
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: Options) => execute((session) => forgetOffsets(session, name, options)))
}

async function forgetOffsets(session: Session, group: string, options: Options): Promise<Report> {
  const { topic: topics = [], partition: partitions = [] } = options
  if (topics.length + partitions.length === 0) throw new WrongUse('say what: --topic orders, or --partition orders:3')
  const { admin } = await session.cluster()
  const committed = await admin.committedOffsets(group, null, { requireStable: false, ...session.call })
  const isMeant = ({ topic, partition }: TopicPartition) =>
    topics.includes(topic) || partitions.some((one) => one.topic === topic && one.partition === partition)
  const offsets = committed.filter(isMeant)
  const shown = (paint: Paint) => offsetsText(paint, offsets)
  const told = offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  return carryOut(session, options, {
    isEmpty: offsets.length === 0,
    question: `forget ${offsets.length} offset(s) of group ${group}`,
    plan: shown,
    work: () => admin.deleteOffsets(group, offsets, session.call),
    report: (done) => ({
      value: { group, done: done !== null, offsets: told },
      text: (paint) => shown(paint) + (done === null ? '' : '\nThey are forgotten.\n'),
      exit: offsets.length === 0 ? exitCode.found : exitCode.fine,
    }),
  })
}

function offsetsText(paint: Paint, offsets: readonly CommittedPartition[]): string {
  return table(
    paint,
    ['TOPIC', 'PARTITION', 'COMMITTED'],
    offsets.map(({ topic, partition, offset }) => [topic, partition, offset]),
    'The group has committed nothing there.',
  )
}
