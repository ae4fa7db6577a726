import { DriverError, StateError, TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'

export function withoutLoop(): StateError {
  const message =
    'batches was called on a consumer that has a handler; write loop: true instead of handle or handleBatch'
  return new StateError('no-loop', message)
}

export function startedBefore(state: string): StateError {
  return new StateError(
    'wrong-state',
    `start was called on a consumer that is ${state}; what has ended is not started again: make a new one`,
  )
}

export function asTidemarkError(cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause
  return new DriverError('start-failed', 'the consumer could not start', { cause })
}

export function noOffset(place: TopicPartition): DriverError {
  const message = `the driver found no offset for the time to seek in ${place.topic}-${place.partition}; seek an offset`
  return new DriverError('no-offset', message, place)
}
