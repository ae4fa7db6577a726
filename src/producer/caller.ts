import { SendError } from '../errors.js'

/** Frames of a call of `send`, not yet written out. */
export interface Caller {
  readonly stack?: string
}

/** Taking frames costs some microseconds, which a thousand times a second is nothing. */
const everyMs = 1

/**
 * A send fails when its caller is long gone, and where it is not awaited nothing else tells who called. So the frames of the
 * first send of each millisecond are kept while it is under way.
 */
export class Callers {
  #takenAt = -Infinity

  take(now: number): Caller | null {
    if (now - this.#takenAt < everyMs) return null
    this.#takenAt = now
    const caller: Caller = {}
    Error.captureStackTrace(caller, this.take)
    return caller
  }
}

/** The same error, of one send alone, with where it was called. */
export function toldToCaller(error: SendError, caller: Caller): SendError {
  if (error.constructor !== SendError) return error
  const { code, outcome, message, topic, partition, offset, cause, retriable } = error
  return withCaller(new SendError(code, outcome, message, { topic, partition, offset, cause, retriable }), caller)
}

/** Our own frames stay in its cause. */
export function withCaller<Failure extends SendError>(error: Failure, { stack = '' }: Caller): Failure {
  const frames = stack.indexOf('\n    at ')
  if (frames >= 0) error.stack = `${error.name}: ${error.message}${stack.slice(frames)}`
  return error
}
