import { lookAtDeadLetterTopic } from '../dead-letter/dead-letter-look.js'
import type { Admin } from '../operations/admin.js'
import { requireTopics } from '../operations/require-topics.js'
import { lookAtDelayTopics } from '../retry/delay-look.js'
import type { Clock } from '../runtime/clock.js'
import type { Logger } from '../telemetry/logger.js'
import type { ConsumerConfig } from './consumer-config.js'
import { sideTopicOf } from './reorder-option.js'
import { namesOf } from '../topic/topic-lookup.js'

interface LookParts {
  readonly admin: () => Admin
  readonly clock: Clock
  readonly logger: Logger
  /** Ends the look, which then says nothing. */
  readonly signal: AbortSignal
}

/**
 * Looks at the topics of a consumer as far as its options ask for it, before it starts.
 *
 * @returns the topics to which it will put what fails
 * @throws ConfigError when they cannot be used
 */
export async function lookBeforeStart(
  { options, deadLetter, retryLater, reorder }: ConsumerConfig,
  { admin, clock, logger, signal }: LookParts,
): Promise<readonly string[]> {
  const side = reorder === null ? null : sideTopicOf(reorder)
  if (options.missingTopics === 'wait' && retryLater === null && deadLetter === null && side === null) return []
  const topics = namesOf(options.topics)
  const look = { cluster: admin(), clock, logger, signal }
  if (options.missingTopics === 'refuse') {
    await requireTopics({ topics, option: 'topics', why: "missingTopics is 'refuse'", ...look })
  }
  if (side !== null) {
    await requireTopics({ topics: [side], option: 'reorder.late.topic', why: 'late records go there', ...look })
  }
  if (retryLater !== null) await lookAtDelayTopics(retryLater, look)
  if (deadLetter !== null && !signal.aborted) {
    await lookAtDeadLetterTopic({ target: deadLetter.topic, sources: topics, ...look })
  }
  return [...(deadLetter === null ? [] : [deadLetter.topic]), ...(retryLater?.levels.topics ?? [])]
}
