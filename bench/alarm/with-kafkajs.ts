import { Kafka, logLevel, Partitioners, type Consumer, type KafkaMessage, type Message, type Producer } from 'kafkajs'
import { insertNew, sqlPositions, type SqlPositions } from 'tidemark/sql'
import { disorderSeconds } from '../../examples/alarm/access/arrivals.js'
import { applyEvents } from '../../examples/alarm/alert/apply-events.js'
import { judgeBatch, type Arrived } from '../../examples/alarm/detect/judge-batch.js'
import type { Schema } from '../../examples/alarm/store/schema.js'
import type { Tx } from '../../examples/alarm/store/store.js'
import {
  AlertEvent,
  alerts,
  alertStatus,
  RawEvent,
  rawEvents,
  rawEventsDeadLetters,
} from '../../examples/alarm/topics.js'
import { peerHeartbeats } from './peer-heartbeats.js'
import { PeerOutbox } from './peer-outbox.js'
import type { RunningStages, Task } from './run.js'

const rowsPerSend = 500
/** Nobody takes a partition away. */
const call = { signal: new AbortController().signal }
const topics = [rawEvents, alerts, alertStatus, rawEventsDeadLetters]

/** How records come to the stages: `eachBatch`, or `eachMessage` as kafkajs's own pages show it. */
export type By = 'batch' | 'message'

/**
 * The same stages by whoever knows kafkajs well: whole batches of a partition, judged by the same code in the order of event
 * time, in one database transaction with the place of the partition; one send for all that a batch decides, acknowledged by
 * all and idempotent; and Kafka's commit after that. The outbox is written by one statement a batch and sent in bulk.
 *
 * By message each record has its own transaction, sends and commit, in the same order.
 *
 * What it does without: a second process that takes over what one held in memory, a relay that two processes share, retries,
 * dead letters of alert, and pauses while the database is down.
 */
export async function withKafkajs(
  brokers: readonly string[],
  by: By,
  { arrivals, book, stores }: Task,
): Promise<RunningStages> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: topics.map(({ name, partitions }) => ({ topic: name, numPartitions: partitions })),
    waitForLeaders: true,
  })
  await admin.disconnect()
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const outbox = await PeerOutbox.open(stores.alert, producer, alertStatus.name)
  const done = { judged: 0, decided: 0, applied: 0 }
  const readers = [await detecting(), await alerting()]

  async function detecting(): Promise<Consumer> {
    const positions = sqlPositions(stores.detect.db, { group: 'detect' })
    const waiting = new Map<number, InTime>()
    return reader(
      kafka,
      by,
      'detect',
      rawEvents.name,
      positions,
      () => waiting.clear(),
      async (partition, messages, consumer) => {
        const inTime = waiting.get(partition) ?? new InTime(partition)
        waiting.set(partition, inTime)
        const unreadable = inTime.take(messages)
        if (unreadable.length > 0) await send(producer, rawEventsDeadLetters.name, unreadable)
        const due = inTime.due()
        if (due.length > 0) {
          const batch = await judgeBatch(stores.detect.db, book, due)
          const of = { topic: rawEvents.name, partition }
          await positions.transaction(call, of, inTime.settled, (tx) => batch.save(tx, inTime.settled))
          if (batch.events.length > 0) {
            const values = batch.events.map(({ event }) => ({ key: event.alert_key, value: JSON.stringify(event) }))
            await send(producer, alerts.name, values)
          }
          done.judged += batch.counts.accepted + batch.counts.repeated + batch.counts.conflicts
          done.decided += batch.events.length
        }
        await commit(consumer, rawEvents.name, partition, inTime.settled)
      },
    )
  }

  async function alerting(): Promise<Consumer> {
    const positions = sqlPositions(stores.alert.db, { group: 'alert' })
    return reader(
      kafka,
      by,
      'alert',
      alerts.name,
      positions,
      () => undefined,
      async (partition, messages, consumer) => {
        const events = messages.map(({ value }) => AlertEvent.parse(JSON.parse(String(value))))
        const nextOffset = Number(messages.at(-1)?.offset ?? -1) + 1
        const apply = (tx: Tx): Promise<unknown> => applyEvents(tx, outbox.tell, events)
        await positions.transaction(call, { topic: alerts.name, partition }, nextOffset, apply)
        await commit(consumer, alerts.name, partition, nextOffset)
        done.applied += events.length
        outbox.wake()
      },
    )
  }

  return {
    deliver: async () => {
      for (let from = 0; from < arrivals.length; from += rowsPerSend) {
        const chunk = arrivals.slice(from, from + rowsPerSend)
        const rows = chunk.map(({ event }) => RawEvent.parse(event))
        const values = rows.map((row): Message => ({ key: String(row.bk_biz_id), value: JSON.stringify(row) }))
        // In one request: of each partition the heartbeat stands behind the rows.
        await send(producer, rawEvents.name, [...values, ...peerHeartbeats(chunk.at(-1)?.at ?? 0)])
        await stores.access.db.transaction().execute(async (tx) => {
          await insertNew(tx, 'source_checkpoint', [{ source: 'w2', next_row: 0 }])
          const place = tx.updateTable('source_checkpoint').set({ next_row: from + chunk.length })
          await place.where('source', '=', 'w2').execute()
        })
      }
      await send(producer, rawEvents.name, peerHeartbeats((arrivals.at(-1)?.at ?? 0) + 2 * disorderSeconds))
    },
    progress: () => ({ ...done, untold: () => outbox.size() }),
    stop: async () => {
      for (const consumer of readers) await consumer.disconnect()
      await outbox.stop()
      await producer.disconnect()
    },
  }
}

