import type { Driver } from '../../driver/driver.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Telemetry } from '../../telemetry/guard.js'
import type { DeliveryFactory } from '../handling/at-least-once.js'
import type { DeadLetterPolicy, DeadLetterRoute } from '../handling/failed-record.js'
import type { ContextSend } from '../handling/handler.js'
import type { Outputs } from '../handling/outputs.js'
import type { Stage } from '../intake/stage.js'
import type { LedgerFactory } from '../settling/ledger.js'
import type { OrderingFactory } from './ordering.js'
import type { DelayTopics } from './delay-topics.js'

/** What a consumer is connected to. */
export interface ConsumerDependencies extends Telemetry {
  readonly driver: Pick<Driver, 'createConsumer' | 'runtime'>
  readonly clientId: string
  /** Between decoding and handling, one for each partition that is taken; `null`: records are handled as they come. */
  readonly stage: ((partition: TopicPartition) => Stage) | null
  /** One order for the records of all partitions; by default each partition has its own. */
  readonly ordering?: OrderingFactory | undefined
  /** Where what failed in place waits to be tried again later. By default nowhere. */
  readonly delayTopics?: DelayTopics | undefined
  /** Topics that it writes what it read to: no pattern of it matches them. By default none. */
  readonly writes?: readonly string[] | undefined
  /** Where failed records go; `null`: their partition stops. */
  readonly deadLetter: DeadLetterRoute | null
  /** By default however many there are, and the partition goes on. */
  readonly deadLetterPolicy?: DeadLetterPolicy | undefined
  readonly send: ContextSend
  /** Where what handlers send goes. By default it is sent at once, with `send`. */
  readonly outputs?: Outputs | undefined
  /** Awaited before the consumer joins; a rejection ends its start. Not awaited, and to be quiet, once the signal has aborted. */
  readonly beforeStart?: ((signal: AbortSignal) => Promise<void>) | undefined
  /** It was told to stop, and is at its end. */
  readonly onStopped?: (() => void) | undefined
  /** Resolves when the close of what the consumer belongs to has ended, at once when none is under way. Never rejects. */
  readonly closing?: (() => Promise<void>) | undefined
  /** Where it is kept what is done. By default the group's committed offsets; without a group nowhere. */
  readonly ledger?: LedgerFactory | undefined
  /** How deliveries go through their handler. By default at least once. */
  readonly delivery?: DeliveryFactory | undefined
  /** The first offset at or after a time (ms since the Unix epoch), or the end of the partition. */
  readonly offsetAt: (partition: TopicPartition, timestampMs: number) => Promise<number>
}
