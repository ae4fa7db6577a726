import type { LintedTopic } from '../config/lint-facts.js'
import { lint, type LintFinding } from '../config/lint.js'
import { ConfigError } from '../errors.js'
import { optionIssues, timeLimit, type Rules } from '../input/option-rules.js'
import type { Messaging } from '../messaging.js'
import { requireMessaging } from './health-watch.js'

/** Options of `lintSettings`. */
export interface LintOptions {
  /** After so long from its signal the process is killed, ms: `terminationGracePeriodSeconds` of Kubernetes. Default: not known. */
  readonly graceMs?: number | undefined
  /** How long the brokers may be asked, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined
}

/** What was found, and what could not be looked at. */
export interface LintReport {
  readonly findings: readonly LintFinding[]
  /** Of these no rule says anything: a topic by its name, `topics` for all, or `brokers`. */
  readonly unseen: readonly { readonly what: string; readonly error: unknown }[]
}

const rules: Rules<LintOptions> = { graceMs: timeLimit, timeoutMs: timeLimit }

/**
 * Looks whether the settings of a messaging go together: its consumers, also those that are not started, their topics, and
 * the brokers. Changes nothing. What brokers do not tell is `unseen`, never an error.
 *
 * @throws ConfigError when it is given something else
 * @throws StateError when the messaging is closed
 * @example
 * const { findings } = await lintSettings(messaging, { graceMs: 30_000 })
 * for (const { severity, subject, reason, fix } of findings) console.log(severity, subject, reason, fix)
 */
export async function lintSettings(messaging: Messaging, options: LintOptions = {}): Promise<LintReport> {
  const issues = optionIssues(options, rules)
  if (issues.length > 0) throw new ConfigError('lintSettings', issues)
  requireMessaging('lintSettings', messaging)
  const { admin, clock, lint: settings } = messaging
  const { graceMs = null, timeoutMs = 10_000 } = options
  const { consumers, closeTimeoutMs } = settings
  const deadline = clock.now() + timeoutMs
  const call = () => ({ timeoutMs: Math.max(0, deadline - clock.now()) })
  const unseen: { what: string; error: unknown }[] = []
  const seen = async <Value>(what: string, look: () => Promise<Value>): Promise<Value | null> => {
    try {
      return await look()
    } catch (error) {
      unseen.push({ what, error })
      return null
    }
  }
  const names = new Set(
    consumers.flatMap(({ topics, delayTopics, deadLetter }) => [
      ...topics,
      ...delayTopics.map(({ topic }) => topic),
      ...(deadLetter === null ? [] : [deadLetter]),
    ]),
  )
  const topicsOf = async (): Promise<ReadonlyMap<string, LintedTopic | null>> => {
    if (names.size === 0) return new Map()
    const described = await seen('topics', () => admin.describeTopics([...names], call()))
    if (described === null) return new Map()
    const looked = await Promise.all(
      described.map(async ({ name, partitions }): Promise<[string, LintedTopic]> => {
        const configs = await seen(name, () => admin.describeConfig('topic', name, call()))
        const replicas = Math.min(...partitions.map((one) => one.replicas.length))
        return [name, { partitions: partitions.length, replicas, configs: configs ?? new Map() }]
      }),
    )
    const found = new Map<string, LintedTopic | null>(looked)
    for (const name of names) if (!found.has(name)) found.set(name, null)
    return found
  }
  const brokerOf = () =>
    seen('brokers', async () => {
      const { brokers } = await admin.describeCluster(call())
      const [first] = brokers
      return first === undefined ? null : admin.describeConfig('broker', String(first.nodeId), call())
    })
  const [topics, broker] = await Promise.all([topicsOf(), brokerOf()])
  return { findings: lint({ closeTimeoutMs, graceMs, consumers, topics, broker: broker ?? new Map() }), unseen }
}
