import type { OrderingParts } from '../consumer/options/ordering.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { HandlerError, type TidemarkError } from '../errors.js'
import { thrownName } from '../runtime/thrown.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { OnWatermark } from './reorder-options.js'

/** `unheard`: the order began anew before a call ended well, or the consumer has ended. */
export type Told = 'told' | 'unheard' | TidemarkError

interface Failure {
  /** It has not ended in time, and may run still. */
  readonly isLate: boolean
  readonly error: unknown
}

/** The order that watermarks are of. */
interface Order {
  /** One of those that wait for the calls. */
  readonly first: () => OwnedPartition | null
  readonly epoch: () => number
}

type Parts = Pick<OrderingParts, 'clock' | 'handlerTimeoutMs' | 'classOf' | 'outages'>

/**
 * Calls what the user does at a watermark: as a handler is, with respect to what is not available.
 *
 * | a call                                         | then |
 * |------------------------------------------------|------|
 * | ends well                                      | the watermark is told, and an outage that it was in is over |
 * | throws what is `unavailable`                   | one of the partitions is in outage, and nothing of any begins: its next probe is the same call again |
 * | fails, or waits, and the order begins anew, as a partition comes, goes or stops | it is not made again, and its outage is forgotten: of what comes now not all up to then was handled. The watermark of the new order is told, by whoever has the partitions |
 * | waits, and the watermark goes on               | the same watermark is told, and then the next |
 * | waits, and the consumer ends                   | it is not made again |
 * | throws something else, at once or after a wait | the consumer fails |
 * | takes longer than `handlerTimeoutMs`, each for itself | the consumer fails, whatever `classify` says: it may run still |
 */
export class WatermarkCalls {
  readonly #parts: Parts
  readonly #onWatermark: OnWatermark
  readonly #order: Order

  constructor(onWatermark: OnWatermark, parts: Parts, order: Order) {
    this.#onWatermark = onWatermark
    this.#parts = parts
    this.#order = order
  }

  /** Never rejects. @param ends aborts when it is waited for no longer */
  async tell(watermark: number, epoch: number, ends: AbortController): Promise<Told> {
    let held: OwnedPartition | null = null
    for (;;) {
      const failure = await this.#call(watermark, epoch, ends.signal)
      if (failure === null) {
        if (held !== null) this.#parts.outages.endedBy(held)
        return 'told'
      }
      if (ends.signal.aborted) return 'unheard'
      if (!this.#mayWait(failure)) {
        ends.abort(failure.error)
        return failed(failure.error)
      }
      held = await this.#wait(epoch, failure.error, ends.signal)
      if (held === null) return 'unheard'
    }
  }

  /** Until it is to be called again: by then the partition is in outage. `null`: it is not. */
  async #wait(epoch: number, error: unknown, signal: AbortSignal): Promise<OwnedPartition | null> {
    const { outages } = this.#parts
    const isOver = () => signal.aborted || this.#order.epoch() !== epoch
    const held = this.#order.first()
    if (held === null) return null
    if (!isOver()) await outages.probed(held, error)
    if (!isOver()) return held
    outages.forget(held)
    return null
  }

  /** `null`: it ended well. */
  async #call(watermark: number, epoch: number, signal: AbortSignal): Promise<Failure | null> {
    const { clock, handlerTimeoutMs } = this.#parts
    const onLate = (): Failure => ({ isLate: true, error: new Error('it took too long') })
    try {
      // Not in the middle of what led here.
      await Promise.resolve()
      const told = Promise.resolve(this.#onWatermark(watermark, { epoch, signal })).then(() => null)
      return await withinDeadline(told, { clock, deadline: clock.now() + handlerTimeoutMs, signal, onLate })
    } catch (error) {
      return { isLate: false, error }
    }
  }

  #mayWait({ isLate, error }: Failure): boolean {
    return !isLate && this.#parts.classOf(error) === 'unavailable'
  }
}

function failed(cause: unknown): HandlerError {
  return new HandlerError(
    'watermark-callback-failed',
    `onWatermark threw ${thrownName(cause)}, or took longer than handlerTimeoutMs, so nothing later may be handled; mend it`,
    { cause },
  )
}
