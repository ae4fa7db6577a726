import { ConfigError } from '../errors.js'
import type { TransactionOptions } from '../transaction/transaction-options.js'
import type { RunLimits } from '../transaction/transaction-runner.js'
import type { Profile } from './profiles.js'

/** The profile's limits, overridden by the options. Throws `ConfigError` when the profile has no transactions. */
export function transactionLimits({ timeoutMs, signal }: TransactionOptions, { name, producer }: Profile): RunLimits {
  const { transactional, transactionTimeoutMs } = producer
  if (transactional && transactionTimeoutMs !== null) return { timeoutMs: timeoutMs ?? transactionTimeoutMs, signal }
  const message = `is ${name}, which promises nothing of transactions`
  const fix = "write createMessaging({ profile: 'transactional', … })"
  throw new ConfigError('transaction', [{ path: 'profile', message, fix }])
}

export function sendsInTransactions(profile: string): ConfigError {
  const message = `is ${profile}, under which everything is sent in transactions`
  const fix = "send by messaging.transaction(id, …), or write profile: 'cp' for this producer"
  return new ConfigError('producer', [{ path: 'profile', message, fix }])
}

export function withoutTransactions(driver: string): ConfigError {
  const message = `needs transactions, which the driver ${driver} does not have`
  return new ConfigError('transaction', [{ path: 'profile', message, fix: 'choose another driver' }])
}
