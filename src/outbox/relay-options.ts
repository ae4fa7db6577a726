import { ConfigError } from '../errors.js'
import { optionIssues, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'
import type { Topic } from '../topic/topic.js'

/** Options of a relay. */
export interface RelayOptions {
  /**
   * Topics whose partitioner is not the default one: it chooses the partition when the row is sent, from the value as it is
   * decoded then. Rows of other topics go by the hash of their key. Default none.
   */
  readonly topics?: readonly Topic[] | undefined
  /** How often the table is looked at while it is empty, ms; `wake` does so at once. Default 500. */
  readonly pollMs?: number | undefined
  /** After so long without a word of the relay that sends another takes over, ms. Default 10,000. */
  readonly leaseMs?: number | undefined
  /** Most time for the send of one row; then it is sent again, ms. Default 30,000. */
  readonly sendTimeoutMs?: number | undefined
  /** The largest row, as Kafka counts it. Larger ones are held. Default 1 MiB. */
  readonly maxRequestBytes?: number | undefined
}

export interface ResolvedRelayOptions {
  readonly topics: readonly Topic[]
  readonly pollMs: number
  readonly leaseMs: number
  readonly sendTimeoutMs: number
  readonly maxRequestBytes: number
}

const storeMethods = ['lead', 'resign', 'pending', 'contents', 'sent', 'hold', 'backlog']
const storeRule = withMethods('an outbox: sqlOutbox(db) of tidemark/sql', storeMethods)

const rules: Rules<RelayOptions> = {
  topics: {
    expected: 'a list of topics made by defineTopic',
    accepts: (value) => Array.isArray(value) && value.every(isTopic),
  },
  pollMs: wholeNumber(1),
  leaseMs: wholeNumber(100),
  sendTimeoutMs: wholeNumber(1),
  maxRequestBytes: wholeNumber(1),
}

function isTopic(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'keyOf' in value && 'partitioner' in value
}

/** @throws ConfigError with every problem */
export function resolveRelayOptions(store: unknown, options: RelayOptions): ResolvedRelayOptions {
  const issues = optionIssues(options, rules)
  if (!storeRule.accepts(store)) {
    issues.unshift({ path: 'outbox', message: 'is no outbox', fix: `write ${storeRule.expected}` })
  }
  if (issues.length > 0) throw new ConfigError('relay', issues)
  const { topics = [], pollMs = 500, leaseMs = 10_000, sendTimeoutMs = 30_000, maxRequestBytes = 1_048_576 } = options
  return { topics, pollMs, leaseMs, sendTimeoutMs, maxRequestBytes }
}
