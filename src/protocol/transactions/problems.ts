import { DriverError } from '../../errors.js'

export function timedOut(): DriverError {
  const message =
    'the transaction was open for longer than its timeoutMs, or a late request of this producer met it, so its coordinator aborted it'
  return new DriverError('transaction-timed-out', message, { retriable: true })
}

export function closedError(): DriverError {
  return new DriverError('closed', 'the producer was closed')
}
