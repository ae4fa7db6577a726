import { ConfigError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Logger } from '../telemetry/logger.js'
import { lookAgain } from '../topic/look-again.js'

/** What is asked of the cluster before a consumer starts. */
export interface ClusterView {
  describeTopics(
    topics: readonly string[],
    options: { readonly timeoutMs: number },
  ): Promise<readonly { readonly name: string; readonly errorCode: number }[]>
  describeConfig(
    type: 'topic',
    name: string,
    options: { readonly timeoutMs: number },
  ): Promise<ReadonlyMap<string, string | null>>
}

export interface DeadLetterLook {
  readonly target: string
  readonly sources: readonly string[]
  readonly cluster: ClusterView
  readonly clock: Clock
  readonly logger: Logger
  /** Ends the look, which then says nothing. */
  readonly signal: AbortSignal
}

const askMs = 2_000

/**
 * Looks at the dead-letter topic before anything may have to go there: found out at the first poisonous record, it would
 * stop a partition. Only what the cluster says for certain refuses the start; what may become trouble is a warning, and so
 * is a cluster that may not be asked or does not answer.
 *
 * @throws ConfigError when the topic is missing or compacted
 */
export async function lookAtDeadLetterTopic(look: DeadLetterLook): Promise<void> {
  const { target, logger } = look
  try {
    if (!(await isThere(look))) throw refusal(target, 'does not exist', 'create it, for example with ensureTopics')
    await lookAtConfigs(look)
  } catch (error) {
    if (look.signal.aborted) return
    if (error instanceof ConfigError) throw error
    logger.warn(
      { topic: target, error },
      'the dead-letter topic could not be looked at; see that it exists and keeps records',
    )
  }
}

function isThere(look: DeadLetterLook): Promise<boolean> {
  const { target, cluster } = look
  const ask = async () => {
    const topics = await cluster.describeTopics([target], { timeoutMs: askMs })
    return topics.some(({ name }) => name === target)
  }
  return lookAgain(ask, (isIt) => isIt, look)
}

async function lookAtConfigs({ target, sources, cluster, logger }: DeadLetterLook): Promise<void> {
  const own = await cluster.describeConfig('topic', target, { timeoutMs: askMs })
  if (own.get('cleanup.policy')?.includes('compact') === true) {
    throw refusal(
      target,
      'is compacted, so a letter replaces the former one of its key',
      'set its cleanup.policy to delete',
    )
  }
  for (const source of sources) {
    const theirs = await cluster.describeConfig('topic', source, { timeoutMs: askMs })
    for (const name of ['max.message.bytes', 'retention.ms']) {
      if (!isLess(own.get(name), theirs.get(name))) continue
      logger.warn(
        { topic: target, source, config: name, value: own.get(name), ofSource: theirs.get(name) },
        'the dead-letter topic keeps less than a topic of its consumer; raise it, or letters are refused or deleted early',
      )
    }
  }
}

/** -1 is no limit. */
function isLess(own: string | null | undefined, theirs: string | null | undefined): boolean {
  const [one, other] = [Number(own ?? Number.NaN), Number(theirs ?? Number.NaN)]
  if (Number.isNaN(one) || Number.isNaN(other) || one < 0) return false
  return other < 0 || one < other
}

function refusal(target: string, message: string, fix: string): ConfigError {
  return new ConfigError('dead letter', [{ path: 'deadLetter', message: `${target} ${message}`, fix }])
}
