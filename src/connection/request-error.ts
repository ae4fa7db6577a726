import { DriverError } from '../errors.js'

export type RequestFailure =
  | 'cannot-connect'
  | 'connection-lost'
  | 'timed-out'
  | 'unreadable-answer'
  | 'unknown-node'
  | 'closed'
  | 'aborted'
  | 'turned-away'
  | 'refused'
  | 'unsupported'

/**
 * A request without an answer. `sent: 'never'` means not one byte of it reached a socket, so it had no effect;
 * `'maybe'` means the broker may have carried it out. `turned-away`: this broker took the connection and refused it
 * (authentication, certificate), which says nothing about the others. `refused` and `unsupported` (every broker turned us
 * away, the configuration cannot be used, broker too old, record cannot be encoded) do not get better by trying again.
 */
export class RequestError extends DriverError {
  override readonly name = 'RequestError'
  constructor(
    readonly failure: RequestFailure,
    readonly sent: 'never' | 'maybe',
    message: string,
    cause?: unknown,
  ) {
    super(failure, message, {
      cause,
      retriable: failure !== 'refused' && failure !== 'unsupported' && failure !== 'closed' && failure !== 'aborted',
    })
  }

  /** This broker does not take us, or not this request; another one may. */
  get isOfOneBroker(): boolean {
    return this.failure === 'turned-away' || this.failure === 'unsupported'
  }

  /** No broker will ever take it. */
  get isFinal(): boolean {
    return this.failure === 'refused' || this.failure === 'unsupported'
  }
}
