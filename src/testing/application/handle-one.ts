import { Discard, RetryLater, Unavailable } from '../../consumer/handling/fate.js'
import type { HandlerCall } from '../../consumer/handling/handler-call.js'
import type { Handler, HandlerContext, Middleware } from '../../consumer/handling/handler.js'
import type { DriverProducer } from '../../driver/producer.js'
import { createMemoryCluster, type MemoryCluster } from '../../drivers/memory/memory-cluster.js'
import { memory } from '../../drivers/memory/memory.js'
import type { Message } from '../../message/message.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { createMessaging } from '../../messaging.js'
import type { SendOptions } from '../../producer/outgoing-record.js'
import type { Receipt } from '../../producer/receipt.js'
import type { ClientEvent } from '../../telemetry/events.js'
import type { Topic } from '../../topic/topic.js'
import { recordsOf } from './records-of.js'
import { idleMs, untilIdle } from './until-idle.js'

/** Key, headers and time of the message, and what the consumer has around its handler. */
export interface HandleOneOptions extends SendOptions {
  readonly use?: readonly Middleware[] | undefined
  /** Default 300,000. */
  readonly handlerTimeoutMs?: number | undefined
}

/** What became of one message. */
export interface HandledOne {
  /**
   * `dead-lettered`: a consumer without a dead-letter topic stops its partition instead, and one with retries tries again
   * before that, unless the handler threw `DeadLetter`. `tried-again`: it threw `Unavailable` or `RetryLater`.
   */
  readonly outcome: 'handled' | 'discarded' | 'dead-lettered' | 'tried-again'
  /** Of a dead letter, as its header `td-reason` has it. */
  readonly reason: string | null
  /** What the handler threw, if it did. */
  readonly error: unknown
  /** What it sent, decoded as its readers will: by topic, in the order of the sends. */
  readonly sent: readonly Message[]
}

const deadLetters = 'handle-one.dead-letters'

/**
 * Handles one message, once, as a consumer does, on a Kafka of its own inside the process: the value goes through the topic's serde
 * both ways, the handler and its sends are awaited, and what it throws decides the fate of the record. Topics it sends to need
 * not exist. Of a handler of batches: `(message, context) => handleBatch([message], context)`.
 *
 * @throws SendError when the value does not fit the topic
 * @example
 * const { outcome, sent } = await handleOne(orders, { id: 'o-1', cents: 100 }, bill)
 */
export async function handleOne<Value, Name extends string>(
  topic: Topic<Value, Name>,
  value: Value,
  handle: Handler<Message<Value, Name>>,
  options: HandleOneOptions = {},
): Promise<HandledOne> {
  const { use = [], handlerTimeoutMs = 300_000, ...send } = options
  const cluster = createMemoryCluster({ brokers: 1 })
  const fates: ClientEvent[] = []
  const messaging = createMessaging({
    driver: withTopics(cluster),
    durability: 'off',
    logger: 'silent',
    onEvent: (event) => void fates.push(event),
  })
  cluster.createTopic(topic.name, { partitions: Math.max(1, topic.partitions) })
  cluster.createTopic(deadLetters)
  try {
    const seen = new Seen(await messaging.producer().send(topic, value, send))
    const consumer = messaging.consumer({
      group: null,
      topics: [topic],
      deadLetter: { topic: deadLetters, breaker: false },
      retry: false,
      handlerTimeoutMs,
      use: [
        seen.only,
        ...use.map(
          (one): Middleware =>
            (messages, context, next) =>
              one(messages, seen.sends(context), next),
        ),
      ],
      handle: (message, context) => handle(message as Message<Value, Name>, seen.sends(context)),
    })
    await consumer.start()
    await untilIdle(messaging, { timeoutMs: handlerTimeoutMs + idleMs })
    const sent = await Promise.all([...seen.topics].map((sentTo) => recordsOf(messaging, sentTo)))
    const letter = fates.filter((event) => event.kind === 'dead-lettered').find((event) => seen.isIt(event))
    const isDiscarded = fates.some((event) => event.kind === 'discarded' && seen.isIt(event))
    return {
      outcome: letter !== undefined ? 'dead-lettered' : isDiscarded ? 'discarded' : seen.outcome,
      reason: letter?.reason ?? null,
      error: seen.error,
      sent: sent.flat().filter((message) => !seen.isIt(message)),
    }
  } finally {
    await messaging.close({ force: true })
    await cluster.close()
  }
}

/** What comes out of the handler and its middleware. */
class Seen {
  readonly topics = new Set<Topic>()
  error: unknown = undefined
  outcome: 'handled' | 'tried-again' = 'handled'
  readonly #it: Receipt

  constructor(it: Receipt) {
    this.#it = it
  }

  /** The message itself. */
  isIt({ topic, partition, offset }: TopicPartition & { readonly offset: number }): boolean {
    const it = this.#it
    return topic === it.topic && partition === it.partition && offset === it.offset
  }

  /** What is sent to the topic of the message itself is not handled. */
  readonly only: Middleware = async (messages, _, next) => {
    if (!messages.every((message) => this.isIt(message))) throw new Discard('it is not the message that is handled')
    try {
      await next()
    } catch (error) {
      this.error = error
      if (!(error instanceof Unavailable || error instanceof RetryLater)) throw error
      // Enough is known: the next attempt is not waited for.
      this.outcome = 'tried-again'
    }
  }

  sends(context: HandlerContext): HandlerContext & Pick<HandlerCall, 'work'> {
    return {
      get work() {
        return (context as HandlerCall).work
      },
      get signal() {
        return context.signal
      },
      get attempt() {
        return context.attempt
      },
      get deadline() {
        return context.deadline
      },
      get order() {
        return context.order
      },
      send: (topic, value, options) => {
        this.topics.add(topic as Topic)
        return context.send(topic, value, options)
      },
    }
  }
}

/** A producer finds every topic that it looks for. */
function withTopics(cluster: MemoryCluster): ReturnType<typeof memory> {
  const driver = memory({ cluster })
  return {
    ...driver,
    createProducer: (settings) => {
      const producer = driver.createProducer(settings)
      const loadTopic: DriverProducer['loadTopic'] = (topic, deadline) => {
        if (cluster.partitionCount(topic) === 0) cluster.createTopic(topic)
        return producer.loadTopic(topic, deadline)
      }
      return {
        loadTopic,
        connect: (deadline) => producer.connect(deadline),
        partitionCount: (topic) => producer.partitionCount(topic),
        produce: (batch, deadline) => producer.produce(batch, deadline),
        close: () => producer.close(),
      }
    },
  }
}
