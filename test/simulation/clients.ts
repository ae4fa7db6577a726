import { defineProfile } from '../../src/config/define-profile.js'
import type { SeekTarget } from '../../src/consumer/consumer.js'
import type { Batch } from '../../src/consumer/handling/batch.js'
import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import type { OnAssigned, OnRevoked } from '../../src/consumer/options/consumer-options.js'
import type { DedupeStore } from '../../src/dedupe/dedupe-store.js'
import type { OrderFacts } from '../../src/consumer/partition/order-facts.js'
import type { DrainReport } from '../../src/telemetry/drain-report.js'
import type { Driver } from '../../src/driver/driver.js'
import type { TidemarkError } from '../../src/errors.js'
import type { Message } from '../../src/message/message.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import { createMessaging, type Messaging } from '../../src/messaging.js'
import type { Producer } from '../../src/producer/producer.js'
import { string } from '../../src/serde/string.js'
import { silentLogger, type Logger } from '../../src/telemetry/logger.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import type { ClientEvent } from '../../src/telemetry/events.js'
import type { Topic } from '../../src/topic/topic.js'
import type { ForeignCode } from './foreign-code.js'
import { reorderOptionsOf } from './event-order.js'
import { racks, type Plan } from './plan.js'

export const deadLetters = 'dead-letters'

export function topicNamed(name: string): Topic<string> {
  return defineTopic({ name, value: string() })
}

export function makeProducer(
  driver: Driver,
  clientId: string,
  plan: Plan,
  foreign: ForeignCode,
): { messaging: Messaging; producer: Producer } {
  const messaging = messagingOf(driver, clientId, plan, foreign)
  const producer = messaging.producer({
    requestTimeoutMs: plan.requestTimeoutMs,
    maxBlockMs: plan.deliveryTimeoutMs,
    batchBytes: plan.batchBytes,
    lingerMs: plan.lingerMs,
  })
  return { messaging, producer }
}

export interface ConsumerCallbacks {
  /** One message, or a batch of one partition. */
  handle(messages: readonly Message<string>[], context: HandlerContext): void | Promise<void>
  dedupe: DedupeStore | undefined
  drained(report: DrainReport): void
  /** What is waited for before partitions start, and where some of them do. */
  onAssigned: OnAssigned
  onRevoked: OnRevoked
  /** A loop has failed or settled a batch, or could not. */
  looped(what: string): void
  partitionStopped(partition: TopicPartition, error: TidemarkError): void
  failed(error: TidemarkError): void
  /** What happens to it. */
  heard(event: ClientEvent): void
  /** What it warns of. */
  warned(fields: object, message: string): void
}

export interface RunningConsumer {
  start(): Promise<void>
  stop(): Promise<void>
  facts(): { readonly late: number; readonly order: OrderFacts | null }
  assignment(): readonly TopicPartition[]
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  seek(topic: string, partition: number, target: SeekTarget): Promise<void>
  restart(topic: string, partition: number): Promise<void>
  position(topic: string, partition: number): number
}

