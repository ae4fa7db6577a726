import { SendError } from '../errors.js'
import type { MemoryWaiter } from './buffer-memory.js'
import { keptWaiting, type Placement, type Submission } from './placement.js'
import { memoryBytes } from './record-size.js'

/** One send that found the buffer full. */
export class WaitingSend implements MemoryWaiter {
  readonly bytes: number
  readonly #submission: Submission
  readonly #placement: Placement

  constructor(submission: Submission, placement: Placement) {
    this.#submission = keptWaiting(submission)
    this.#placement = placement
    this.bytes = memoryBytes(submission.sizeBytes)
  }

  enter(): 'done' {
    this.#placement.placeFromLine(this.#submission)
    return 'done'
  }

  turnedAway(reason: 'too-long' | 'closed'): void {
    const { topic, sink, slot } = this.#submission
    sink.failed(slot, reason === 'closed' ? closedUnsent(topic.name) : bufferFull(topic.name, 'for maxBlockMs'))
  }
}

export function bufferFull(topic: string, how: string): SendError {
  return new SendError(
    'buffer-full',
    'not-stored',
    `a record for topic ${topic} found the producer's buffer full ${how}; await earlier sends before more, or raise bufferBytes or maxBlockMs`,
    { topic, retriable: true },
  )
}

export function closedUnsent(topic: string, partition?: number): SendError {
  return new SendError('closed', 'not-stored', `a record for topic ${topic} was not sent before the producer closed`, {
    topic,
    partition,
  })
}
