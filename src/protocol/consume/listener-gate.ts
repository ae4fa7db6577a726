import type { AssignedPartition, ConsumerListener, FetchedRecords, PositionReset } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'

/** The listener until the consumer is closed, and nobody after; what breaks its promise never to throw is reported. */
export class ListenerGate implements ConsumerListener {
  #state: 'open' | 'closed' = 'open'
  readonly #listener: ConsumerListener
  readonly #onDefect: (defect: unknown) => void

  constructor(listener: ConsumerListener, onDefect: (defect: unknown) => void) {
    this.#listener = listener
    this.#onDefect = onDefect
  }

  close(): void {
    this.#state = 'closed'
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    await this.#guardAsync(async () => this.#listener.assigned(partitions))
  }

  async revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    await this.#guardAsync(async () => this.#listener.revoked(partitions, deadline))
  }

  /** Throws what the listener throws: the fetcher stops that partition. */
  records(fetched: FetchedRecords): void {
    if (this.#state === 'open') this.#listener.records(fetched)
  }

  reset(former: AssignedPartition, assigned: AssignedPartition, reset: PositionReset): void {
    this.#guard(() => this.#listener.reset(former, assigned, reset))
  }

  lost(partitions: readonly AssignedPartition[]): void {
    this.#guard(() => this.#listener.lost(partitions))
  }

  partitionFailed(partition: AssignedPartition, error: TidemarkError): void {
    this.#guard(() => this.#listener.partitionFailed(partition, error))
  }

  failed(error: TidemarkError): void {
    this.#guard(() => this.#listener.failed(error))
  }

  #guard(call: () => void): void {
    if (this.#state === 'closed') return
    try {
      call()
    } catch (defect) {
      this.#onDefect(defect)
    }
  }

  async #guardAsync(call: () => Promise<void>): Promise<void> {
    if (this.#state === 'closed') return
    try {
      await call()
    } catch (defect) {
      this.#onDefect(defect)
    }
  }
}
