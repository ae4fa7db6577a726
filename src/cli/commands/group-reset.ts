import type { Command } from 'commander'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { ResetOffsetsOptions } from '../../operations/admin-input.js'
import type { OffsetReset, ResetPosition } from '../../operations/group-offsets.js'
import { gathered, place, position } from '../arguments.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'
import { WrongUse } from '../wrong-use.js'

interface Options {
  readonly to: ResetPosition
  readonly topic?: readonly string[] | undefined
  readonly partition?: readonly TopicPartition[] | undefined
  readonly dryRun?: boolean | undefined
  readonly yes?: boolean | undefined
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
  const { to, topic: topics, partition: partitions, dryRun, yes } = options
  if (topics !== undefined && partitions !== undefined) throw new WrongUse('write either --topic or --partition')
  const { admin } = await session.cluster()
  const planned = await planReset(session, group, { to, topics, partitions })
  const report = (done: boolean): Report => ({
    value: { group, done, resets: planned },
    text: (paint) => resetText(paint, planned) + (done ? `\nThe group goes on there.\n` : ''),
    exit: planned.length === 0 ? exitCode.found : exitCode.fine,
  })
  if (dryRun || planned.length === 0) return report(false)
  // Exactly what was shown is set: another look might find other ends.
  const asked = `set ${planned.length} offset(s) of group ${group}`
  await session.confirm(asked, yes, (paint) => resetText(paint, planned))
  await session.change(() => admin.setOffsets(group, planned, session.call))
  return report(true)
}

/** So many partitions at a time are looked up, so that it can be told how far it is. */
const atATime = 1_000

async function planReset(
  session: Session,
  group: string,
  scope: Pick<ResetOffsetsOptions, 'to' | 'topics' | 'partitions'>,
): Promise<readonly OffsetReset[]> {
  const { admin } = await session.cluster()
  const { call } = session
  const committed = await admin.committedOffsets(group, null, { requireStable: false, ...call })
  // Topics are few against what a group has committed.
  const places = scope.partitions ?? (scope.topics === undefined ? committed : null)
  if (places === null || places.length <= atATime) return admin.resetOffsets(group, { ...scope, ...call })
  return session.watched('partitions looked up', async (onProgress) => {
    const planned: OffsetReset[] = []
    for (let first = 0; first < places.length; first += atATime) {
      const partitions = places
        .slice(first, first + atATime)
        .map(({ topic, partition }): TopicPartition => ({ topic, partition }))
      planned.push(...(await admin.resetOffsets(group, { to: scope.to, partitions, ...call })))
      onProgress(planned.length, places.length)
    }
    return planned
  })
}

function resetText(paint: Paint, resets: readonly OffsetReset[]): string {
  return table(
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
    'The group has committed nothing; name topics with --topic.',
  )
}
