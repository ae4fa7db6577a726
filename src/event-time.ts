export type { EventOrder } from './consumer/partition/event-order.js'
export type { OrderFacts } from './consumer/partition/order-facts.js'
export { lateHeader } from './reorder/late-records.js'
export type { LatePolicy, OnWatermark, ReorderOptions } from './reorder/reorder-options.js'
export type { Lateness, OrderScope } from './reorder/reorder-limits.js'
export type { WatermarkGenerator } from './reorder/watermark-generator.js'
export {
  adaptiveSlack,
  boundedOutOfOrderness,
  monotonousTimestamps,
  watermarksBy,
  type FutureTimestamp,
  type InvalidTimestamp,
  type WatermarkStrategy,
} from './reorder/watermark-strategy.js'
export {
  slidingWindows,
  tumblingWindows,
  type Aggregate,
  type ClosedWindow,
  type SlidingOptions,
  type TumblingOptions,
  type Windows,
} from './reorder/windows.js'
