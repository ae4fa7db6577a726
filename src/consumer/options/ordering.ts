import type { KnownEnd } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Clock } from '../../runtime/clock.js'
import type { Telemetry } from '../../telemetry/guard.js'
import type { Handling } from '../handling/at-least-once.js'
import type { FailureClass } from '../handling/failure-class.js'
import type { Outages } from '../handling/outages.js'
import type { Inflow, Supply } from '../intake/inflow.js'
import type { Mark } from '../partition/back-pressure.js'
import type { OrderFacts } from '../partition/order-facts.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

/** What an ordering is given. */
export interface OrderingParts {
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** Most messages of one delivery; `null` delivers one message at a time. */
  readonly batchMessages: number | null
  /** Bounds of what waits as it was fetched, shared by the partitions. */
  readonly marks: { readonly high: Mark; readonly low: Mark }
  readonly handlerTimeoutMs: number
  /** What what was thrown is for the consumer. Never throws. */
  readonly classOf: (thrown: unknown) => FailureClass
  readonly outages: Pick<Outages, 'probed' | 'endedBy' | 'forget'>
  readonly endOf: (partition: TopicPartition) => KnownEnd | null
  /** Brokers say that the topic, which was there, is there no more. */
  readonly isDeleted: (topic: string) => boolean
  /** The consumer cannot go on. */
  readonly onFailed: (error: TidemarkError) => void
}

/** Puts the records of all partitions of a consumer in one order before they are handled. Docs: docs/guides/event-time.md. */
export interface Ordering {
  /** The way in of one partition behind its inflow, which delivers one message at a time. */
  supplyOf(partition: OwnedPartition, inflow: Inflow): Supply
  /** What is done with late records, around what is done with all. */
  around(handling: Handling): Handling
  facts(): OrderFacts
  /** Before a stop: lets what is kept be handled, until `deadline`. Never rejects. */
  drain(deadline: number): Promise<void>
  /** No timer is left. */
  close(): void
}

export type OrderingFactory = (parts: OrderingParts) => Ordering
