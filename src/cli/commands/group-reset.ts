import type { Command } from 'commander'
import type { UnseenPartition } from '../../lag/lag-look.js'
import { describeNamed } from '../../operations/places.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { ResetOffsetsOptions } from '../../operations/admin-input.js'
import type { OffsetReset, ResetPosition } from '../../operations/group-offsets.js'
import { gathered, place, position } from '../arguments.js'
import { carryOut, type ChangeOptions } from '../change.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options extends ChangeOptions {
  readonly to: ResetPosition
  readonly topic?: readonly string[] | undefined
  readonly partition?: readonly TopicPartition[] | undefined
}

export function addGroupReset(group: Command, execute: Execute): void {
  group
    .command('reset')
    .description('makes a group without members go on elsewhere; shows where first')
    .argument('<group>')
    .requiredOption(
      '--to <position>',
      'earliest, latest, an offset, +n or -n records, or a time with its zone',
      position,
    )
    .option('--topic <name>', 'all partitions of it (default: what the group has committed); may be repeated', gathered)
    .option('--partition <topic:n>', 'this one and no others; may be repeated', place)
    .option('--dry-run', 'show only')
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: Options) => execute((session) => resetGroup(session, name, options)))
}

async function resetGroup(session: Session, group: string, options: Options): Promise<Report> {
  const { to, topic: topics, partition: partitions } = options
  if (topics !== undefined && partitions !== undefined) throw new WrongUse('write either --topic or --partition')
  const { admin } = await session.cluster()
  const { resets, unseen } = await planReset(session, group, { to, topics, partitions })
  const shown = (paint: Paint) => resetText(paint, resets, unseen)
  return carryOut(session, options, {
    isEmpty: resets.length === 0,
    question: `set ${resets.length} offset(s) of group ${group}`,
    plan: shown,
    work: () => admin.setOffsets(group, resets, session.call),
    report: (done) => ({
      value: { group, done: done !== null, resets, unseen },
      text: (paint) => shown(paint) + (done === null ? '' : '\nThe group goes on there.\n'),
      exit: resets.length === 0 || unseen.length > 0 ? exitCode.found : exitCode.fine,
    }),
  })
}

/** So many partitions at a time are looked up, so that it can be told how far it is. */
const atATime = 1_000

interface PlannedReset {
  readonly resets: readonly OffsetReset[]
  /** Nobody can tell where they begin and end: they stay as they are. */
  readonly unseen: readonly UnseenPartition[]
}

async function planReset(
  session: Session,
  group: string,
  { to, topics, partitions }: Pick<ResetOffsetsOptions, 'to' | 'topics' | 'partitions'>,
): Promise<PlannedReset> {
  const { admin } = await session.cluster()
  const { call } = session
  const named = partitions ?? (topics === undefined ? await admin.committedOffsets(group, null, quickly(call)) : null)
  const described =
    topics === undefined
      ? await admin.describeTopics([...new Set(named?.map(({ topic }) => topic))], call)
      : await describeNamed(admin, topics, call)
  const there = described.flatMap((topic) => topic.partitions.map((one) => ({ topic: topic.name, ...one })))
  const leaders = new Map(there.map(({ topic, partition, leader }) => [partitionKey(topic, partition), leader]))
  const places: TopicPartition[] = []
  const unseen: UnseenPartition[] = []
  for (const { topic, partition } of named ?? there) {
    const leader = leaders.get(partitionKey(topic, partition))
    if (leader !== undefined && leader >= 0) places.push({ topic, partition })
    else unseen.push({ topic, partition, reason: leader === undefined ? 'not-there' : 'no-leader' })
  }
  const resets = await session.watched('partitions looked up', async (onProgress) => {
    const planned: OffsetReset[] = []
    while (planned.length < places.length) {
      const next = places.slice(planned.length, planned.length + atATime)
      planned.push(...(await admin.resetOffsets(group, { to, partitions: next, ...call })))
      onProgress(planned.length, places.length)
    }
    return planned
  })
  return { resets, unseen }
}

/** A transaction that holds offsets of the group is not waited for. */
function quickly<Call>(call: Call) {
  return { requireStable: false, ...call }
}

function resetText(paint: Paint, resets: readonly OffsetReset[], unseen: readonly UnseenPartition[]): string {
  const shown = table(
    paint,
    ['TOPIC', 'PARTITION', 'NOW', 'THEN', 'CHANGE', 'EARLIEST', 'LATEST'],
    resets.map(({ topic, partition, from, offset, earliest, latest }) => [
      topic,
      partition,
      from,
      offset,
      from === null ? null : offset - from,
      earliest,
      latest,
    ]),
    unseen.length > 0 ? 'Nothing can be reset.' : 'The group has committed nothing; name topics with --topic.',
  )
  if (unseen.length === 0) return shown
  const rows = unseen.map(({ topic, partition, reason }): Cell[] => [topic, partition, { text: reason, tone: 'bad' }])
  return `${shown}\n${table(paint, ['STAYS AS IT IS', 'PARTITION', 'WHY'], rows, '')}`
}
