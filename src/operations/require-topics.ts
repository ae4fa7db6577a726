import { ConfigError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Admin } from './admin.js'

export interface TopicsLook {
  readonly topics: readonly string[]
  readonly cluster: Pick<Admin, 'describeTopics'>
  readonly clock: Clock
  /** Ends the look, which then says nothing. */
  readonly signal: AbortSignal
}

const askMs = 10_000
/** A topic that was just made is not known to every broker at once. */
const looks = 3
const betweenLooksMs = 500

/**
 * For a consumer that is not to wait for topics that are missing.
 *
 * @throws ConfigError which names them
 * @throws DriverError when the cluster does not answer, or does not let us look
 */
export async function requireTopics({ topics, cluster, clock, signal }: TopicsLook): Promise<void> {
  for (let left = looks; !signal.aborted; left--) {
    const there = new Set((await cluster.describeTopics(topics, { timeoutMs: askMs })).map(({ name }) => name))
    const missing = topics.filter((topic) => !there.has(topic))
    if (missing.length === 0) return
    if (left <= 1) throw refusal(missing)
    await clock.sleep(betweenLooksMs, signal).catch(() => undefined) // aborted: looked at above
  }
}

function refusal(missing: readonly string[]): ConfigError {
  const issues = missing.map((topic) => ({
    path: `topics "${topic}"`,
    message: "does not exist, and missingTopics is 'refuse'",
    fix: 'create it, for example with ensureTopics, or correct its name',
  }))
  return new ConfigError('consumer', issues)
}
