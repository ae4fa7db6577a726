import type { Throttled, WithError } from './answer.js'

export interface InitProducerIdRequest {
  readonly api: 'initProducerId'
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  /**
   * With an id and epoch the broker compares: it gives the next epoch to who still is the owner, and refuses who is not.
   * Both -1: whoever asks becomes the owner. Brokers from Kafka 2.5 on.
   */
  readonly producerId: number
  readonly producerEpoch: number
}
export interface InitProducerIdAnswer extends Throttled, WithError {
  readonly producerId: number
  readonly producerEpoch: number
}
