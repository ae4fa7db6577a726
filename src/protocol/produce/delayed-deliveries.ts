import type { DriverError } from '../../errors.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'

/** The batches of one producer that had a problem and have not ended. That they are stored again is told when one was. */
export class DelayedDeliveries {
  readonly #telemetry: Telemetry
  readonly #batches = new Set<object>()
  #state: 'all-well' | 'delayed' = 'all-well'

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
  }

  met(batch: object, error: DriverError): void {
    this.#state = 'delayed'
    this.#batches.add(batch)
    tell(this.#telemetry, { kind: 'deliveries-delayed', batches: this.#batches.size, error })
  }

  /** Any batch of the producer. One that was given up says nothing of how the next will fare. */
  ended(batch: object, outcome: 'stored' | 'not-stored' | 'unknown'): void {
    if (this.#state === 'all-well') return
    this.#batches.delete(batch)
    if (outcome !== 'stored' || this.#batches.size > 0) return
    this.#state = 'all-well'
    tell(this.#telemetry, { kind: 'deliveries-resumed' })
  }
}
