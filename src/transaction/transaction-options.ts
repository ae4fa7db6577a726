import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { optionIssues, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'

/** How one transaction is run. */
export interface TransactionOptions {
  /**
   * Most time from its begin until its commit is asked for, in milliseconds; after that it is aborted, by the brokers too if
   * this process hangs. At most `transaction.max.timeout.ms` of the brokers. Default: as the profile says, 10,000.
   */
  readonly timeoutMs?: number | undefined
  /** Aborting it aborts the transaction, unless its commit was asked for already. */
  readonly signal?: AbortSignal | undefined
}

const rules: Rules<TransactionOptions> = {
  timeoutMs: wholeNumber(1, 2_147_483_647),
  signal: withMethods('an AbortSignal', ['addEventListener', 'removeEventListener']),
}

/** Kafka's own limit of names. */
const longestId = 32_767

/** Throws `ConfigError` unless a transaction can be run with these. */
export function requireTransaction(id: unknown, handle: unknown, options: unknown): void {
  const issues = optionIssues(options, rules)
  if (typeof id !== 'string' || id.length === 0 || Buffer.byteLength(id) > longestId) {
    const fix = 'write a name of its own for every instance, the same after a restart, for example `billing-0`'
    issues.unshift({
      path: 'id',
      message: typeof id === 'string' ? (id === '' ? 'is empty' : 'is too long') : came(id),
      fix,
    })
  }
  if (typeof handle !== 'function') {
    issues.unshift({ path: 'handle', message: came(handle), fix: 'write async (transaction) => { … }' })
  }
  if (issues.length > 0) throw new ConfigError('transaction', issues)
}
