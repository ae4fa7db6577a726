import { boundedOutOfOrderness, type EventOrder, type ReorderOptions } from '../../src/event-time.js'
import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import type { OrderFacts } from '../../src/consumer/partition/order-facts.js'
import type { Message } from '../../src/message/message.js'
import type { Random } from '../../src/runtime/random.js'
import type { Coverage } from './coverage.js'
import type { Report } from './invariant.js'
import { isTimedOut, type Execution } from './tenures.js'

/** What a seed decides of the order of event time. */
export interface ReorderPlan {
  readonly boundMs: number
  readonly maxIdleMs: number
  readonly order: 'combined' | 'partition'
  readonly lateness: 'combined' | 'partition'
  readonly onShutdown: 'discard' | 'drain'
}

export function reorderPlanOf(random: Random): ReorderPlan {
  const upTo = (most: number) => Math.floor(random.next() * most)
  return {
    boundMs: 20 + upTo(1_500),
    maxIdleMs: 100 + upTo(1_500),
    lateness: random.next() < 0.7 ? 'combined' : 'partition',
    onShutdown: random.next() < 0.7 ? 'discard' : 'drain',
    order: random.next() < 0.6 ? 'combined' : 'partition',
  }
}

export function reorderOptionsOf({ boundMs, maxIdleMs, ...rest }: ReorderPlan): ReorderOptions {
  return { watermark: boundedOutOfOrderness(boundMs).withIdleness({ maxIdleMs }), ...rest }
}

interface Started {
  readonly message: Message
  readonly order: EventOrder
}

/**
 * Watches that consumers with `reorder` handle in the order of event time, of all partitions or of each, one record or batch
 * after another, and nothing before its watermark.
 */
export class EventOrderWatch {
  readonly #last = new Map<string, Started>()

  constructor(
    private readonly order: ReorderPlan['order'],
    private readonly coverage: Coverage,
    private readonly report: Report,
  ) {}

  /**
   * @param running what the consumer is handling already
   * @param facts how its order stands; `null` when it has ended
   */
  starts(
    consumer: string,
    [message]: readonly Message[],
    { order }: HandlerContext,
    running: readonly Execution[],
    facts: OrderFacts | null,
  ): void {
    if (message === undefined) return
    const what = `${consumer} starts ${message.topic}-${message.partition}@${message.offset}`
    if (order === null) return this.report('with reorder a handler is told of the order', what)
    for (const other of running) {
      if (isTimedOut(other) || other.context.signal.aborted) continue
      this.report('with reorder handlers run one at a time', `${what} beside ${other.partition}@${other.offset}`)
    }
    if (order.late !== null) return this.coverage.met('late in event time')
    const isByPartition = this.order === 'partition'
    this.coverage.met(isByPartition ? 'in event-time order of its partition' : 'in event-time order')
    // Another attempt may come when another order has begun.
    if (facts !== null && facts.epoch === order.epoch && !order.forced) {
      const watermark = facts.watermark ?? -Infinity
      if (order.timestamp > watermark) this.report('nothing in time is handled before its watermark', what)
    }
    const key = `${consumer}/${order.epoch}${isByPartition ? `/${message.topic}-${message.partition}` : ''}`
    const before = this.#last.get(key)
    if (before === undefined) this.coverage.met('an epoch of event time begins')
    else if (compare(before, { message, order }) > 0) {
      const last = before.message
      this.report('event-time order within an epoch', `${what} after ${last.topic}-${last.partition}@${last.offset}`)
    }
    this.#last.set(key, { message, order })
  }
}

/** Another attempt at the same record is no disorder. */
function compare(one: Started, other: Started): number {
  const byTopic = one.message.topic < other.message.topic ? -1 : Number(one.message.topic > other.message.topic)
  return (
    one.order.timestamp - other.order.timestamp ||
    byTopic ||
    one.message.partition - other.message.partition ||
    one.message.offset - other.message.offset
  )
}
