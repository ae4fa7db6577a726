import { z } from 'zod'
import type { ResolvedConsumerOptions } from '../consumer/options/consumer-schema.js'
import { ConfigError, type ConfigIssue } from '../errors.js'
import type { Random } from '../runtime/random.js'
import type { MemberTransactionsSettings } from '../transaction/member.js'
import type { Profile } from './profiles.js'

/** How a consumer under `transactional` cuts its work into transactions. */
export interface ConsumerTransactionOptions {
  /** A transaction that has something is committed after so long. Default 100. */
  readonly everyMs?: number | undefined
  /** Or after so many records. Default 1,000. */
  readonly everyMessages?: number | undefined
  /**
   * Or after so many bytes that handlers sent. What one call of a handler sends may be at most this: beyond it its record
   * fails with `transaction-too-large`. Default 8 MiB.
   */
  readonly maxBytes?: number | undefined
  /**
   * The brokers abort a transaction that takes longer, counted from its first record. After a crash nobody reads its
   * partitions for so long and up to 10 s more. Default 10,000.
   */
  readonly timeoutMs?: number | undefined
}

const positive = () => z.int().positive()

export const transactionOption = z
  .strictObject({
    everyMs: positive().default(100).describe('a transaction that has something is committed after so long, in ms'),
    everyMessages: positive().default(1_000).describe('or after so many records'),
    maxBytes: positive()
      .default(8_388_608)
      .describe('or after so many bytes that handlers sent; one call of a handler may send at most so many'),
    timeoutMs: positive().optional().describe('the brokers abort a transaction that takes longer, in ms'),
  })
  .optional()
  .describe('how work is cut into transactions: { everyMs, everyMessages, maxBytes, timeoutMs }')

type Given = Readonly<Record<string, unknown>>

/** `null` for a consumer without transactions: another profile, or one that only reads, without a group. Throws `ConfigError` with what does not go together. */
export function resolveTransaction(
  subject: string,
  profile: Profile,
  options: ResolvedConsumerOptions,
  chosen: z.output<typeof transactionOption>,
  retryLater: { readonly order: 'key' | 'none' } | undefined,
  given: Given,
): MemberTransactionsSettings | null {
  const issues: ConfigIssue[] = []
  const refuse = (path: string, message: string, fix: string) => issues.push({ path, message, fix })
  if (profile.consumer.delivery !== 'exactly-once') {
    if (chosen === undefined) return null
    const message = `needs the profile transactional, and it is ${profile.name}`
    // What it would not go with is not known before.
    throw new ConfigError(subject, [{ path: 'transaction', message, fix: "write profile: 'transactional'" }])
  }
  const { group, groupInstanceId, isolation, requestTimeoutMs } = options
  if (group === null && chosen === undefined) return null
  if (group === null) refuse('group', 'is null: offsets go with the transactions', 'name a group')
  const settings = transactionOption.unwrap().parse(chosen ?? {})
  const timeoutMs = settings.timeoutMs ?? profile.producer.transactionTimeoutMs ?? 10_000
  // The time that handlers have while partitions are given up is not in it: none is open for a handler that still runs.
  const leastMs = settings.everyMs + requestTimeoutMs
  if (isolation !== 'read-committed') {
    refuse('isolation', `is ${isolation}, which reads what may be taken back`, 'leave it out')
  }
  if (given['commit'] !== undefined) {
    refuse('commit', 'has no place where offsets go with transactions', 'write transaction: { everyMs, everyMessages }')
  }
  // What stands in a delay topic is counted by key, and what an aborted transaction wrote there never comes.
  if (retryLater?.order === 'key') {
    refuse('retryLater.order', "is 'key', which cannot go back when a transaction is aborted", "write order: 'none'")
  }
  // A mark outlives the transaction that was aborted, and its record would be passed over.
  if (given['dedupe'] !== undefined) {
    refuse('dedupe', 'has no place where repeats are not visible', 'leave it out; effects outside Kafka need their own')
  }
  if (given['reorder'] !== undefined) {
    refuse('reorder', 'cannot go back when a transaction is aborted', "write profile: 'cp' for this consumer")
  }
  if (timeoutMs <= leastMs) {
    const fix = 'raise timeoutMs, or lower the others'
    refuse('transaction.timeoutMs', `is ${timeoutMs}; everyMs and requestTimeoutMs together are ${leastMs}`, fix)
  }
  if (issues.length > 0) throw new ConfigError(subject, issues)
  return { ...settings, timeoutMs, group: group as string, groupInstanceId }
}

/** Stable where the operator names the instance, so that a restart ends at once what was left open; else never met again. */
export function transactionalIdOf(clientId: string, settings: MemberTransactionsSettings, random: Random): string {
  return `${clientId}-${settings.group}-${settings.groupInstanceId ?? random.uuid()}`
}