/** Puts the records of one partition in the order of event time; what is late comes as soon as it can. */
class InTime {
  #waiting: Arrived[] = []
  #newestSeconds = -Infinity
  #next = 0

  constructor(private readonly partition: number) {}

  /** Where to go on after a crash: nothing before it waits. */
  get settled(): number {
    return this.#waiting.reduce((least, { offset }) => Math.min(least, offset), this.#next)
  }

  /** Returns what cannot be read. */
  take(messages: readonly KafkaMessage[]): Message[] {
    const unreadable: Message[] = []
    for (const { offset, key, value } of messages) {
      this.#next = Number(offset) + 1
      const parsed = read(value)
      if (parsed === null) {
        unreadable.push({ key, value })
        continue
      }
      this.#newestSeconds = Math.max(this.#newestSeconds, parsed.timestamp)
      this.#waiting.push({ partition: this.partition, offset: Number(offset), value: parsed })
    }
    return unreadable
  }

  due(): Arrived[] {
    const isDue = ({ value }: Arrived): boolean => value.timestamp < this.#newestSeconds - disorderSeconds
    const due = this.#waiting.filter(isDue)
    this.#waiting = this.#waiting.filter((one) => !isDue(one))
    return due.sort((one, other) => one.value.timestamp - other.value.timestamp || one.offset - other.offset)
  }
}

function read(value: Buffer | null): RawEvent | null {
  try {
    return RawEvent.safeParse(JSON.parse(String(value))).data ?? null
  } catch {
    return null
  }
}

async function reader(
  kafka: Kafka,
  by: By,
  groupId: string,
  topic: string,
  positions: SqlPositions<Schema>,
  onJoin: () => void,
  handle: (partition: number, messages: readonly KafkaMessage[], consumer: Consumer) => Promise<void>,
): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId, minBytes: 1_048_576, maxWaitTimeInMs: 250 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const claimed = new Set<number>()
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => {
      claimed.clear()
      onJoin()
      resolve()
    })
  })
  const each = async (partition: number, messages: readonly KafkaMessage[]): Promise<void> => {
    if (!claimed.has(partition)) await positions.take([{ topic, partition, committed: null }])
    claimed.add(partition)
    await handle(partition, messages, consumer)
  }
  await consumer.run({
    ...{ autoCommit: false, partitionsConsumedConcurrently: 4 },
    ...(by === 'message'
      ? { eachMessage: ({ partition, message }) => each(partition, [message]) }
      : { eachBatch: ({ batch: { partition, messages } }) => each(partition, messages) }),
  })
  await joined
  return consumer
}

const send = (producer: Producer, topic: string, messages: Message[]): Promise<unknown> =>
  producer.send({ topic, messages, acks: -1 })

const commit = (consumer: Consumer, topic: string, partition: number, offset: number): Promise<void> =>
  consumer.commitOffsets([{ topic, partition, offset: String(offset) }])
