import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { FindCoordinatorRequest } from '../../connection/requests/groups.js'
import type { ClientContext } from './client-context.js'

type LineContext = ClientContext<{ readonly requestTimeoutMs: number }>

/** The way to the coordinator of one group or transactional id. A coordinator that does not answer is looked up again. */
export class CoordinatorLine {
  readonly key: string
  readonly #keyType: FindCoordinatorRequest['keyType']
  readonly #context: LineContext

  constructor(context: LineContext, key: string, keyType: FindCoordinatorRequest['keyType'] = 'group') {
    this.#context = context
    this.key = key
    this.#keyType = keyType
  }

  /** When one attempt is over that may take a request's time, and no longer than until `deadline`. */
  attemptUntil(deadline: number): number {
    const { runtime, settings } = this.#context
    return Math.min(deadline, runtime.clock.now() + settings.requestTimeoutMs)
  }

  /** The node, as known or looked up for at most a request's time. */
  async find(deadline: number, signal?: AbortSignal): Promise<number> {
    return this.#context.cluster.coordinator(this.key, this.#keyType, this.attemptUntil(deadline), signal)
  }

  /** One attempt at `node`, as it was found. */
  async askAt<R extends Request>(
    node: number,
    request: R,
    deadline: number,
    signal?: AbortSignal,
    lane: 'group' | 'join' = 'group',
  ): Promise<AnswerTo<R>> {
    try {
      return await this.#context.cluster.connection.request(node, lane, request, deadline, signal)
    } catch (failure) {
      const wasAborted = failure instanceof RequestError && failure.failure === 'aborted'
      if (!wasAborted) this.lost()
      throw failure
    }
  }

  async ask<R extends Request>(request: R, deadline: number, signal?: AbortSignal): Promise<AnswerTo<R>> {
    return this.askAt(await this.find(deadline, signal), request, deadline, signal)
  }

  /** As `ask`, for what brokers keep waiting: it holds up no heartbeat and no commit. */
  async askPatiently<R extends Request>(request: R, deadline: number, signal?: AbortSignal): Promise<AnswerTo<R>> {
    return this.askAt(await this.find(deadline, signal), request, deadline, signal, 'join')
  }

  /** The coordinator is another one now, or nobody knows which. */
  lost(): void {
    this.#context.cluster.forgetCoordinator(this.key, this.#keyType)
  }
}