export function makeConsumer(
  driver: Driver,
  clientId: string,
  {
    group,
    instanceId,
    born,
  }: { readonly group: string | null; readonly instanceId: string | null; readonly born: number },
  plan: Plan,
  foreign: ForeignCode,
  callbacks: ConsumerCallbacks,
): RunningConsumer {
  const warn = (fields: object, message: string) => {
    callbacks.warned(fields, message)
    // One of them, since each tells on standard error that its logger failed.
    return clientId === 'c1' ? foreign.end('logger') : undefined
  }
  const heard = (event: ClientEvent) => callbacks.heard(event)
  const messaging = messagingOf(driver, clientId, plan, foreign, { ...silentLogger, warn }, heard)
  const consumer = messaging.consumer({
    group,
    groupInstanceId: instanceId,
    ...membershipOf(plan, group, born),
    onOutOfRange: plan.onOutOfRange,
    handlerTimeoutMs: plan.handlerTimeoutMs,
    drainMs: plan.drainMs,
    topics: plan.topics.map(({ name }) => topicNamed(name)),
    order: plan.order,
    reorder: plan.reorder === null ? undefined : reorderOptionsOf(plan.reorder),
    retry: plan.retry,
    retryLater: plan.delays === null ? undefined : { delays: [...plan.delays.delaysMs], order: plan.delays.order },
    outage: { decideAfterMs: plan.decideAfterMs },
    ...handlerOf(plan, callbacks),
    dedupe: callbacks.dedupe,
    concurrency: plan.concurrency,
    commit: plan.commit === 'confirmed' && group === null ? undefined : plan.commit,
    ...(plan.hooks ? { onAssigned: callbacks.onAssigned, onRevoked: callbacks.onRevoked, hookTimeoutMs: 1_000 } : {}),
    isolation: plan.isolation,
    rebalanceTimeoutMs: plan.rebalanceTimeoutMs,
    requestTimeoutMs: plan.requestTimeoutMs,
    metadataMaxAgeMs: plan.metadataMaxAgeMs,
    rackId: plan.isNearby ? racks[born % racks.length] : undefined,
    highMark: { records: plan.highMarkRecords },
    lowMark: { records: Math.ceil(plan.highMarkRecords / 2) },
    fetch: { maxWaitMs: plan.fetchMaxWaitMs, partitionMaxBytes: plan.partitionMaxBytes },
    ...(plan.failing === 'stop' ? {} : { deadLetter: { topic: deadLetters, ...lettersOf(plan) } }),
    onDrained: (report) => {
      callbacks.drained(report)
      return foreign.end('listener')
    },
    onPartitionStopped: (partition, error) => {
      callbacks.partitionStopped(partition, error)
      return foreign.end('listener')
    },
    onFailed: (error) => {
      callbacks.failed(error)
      return foreign.end('listener')
    },
  })
  return {
    start: async () => {
      const started = consumer.start({ timeoutMs: 15_000 })
      for (let loop = 0; loop < plan.loops; loop += 1) void runLoop(consumer.batches(), group === null, callbacks)
      await started
    },
    stop: async () => messaging.close({ timeoutMs: 20_000 }),
    facts: () => consumer.facts(),
    assignment: () => consumer.assignment(),
    pause: (partitions) => consumer.pause(partitions),
    resume: (partitions) => consumer.resume(partitions),
    seek: async (topic, partition, target) => consumer.seek(topic, partition, target),
    restart: async (topic, partition) => consumer.restart(topic, partition),
    position: (topic, partition) => consumer.position(topic, partition),
  }
}

/** Where the coordinator divides, it decides these too. */
function membershipOf(plan: Plan, group: string | null, born: number) {
  const { groupProtocol, assignors, sessionTimeoutMs, heartbeatIntervalMs } = plan
  if (groupProtocol === 'consumer' && group !== null) return { groupProtocol }
  return { assignors: assignors[born % assignors.length], sessionTimeoutMs, heartbeatIntervalMs }
}

/** Without a ratio, since of few records it says nothing. */
function lettersOf({ breaker, afterwards }: Plan) {
  const limits = breaker === false ? false : { ratio: 1, minRecords: 1_000_000, consecutive: breaker.consecutive }
  return { breaker: limits, afterwards } as const
}

function handlerOf({ handling, loops, batchMessages }: Plan, { handle }: ConsumerCallbacks) {
  if (loops > 0) return { loop: true as const, batchMessages }
  if (handling === 'batch')
    return {
      handleBatch: (messages: readonly Message<string>[], context: HandlerContext) => handle(messages, context),
      batchMessages,
    }
  return { handle: (message: Message<string>, context: HandlerContext) => handle([message], context) }
}

/** Half of the batches are committed, the others are done; without a group all are. */
async function runLoop(
  batches: AsyncIterable<Batch<string>>,
  isLone: boolean,
  { handle, looped }: ConsumerCallbacks,
): Promise<void> {
  let count = 0
  try {
    for await (const batch of batches) {
      count += 1
      try {
        await handle(batch.messages, batch)
      } catch (error) {
        looped('a loop fails a batch')
        batch.fail(error)
        continue
      }
      if (isLone || count % 2 === 0) batch.done()
      else {
        const committed = batch.commit({ timeoutMs: 3_000 }).then(
          () => 'a batch is confirmed',
          (error: TidemarkError) => `a batch is not confirmed: ${error.code}`,
        )
        looped(await committed)
      }
    }
    looped('a loop ends')
  } catch (error) {
    looped(`a loop ends with ${(error as TidemarkError).code}`)
  }
}

function messagingOf(
  driver: Driver,
  clientId: string,
  plan: Plan,
  foreign: ForeignCode,
  logger: Logger = silentLogger,
  onEvent?: (event: ClientEvent) => void,
): Messaging {
  const profile = defineProfile(plan.profile, { deliveryTimeoutMs: plan.deliveryTimeoutMs })
  const measured = () => foreign.end('metrics')
  const metrics = foreign.isSound ? {} : { metrics: { count: measured, gauge: measured, observe: measured } }
  return createMessaging({ driver, clientId, profile, logger, onEvent, ...metrics })
}
