import type { EventOrder } from '../consumer/partition/event-order.js'
import type { HandlerContext } from '../consumer/handling/handler.js'
import type { Message } from '../message/message.js'
import type { Lateness, OrderScope } from './reorder-limits.js'
import type { WatermarkStrategy } from './watermark-strategy.js'

/**
 * What becomes of records that come behind what was handed out already. `deliver` (default): the handler gets them, outside
 * the order, with `context.order.late`. `drop`: counted and done. `side-topic`: sent there as they are, done when that is
 * stored. `callback`: `onLate` in place of the handler, and everything that is said of handlers holds for it.
 */
export type LatePolicy =
  | { readonly policy: 'deliver' | 'drop' }
  | { readonly policy: 'side-topic'; readonly topic: string }
  | {
      readonly policy: 'callback'
      readonly onLate: (message: Message, context: HandlerContext) => void | Promise<void>
    }

/** Told that the watermark has moved, when all records up to it are done and before the next one is handed out. */
export type OnWatermark = (
  watermark: number,
  /** `signal` aborts when it is waited for no longer. */
  context: Pick<EventOrder, 'epoch'> & { readonly signal: AbortSignal },
) => void | Promise<void>

/** Records of a consumer in the order of event time. */
export interface ReorderOptions {
  /** When a time is over: `boundedOutOfOrderness(5_000)` and others of `tidemark/event-time`. No default: a bound is known or guessed, never neutral. */
  readonly watermark: WatermarkStrategy
  /**
   * `combined` (default): one order over all partitions. `partition`: each partition has its own, under the watermark of all:
   * nothing is handed out before its time has come, and then all that is due of a partition comes together, which makes
   * batches long. Records of other partitions may be later or earlier. Handlers run one at a time in both.
   */
  readonly order?: OrderScope | undefined
  /**
   * `combined` (default) calls late what is behind what was handed out; `partition` also what is behind its own partition's
   * watermark, so that what is late does not depend on how partitions were read.
   */
  readonly lateness?: Lateness | undefined
  readonly late?: LatePolicy | undefined
  readonly buffer?:
    | {
        /** Most records that are kept back. Default 100,000; at least 1,000. From half of it on partitions that are ahead are paused. */
        readonly maxRecords?: number | undefined
        /** Their keys and values with 400 bytes for each record. Default 128 MiB; at least 1 MiB. */
        readonly maxBytes?: number | undefined
        /** Of one partition; from so many on it is paused, unless it is the one that all others wait for. Default 20,000; at least 100. */
        readonly maxRecordsPerPartition?: number | undefined
        /** Most records of a partition from the first that is not done to the newest. Default 1,000,000; at least 1,000. */
        readonly maxUncommittedSpan?: number | undefined
        /**
         * When it is full although all that are ahead are paused: `emit-early` (default) lets the oldest go before the watermark
         * has come so far, counted as `forced`; `shut-down` fails the consumer.
         */
        readonly whenFull?: 'emit-early' | 'shut-down' | undefined
      }
    | undefined
  /**
   * At `stop`: `discard` (default) leaves what is kept back uncommitted, for whoever reads it next; `drain` lets it be handled
   * first, for at most half of the time of the stop.
   */
  readonly onShutdown?: 'discard' | 'drain' | undefined
  /**
   * For what is done at a time rather than at a record. Called again with the same watermark after a crash. Where it throws
   * `Unavailable`, or what `classify` calls so, it is called again until what is down is back, as a handler would be: nothing is
   * handled meanwhile, and a stop, or a new `epoch`, which has a watermark of its own, ends it. One that throws anything else, or takes
   * longer than `handlerTimeoutMs`, fails the consumer: nothing is handled as if it had ended.
   */
  readonly onWatermark?: OnWatermark | undefined
}

/** The options with all that was left out. */
export interface ResolvedReorder {
  readonly watermark: WatermarkStrategy
  readonly order: OrderScope
  readonly lateness: Lateness
  readonly late: LatePolicy
  readonly buffer: {
    readonly maxRecords: number
    readonly maxBytes: number
    readonly maxRecordsPerPartition: number
    readonly maxUncommittedSpan: number
    readonly whenFull: 'emit-early' | 'shut-down'
  }
  readonly onShutdown: 'discard' | 'drain'
  readonly onWatermark?: OnWatermark | undefined
}
