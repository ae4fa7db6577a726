import type { ProcessSpan, Tracing } from '../../telemetry/tracing.js'
import type { Delivery } from '../partition/delivery.js'
import { isPending, type Settlement } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import { attemptOf } from './handler-call.js'

/**
 * A span for each attempt of each delivery: from its beginning until its end is known, dead letter and delay topic included,
 * with the handler and all that it waits for inside.
 *
 * | an attempt               | its span |
 * |--------------------------|----------|
 * | has one that nobody will see | is not ended |
 * | ends, in whatever way    | ends with it |
 * | has not when the consumer is at its end, since its handler goes on | ends then, `abandoned` |
 */
export class TracedDeliveries {
  readonly #tracing: Tracing
  readonly #open = new Map<Work, ProcessSpan>()
  /** What attempts under way failed with. */
  readonly #failures = new Map<Work, unknown>()
  /** Of the last attempt of what goes again; `null` as long as nothing ever did: not to look is cheaper for each record. */
  #before: WeakMap<Work, ProcessSpan> | null = null

  constructor(tracing: Tracing) {
    this.#tracing = tracing
  }

  around(inner: Delivery): Delivery {
    return { deliver: (work) => this.#deliver(work, inner) }
  }

  readonly failed = (work: Work, error: unknown): void => {
    if (this.#open.has(work)) this.#failures.set(work, error)
  }

  close(): void {
    for (const span of this.#open.values()) span.end({ outcome: 'abandoned' })
    this.#open.clear()
  }

  #deliver(work: Work, inner: Delivery): Settlement | PromiseLike<Settlement> {
    const { topic, partition } = work.partition
    const before = this.#before?.get(work) ?? this.#before?.get(work.inLane) ?? null
    const span = this.#tracing.process({ topic, partition, records: work.records, attempt: attemptOf(work), before })
    const isRecorded = span.isRecorded !== false
    if (isRecorded) this.#open.set(work, span)
    if (isRecorded && work.failure !== null) this.#failures.set(work, work.failure)
    const settlement = span.run(() => inner.deliver(work))
    const ended = (end: Settlement) => (isRecorded ? this.#ended(work, span, end) : end)
    // A promise of ours: what follows from the end, the next deliveries too, is outside of the span.
    return isPending(settlement) ? settlement.then(ended) : ended(settlement)
  }

  #ended(work: Work, span: ProcessSpan, settlement: Settlement): Settlement {
    const error = this.#failures.get(work) ?? (settlement.kind === 'stopped' ? settlement.by : undefined)
    this.#failures.delete(work)
    if (settlement.kind === 'again' || settlement.kind === 'split') {
      this.#before ??= new WeakMap()
      this.#before.set(work, span)
    }
    if (this.#open.delete(work)) span.end({ outcome: outcomeOf(settlement), error })
    return settlement
  }
}

function outcomeOf(settlement: Settlement): string {
  return settlement.kind === 'moved' ? settlement.to : settlement.kind
}
