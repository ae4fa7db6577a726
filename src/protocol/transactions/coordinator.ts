import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import { DriverError, type TidemarkError } from '../../errors.js'
import { exponential } from '../../runtime/backoff.js'
import { pause } from '../../runtime/pause.js'
import type { ClientContext } from '../cluster/client-context.js'
import { CoordinatorLine } from '../cluster/coordinator-line.js'

export type TransactionContext = ClientContext<{ readonly requestTimeoutMs: number }>

/** What one attempt brought. */
export type Asked<R extends Request> =
  | { readonly kind: 'answered'; readonly answer: AnswerTo<R> }
  | {
      readonly kind: 'unanswered'
      readonly problem: TidemarkError
      /** Whether the broker may have carried it out. */
      readonly sent: 'never' | 'maybe'
      /** Asking again cannot help. */
      readonly isFinal: boolean
    }

/** Markers are written within some milliseconds, so the first repeats come soon. */
const betweenAsks = exponential({ initialMs: 4, maxMs: 1_000 })

/** Asks the coordinator of one key, attempt by attempt. Never rejects. */
export class Coordinator {
  readonly #line: CoordinatorLine
  readonly #context: TransactionContext
  readonly #closed: AbortSignal

  constructor(context: TransactionContext, key: string, keyType: 'group' | 'transaction', closed: AbortSignal) {
    this.#line = new CoordinatorLine(context, key, keyType)
    this.#context = context
    this.#closed = closed
  }

  get key(): string {
    return this.#line.key
  }

  async ask<R extends Request>(request: R, deadline: number): Promise<Asked<R>> {
    try {
      const node = await this.#line.find(deadline, this.#closed)
      const attemptDeadline = this.#line.attemptUntil(deadline)
      return { kind: 'answered', answer: await this.#line.askAt(node, request, attemptDeadline, this.#closed) }
    } catch (failure) {
      return { kind: 'unanswered', ...asProblem(failure, request.api, this.#closed) }
    }
  }

  lost(): void {
    this.#line.lost()
  }

  /** Rests before the next attempt; false when there is no time for one, or nobody is left to ask for. */
  async rest(attempt: number, deadline: number): Promise<boolean> {
    const { clock, random } = this.#context.runtime
    const pauseMs = betweenAsks(attempt, random)
    if (this.#closed.aborted || clock.now() + pauseMs >= deadline) return false
    await pause(clock, pauseMs, this.#closed)
    return !this.#closed.aborted
  }
}

function asProblem(failure: unknown, api: string, closed: AbortSignal) {
  if (failure instanceof RequestError) {
    return { problem: failure, sent: failure.sent, isFinal: failure.isFinal || failure.failure === 'closed' }
  }
  const isOurs = failure instanceof Error && 'retriable' in failure
  const problem = isOurs
    ? (failure as TidemarkError)
    : new DriverError('request-failed', `${api} failed: ${String(failure)}`, { cause: failure, retriable: true })
  // Nobody but the look-up of the coordinator ends so, which sends nothing of the request.
  return {
    problem,
    sent: isOurs ? ('never' as const) : ('maybe' as const),
    isFinal: closed.aborted || !problem.retriable,
  }
}
