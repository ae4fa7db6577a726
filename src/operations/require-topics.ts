import { ConfigError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { lookAgain } from '../topic/look-again.js'
import type { Admin } from './admin.js'

export interface TopicsLook {
  readonly topics: readonly string[]
  /** For the message: the option that names them, and why they must be there. */
  readonly option: string
  readonly why: string
  readonly cluster: Pick<Admin, 'describeTopics'>
  readonly clock: Clock
  /** Ends the look, which then says nothing. */
  readonly signal: AbortSignal
}

const askMs = 10_000

/**
 * For topics without which a consumer is not to start.
 *
 * @throws ConfigError which names them
 * @throws DriverError when the cluster does not answer, or does not let us look
 */
export async function requireTopics(look: TopicsLook): Promise<void> {
  const { topics, cluster, signal } = look
  if (signal.aborted) return
  const ask = async () => {
    const there = new Set((await cluster.describeTopics(topics, { timeoutMs: askMs })).map(({ name }) => name))
    return topics.filter((topic) => !there.has(topic))
  }
  const missing = await lookAgain(ask, ({ length }) => length === 0, look).catch((error: unknown) => {
    if (signal.aborted && error === signal.reason) return []
    throw error
  })
  if (missing.length > 0) throw refusal(look, missing)
}

function refusal({ option, why }: TopicsLook, missing: readonly string[]): ConfigError {
  const issues = missing.map((topic) => ({
    path: `${option} "${topic}"`,
    message: `does not exist, and ${why}`,
    fix: 'create it, for example with ensureTopics, or correct its name',
  }))
  return new ConfigError('consumer', issues)
}
