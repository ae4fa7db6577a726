import { tdHeader } from '../../message/headers.js'
import { wallTimeOf } from '../../runtime/clock.js'
import type { CallMark, EndListener } from '../../runtime/callers.js'
import { Linked } from '../../runtime/linked-set.js'
import { isError } from '../../runtime/thrown.js'
import { isHandedOn } from '../../topic/own-headers.js'
import type { EventOrder } from '../partition/event-order.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Work } from '../partition/work.js'
import { ContextSends, type CallGround } from './context-sends.js'
import { BatchFailure, Discard } from './fate.js'
import { lazyFailure } from './lazy-result.js'
import type { ContextSend, HandlerContext } from './handler.js'
import type { Output } from './outputs.js'

/** The handler threw, a send of its failed unseen, or it did not end in time. */
export interface HandlerFailure {
  readonly error: unknown
}

/** Told once: with `null` when the handler and its sends ended in time and well. */
export interface CallListener {
  settled(call: HandlerCall, failure: HandlerFailure | null): void
}

/**
 * One call of the handler. It is made for every record: what can be worked out is no field, and the abort controller and
 * the sends are made only when somebody asks for them.
 */
export class HandlerCall extends Linked<HandlerCall> implements HandlerContext, EndListener {
  readonly #work: Work
  #attempt: number | null = null
  readonly #ground: CallGround
  #sends: ContextSends | null = null
  #controller: AbortController | null = null
  #abortReason: Error | null = null
  #end: 'open' | 'cancelled' | 'expired' = 'open'
  #listener: CallListener | null = null
  #hasEnded = false
  #isGivenUp = false
  #onEnded: (() => void) | null = null

  constructor(
    work: Work,
    readonly startedAt: number,
    ground: CallGround,
  ) {
    super()
    this.#work = work
    this.#ground = ground
  }

  get work(): Work {
    return this.#work
  }

  /** Its result no longer counts: it was cancelled, or its time is over. */
  get hasAborted(): boolean {
    return this.#end !== 'open'
  }

  get partition(): OwnedPartition {
    return this.#work.partition
  }

  /** When its time is over; `deadline` tells it to handlers as wall time. */
  get endsAt(): number {
    return this.startedAt + this.#ground.handlerTimeoutMs
  }

  get attempt(): number {
    this.#attempt ??= attemptOf(this.#work)
    return this.#attempt
  }

  get deadline(): number {
    return wallTimeOf(this.#ground.clock, this.endsAt)
  }

  get order(): EventOrder | null {
    return this.#work.eventOrder
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  get send(): ContextSend {
    if (this.#sends === null) {
      this.#sends = new ContextSends(this.#ground)
      if (this.#hasEnded || this.#isGivenUp) this.#sends.close()
    }
    return this.#sends.send
  }

  /** It may have sent something, so its end is not enough. */
  get maySend(): boolean {
    return this.#sends !== null
  }

  /** What it sent and what waits for its success; `null`: nothing. */
  get held(): Output | null {
    const output = this.#sends?.output
    return output?.holds === true ? output : null
  }

  /** Told to end because its partition is given up: what it throws from now on is no failure of its record. */
  get isCancelled(): boolean {
    return this.#end === 'cancelled'
  }

  cancel(reason: Error): void {
    if (this.#end !== 'open') return
    this.#end = 'cancelled'
    this.#abort(reason)
  }

  /** The deadline passed: the call has failed, whatever its handler does from now on. */
  expire(error: Error): void {
    if (this.#end !== 'open') return
    this.#end = 'expired'
    this.#abort(error)
  }

  /** The handler ended at once and had sent nothing. */
  over(): void {
    this.#hasEnded = true
  }

  /** Middleware has its handler begin once more: what the calls before had sent unseen is sent again. */
  beginsAgain(): void {
    this.#sends?.forgetUnseen()
  }

  /** Its end is waited for no longer: the fate of its record is decided, so nothing of it is sent any more. */
  giveUp(): void {
    this.#isGivenUp = true
    this.#sends?.close()
    this.#settleOnce({ error: this.#abortReason })
  }

  /**
   * Tells the listener once the handler and all its sends have ended, or it is given up. No promise of its own, since this
   * is asked for every record whose handler is async. Calls the `then` of `handled` once: of what only looks like a promise,
   * each call may run it anew.
   */
  whenSettled(handled: PromiseLike<void>, mark: CallMark, listener: CallListener): void {
    this.#listener = listener
    mark.whenEnded(handled, this)
  }

  callEnded(failure: HandlerFailure | null, value: unknown): void {
    void this.#ended(failure ?? lazyFailure(value)) // never rejects
  }

  /** Resolves when the handler itself has ended, and its sends. */
  async whenEnded(): Promise<void> {
    if (!this.#hasEnded) await new Promise<void>((resolve) => (this.#onEnded = resolve))
  }

  /** Never throws. */
  #ended(failure: HandlerFailure | null): void | Promise<void> {
    if (this.#sends === null) return this.#conclude(failure)
    const unseen = this.#sends.whenEnded()
    if (unseen instanceof Promise) return unseen.then((later) => this.#conclude(withUnseen(failure, later)))
    this.#conclude(withUnseen(failure, unseen))
  }

  #conclude(failure: HandlerFailure | null): void {
    this.#hasEnded = true
    this.#onEnded?.()
    this.#settleOnce(this.#end === 'expired' ? { error: this.#abortReason } : failure)
  }

  /** Given up, it ends all the same later. */
  #settleOnce(failure: HandlerFailure | null): void {
    const listener = this.#listener
    this.#listener = null
    listener?.settled(this, failure)
  }

  #abort(reason: Error): void {
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }
}

/** Of the one that is under way, or begins. */
export function attemptOf(work: Work): number {
  return work.attempt + attemptsBefore(work)
}

/** Those of consumers before us, as a retry or a dead letter that was sent back tells. A batch has none in common. */
function attemptsBefore({ count, firstRecord: { headers }, partition: { topic } }: Work): number {
  if (count > 1) return 0
  if (headers.length === 0) return 0
  const told = headers.find(([name]) => name === tdHeader.attempt)?.[1]?.toString('latin1')
  return told !== undefined && /^\d{1,6}$/.test(told) && !isHandedOn(topic, headers) ? Number(told) : 0
}

/** What leaves records done does not while a send of theirs may be lost: then all of it has failed. */
function withUnseen(failure: HandlerFailure | null, unseen: Error | null): HandlerFailure | null {
  if (unseen === null) return failure
  return failure === null || leavesDone(failure.error) ? { error: unseen } : failure
}

function leavesDone(error: unknown): boolean {
  return isError(error) && (error instanceof BatchFailure || error instanceof Discard)
}
