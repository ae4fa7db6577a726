import type { Throttled, WithError } from './answer.js'

export interface InitProducerIdRequest {
  readonly api: 'initProducerId'
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
}
export interface InitProducerIdAnswer extends Throttled, WithError {
  readonly producerId: number
  readonly producerEpoch: number
}
