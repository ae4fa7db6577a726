import type { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import { onAbort } from '../../runtime/on-abort.js'
import { StateMachine } from '../../runtime/state-machine.js'
import type { EncodedBatch } from '../../wire/record-batch-encoder.js'

/** `answered`: its answer is here and being read; no deadline can change its fate any more. */
const moves = {
  encoding: ['queued', 'settled'],
  queued: ['written', 'settled'],
  written: ['answered', 'settled'],
  answered: ['settled'],
  settled: [],
} as const satisfies Record<string, readonly string[]>
type State = keyof typeof moves

export interface PendingRequestParts<R extends Request> {
  readonly request: R
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  readonly clock: Clock
  readonly resolve: (answer: AnswerTo<R>) => void
  readonly reject: (error: RequestError) => void
  /** Called at the deadline or abort, once, unless it was answered before. */
  readonly onGivenUp: (pending: PendingRequest, why: 'timed-out' | 'aborted') => void
}

/** One request from the call to its last word. Settles once; what comes later is ignored. */
export class PendingRequest<R extends Request = Request> {
  readonly request: R
  readonly deadline: number
  /** Bytes of its record batches once they are encoded. */
  batches: readonly EncodedBatch[] = []
  correlationId = -1
  readonly #machine: StateMachine<State>
  readonly #parts: PendingRequestParts<R>
  readonly #timer: Timer
  readonly #stopListening: (() => void) | undefined

  constructor(parts: PendingRequestParts<R>) {
    this.request = parts.request
    this.deadline = parts.deadline
    this.#parts = parts
    this.#machine = new StateMachine<State>(`a ${parts.request.api} request`, 'encoding', moves)
    this.#timer = parts.clock.setTimer(
      Math.max(0, parts.deadline - parts.clock.now()),
      // Pending I/O first: it may have been this process that stood still, and the answer is here.
      () => parts.clock.defer(() => this.#giveUp('timed-out')),
    )
    this.#stopListening = parts.signal && onAbort(parts.signal, () => this.#giveUp('aborted'))
  }

  /** Its bytes went to the socket, whatever became of it. */
  get isWritten(): boolean {
    return this.correlationId !== -1
  }

  get state(): State {
    return this.#machine.current
  }

  encoded(batches: readonly EncodedBatch[]): void {
    if (this.#machine.is('settled')) return
    this.batches = batches
    this.#machine.to('queued')
  }

  wasWritten(correlationId: number): void {
    this.correlationId = correlationId
    this.#machine.to('written')
  }

  wasAnswered(): void {
    if (this.#machine.is('settled')) return
    this.#machine.to('answered')
    this.#disarm()
  }

  succeed(answer: AnswerTo<R>): void {
    if (this.#settle()) this.#parts.resolve(answer)
  }

  fail(error: RequestError): void {
    if (this.#settle()) this.#parts.reject(error)
  }

  #settle(): boolean {
    if (this.#machine.is('settled')) return false
    this.#machine.to('settled')
    this.#disarm()
    return true
  }

  #disarm(): void {
    this.#timer.cancel()
    this.#stopListening?.()
  }

  #giveUp(why: 'timed-out' | 'aborted'): void {
    // As in the lane: whoever hears of it asks nothing of its answer.
    if (!this.#machine.is('answered', 'settled')) this.#parts.onGivenUp(this as unknown as PendingRequest, why)
  }
}
