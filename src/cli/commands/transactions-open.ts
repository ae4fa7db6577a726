import type { OpenTransactionAt } from '../../driver/admin.js'
import { describeNamed, placesIn, type Places } from '../../operations/places.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
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
  const { led: places, unseen } =
    group === undefined ? await partitionsOf(session, topics) : await readBy(session, group)
  const exit = session.noteUnseen(unseen)
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
    exit: open.some(({ hangs }) => hangs) ? exitCode.found : exit,
  }
}

async function partitionsOf(session: Session, topics: readonly string[]): Promise<Places> {
  const { admin } = await session.cluster()
  return placesIn(await describeNamed(admin, topics.length === 0 ? null : topics, session.call))
}

async function readBy(session: Session, group: string): Promise<Places> {
  const { admin } = await session.cluster()
  // One that hangs may hold offsets of the group itself.
  const committed = await admin.committedOffsets(group, null, { requireStable: false, ...session.call })
  const topics = [...new Set(committed.map(({ topic }) => topic))]
  const described = topics.length === 0 ? [] : await admin.describeTopics(topics, session.call)
  const isRead = new Set(committed.map(({ topic, partition }) => partitionKey(topic, partition)))
  const { led, unseen } = placesIn(described)
  const reads = ({ topic, partition }: TopicPartition) => isRead.has(partitionKey(topic, partition))
  return { led: led.filter(reads), unseen: unseen.filter(reads) }
}

function abortText({ topic, partition, firstOffset }: Open): string {
  return (
    `\nNobody will end the transaction in ${topic}-${partition}: kafka-transactions.sh --bootstrap-server <broker> ` +
    `abort --topic ${topic} --partition ${partition} --start-offset ${firstOffset}\n`
  )
}
