import type { OpenTransactionAt } from '../../driver/admin.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { exitCode } from '../exit-code.js'
import { timeText } from '../../text/figures.js'
import type { Report } from '../report.js'
import type { Session } from '../session.js'
import { table, type Cell } from '../table.js'
import { WrongUse } from '../wrong-use.js'

export interface OpenOptions {
  readonly group?: string | undefined
}

interface Open extends OpenTransactionAt {
  /** Since it last wrote. */
  readonly quietForMs: number
  /** No coordinator knows whose it is, so it stays until somebody aborts it. */
  readonly hangs: boolean
}

export async function openTransactions(
  session: Session,
  topics: readonly string[],
  { group }: OpenOptions,
): Promise<Report> {
  if (group !== undefined && topics.length > 0) throw new WrongUse('write either topics or --group')
  const { admin, clock } = await session.cluster()
  const places = group === undefined ? await partitionsOf(session, topics) : await readBy(session, group)
  const found = places.length === 0 ? [] : await admin.openTransactions(places, session.call)
  const now = clock.wallTime()
  const open = found
    .map((one): Open => {
      return { ...one, quietForMs: Math.max(0, now - one.lastWrittenAt), hangs: one.transactionalId === null }
    })
    .sort((one, other) => other.quietForMs - one.quietForMs)
  return {
    value: open,
    text: (paint) =>
      table(
        paint,
        ['TOPIC', 'PARTITION', 'TRANSACTIONAL ID', 'QUIET FOR', 'FIRST OFFSET', 'PRODUCER', 'EPOCH'],
        open.map(({ topic, partition, transactionalId, hangs, quietForMs, firstOffset, ...producer }): Cell[] => [
          topic,
          partition,
          hangs ? { text: 'hangs', tone: 'bad' } : transactionalId,
          timeText(quietForMs),
          firstOffset,
          String(producer.producerId),
          producer.producerEpoch,
        ]),
        `No transaction is open in ${places.length} partition(s).`,
      ) +
      open
        .filter(({ hangs }) => hangs)
        .map(abortText)
        .join(''),
    exit: open.some(({ hangs }) => hangs) ? exitCode.found : exitCode.fine,
  }
}

async function partitionsOf(session: Session, topics: readonly string[]): Promise<readonly TopicPartition[]> {
  const { admin } = await session.cluster()
  const described = await admin.describeTopics(topics.length === 0 ? null : topics, session.call)
  const missing = topics.find((topic) => !described.some(({ name }) => name === topic))
  if (missing !== undefined) throw new WrongUse(`topic ${missing} does not exist; correct its name`)
  return described.flatMap(({ name, partitions }) =>
    // Without a leader there is nobody to ask.
    partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition })),
  )
}

async function readBy(session: Session, group: string): Promise<readonly TopicPartition[]> {
  const { admin } = await session.cluster()
  // One that hangs may hold offsets of the group itself.
  const committed = await admin.committedOffsets(group, null, { requireStable: false, ...session.call })
  return committed.map(({ topic, partition }) => ({ topic, partition }))
}

function abortText({ topic, partition, firstOffset }: Open): string {
  return (
    `\nNobody will end the transaction in ${topic}-${partition}: kafka-transactions.sh --bootstrap-server <broker> ` +
    `abort --topic ${topic} --partition ${partition} --start-offset ${firstOffset}\n`
  )
}
