import type { Command } from 'commander'
import type { ElectedLeader } from '../../driver/admin.js'
import { describeNamed } from '../../operations/places.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { carryOut, type ChangeOptions } from '../change.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table, type Cell } from '../table.js'

export function addTopicsElect(topics: Command, execute: Execute): void {
  topics
    .command('elect')
    .description('gives partitions back to their first replica, where it is in sync; shows which first')
    .argument('[topics...]', 'default: all topics')
    .option('--dry-run', 'show only')
    .option('-y, --yes', 'do not ask')
    .action((names: readonly string[], options: ChangeOptions) =>
      execute((session) => electLeaders(session, names, options)),
    )
}

/** One partition that is not led by its first replica, as it is after a broker was away. */
interface Strayed extends TopicPartition {
  /** `null` while there is none. */
  readonly leader: number | null
  readonly first: number
  /** Where it is not, it cannot lead, and nothing is asked of it. */
  readonly isInSync: boolean
  readonly outcome: ElectedLeader['outcome'] | null
}

async function electLeaders(session: Session, names: readonly string[], options: ChangeOptions): Promise<Report> {
  const { admin } = await session.cluster()
  const strayed = await strayedOf(session, names)
  const able = strayed.filter(({ isInSync }) => isInSync)
  return carryOut(session, options, {
    isEmpty: able.length === 0,
    question: `let the first replica lead ${able.length} partition(s) again`,
    plan: (paint) => strayedText(paint, strayed),
    work: () => admin.electLeaders(able, session.call),
    report: (elected) => {
      const partitions = withOutcomes(strayed, elected ?? [])
      const leads = ({ outcome }: Strayed) => outcome === 'elected' || outcome === 'leads-already'
      return {
        value: { done: elected !== null, partitions },
        text: (paint) => strayedText(paint, partitions),
        exit: partitions.every(leads) ? exitCode.fine : exitCode.found,
      }
    },
  })
}

function withOutcomes(strayed: readonly Strayed[], elected: readonly ElectedLeader[]): readonly Strayed[] {
  const outcomes = new Map(elected.map(({ topic, partition, outcome }) => [partitionKey(topic, partition), outcome]))
  return strayed.map((one) => ({ ...one, outcome: outcomes.get(partitionKey(one.topic, one.partition)) ?? null }))
}

async function strayedOf(session: Session, names: readonly string[]): Promise<readonly Strayed[]> {
  const { admin } = await session.cluster()
  const described = await describeNamed(admin, names.length === 0 ? null : names, session.call)
  return described.flatMap(({ name: topic, partitions }) =>
    partitions.flatMap(({ partition, leader, replicas: [first], isr }): Strayed[] => {
      if (first === undefined || leader === first) return []
      const isInSync = isr.includes(first)
      return [{ topic, partition, leader: leader < 0 ? null : leader, first, isInSync, outcome: null }]
    }),
  )
}

function strayedText(paint: Paint, partitions: readonly Strayed[]): string {
  return table(
    paint,
    ['TOPIC', 'PARTITION', 'LED BY', 'FIRST REPLICA', 'PLAN'],
    partitions.map(({ topic, partition, leader, first, isInSync, outcome }): Cell[] => [
      topic,
      partition,
      leader,
      first,
      isInSync
        ? { text: outcome ?? 'elect', tone: outcome === 'not-available' ? 'bad' : 'good' }
        : { text: 'not in sync', tone: 'warning' },
    ]),
    'Each partition is led by its first replica.',
  )
}
