import { ConfigError, type ConfigIssue } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Logger } from '../telemetry/logger.js'
import { isDelayTopicNamed, isDelayTopicOf } from '../topic/delay-topic-name.js'
import { lookAgain } from '../topic/look-again.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { DelayLevels } from './delay-levels.js'

interface TopicSeen {
  readonly name: string
  readonly partitions: readonly unknown[]
}

/** What is asked of the cluster before a consumer starts. */
interface ClusterView {
  /** `null`: all there are. */
  describeTopics(
    topics: readonly string[] | null,
    options: { readonly timeoutMs: number },
  ): Promise<readonly TopicSeen[]>
  describeConfig(
    type: 'topic',
    name: string,
    options: { readonly timeoutMs: number },
  ): Promise<ReadonlyMap<string, string | null>>
  listOffsets(
    partitions: readonly TopicPartition[],
    position: 'earliest' | 'latest',
    options: { readonly timeoutMs: number },
  ): Promise<readonly number[]>
  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    options: { readonly timeoutMs: number },
  ): Promise<readonly (TopicPartition & { readonly offset: number })[]>
}

/** Whose delay topics. */
export interface DelayTopicsOf {
  readonly group: string
  readonly levels: DelayLevels
}

export interface DelayLook {
  readonly cluster: ClusterView
  readonly clock: Clock
  readonly logger: Logger
  /** Ends the look, which then says nothing. */
  readonly signal: AbortSignal
}

const askMs = 2_000

/**
 * Looks at the delay topics before anything may have to wait there. Only what the cluster says for certain refuses the
 * start; a cluster that may not be asked or does not answer is a warning.
 *
 * @throws ConfigError when one is missing, is compacted, keeps records for less than they wait, or has too few partitions
 */
export async function lookAtDelayTopics({ group, levels }: DelayTopicsOf, look: DelayLook): Promise<void> {
  if (look.signal.aborted) return
  try {
    let issues = await lookAgain(
      () => partitionIssues(levels, look),
      ({ length }) => length === 0,
      look,
    )
    if (issues.length === 0) issues = await configIssues(levels, look)
    if (issues.length > 0) throw new ConfigError('retryLater', issues)
    await tellLeftBehind(group, levels, look)
  } catch (error) {
    if (look.signal.aborted) return
    if (error instanceof ConfigError) throw error
    look.logger.warn({ error }, 'the delay topics could not be looked at; see that they exist and keep records')
  }
}

async function partitionIssues(levels: DelayLevels, { cluster }: DelayLook): Promise<ConfigIssue[]> {
  const names = [...levels.ofTopic].flatMap(([source, delays]) => [source, ...delays])
  const topics = await cluster.describeTopics(names, { timeoutMs: askMs })
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  return [...levels.ofTopic].flatMap(([source, delays]) =>
    delays.flatMap((name) => {
      const [count, wanted] = [counts.get(name), counts.get(source) ?? 0]
      if (count === undefined) {
        const fix = 'call ensureTopics([…, ...consumer.delayTopics]) before the start'
        return [issue(name, 'does not exist', fix)]
      }
      if (count >= wanted) return []
      const fix = `admin.createPartitions('${name}', ${wanted})`
      return [issue(name, `has ${count} partitions, and ${source} has ${wanted}`, fix)]
    }),
  )
}

async function configIssues(levels: DelayLevels, { cluster }: DelayLook): Promise<ConfigIssue[]> {
  const issues: ConfigIssue[] = []
  for (const name of levels.topics) {
    const configs = await cluster.describeConfig('topic', name, { timeoutMs: askMs })
    const { levels: all, index } = levels.of(name)
    const delayMs = all[index]?.delayMs ?? 0
    const keptMs = Number(configs.get('retention.ms') ?? -1)
    if (configs.get('cleanup.policy')?.includes('compact') === true)
      issues.push(
        issue(name, 'is compacted, so a record replaces the former one of its key', 'set its cleanup.policy to delete'),
      )
    if (keptMs >= 0 && keptMs < 2 * delayMs)
      issues.push(issue(name, `keeps records for ${keptMs} ms, and they wait ${delayMs} ms`, 'raise its retention.ms'))
  }
  return issues
}

/** A delay that was taken out of the option: nobody reads its topic any more, and keys whose records stand there are overtaken. */
async function tellLeftBehind(group: string, levels: DelayLevels, look: DelayLook): Promise<void> {
  const all = await look.cluster.describeTopics(null, { timeoutMs: askMs })
  for (const topic of all.filter(({ name }) => levels.wasOne(name))) {
    const { left } = await leftOn(topic, group, look.cluster)
    if (left === 0 || look.signal.aborted) continue
    look.logger.warn(
      { topic: topic.name, left },
      'records are left on a delay topic that retryLater does not name any more, and nobody handles them; ' +
        'put its delay back until there are none',
    )
  }
}

/** Of a consumer that has no delays. */
export interface WithoutDelays {
  readonly group: string
  /** Names of what it reads. */
  readonly topics: readonly string[]
}

/**
 * The option was taken out: what its records wait on nobody reads any more. Beside the start, since it holds nothing up.
 * Topics with another name than the group are its own where it has committed something there. Never rejects.
 */
export async function tellForgottenDelays(
  { group, topics }: WithoutDelays,
  { cluster, logger, signal }: Omit<DelayLook, 'clock'>,
): Promise<void> {
  try {
    const all = await cluster.describeTopics(null, { timeoutMs: askMs })
    for (const topic of all.filter(({ name }) => topics.some((source) => isDelayTopicOf(source, name)))) {
      const isNamed = topics.some((source) => isDelayTopicNamed(source, group, topic.name))
      const { left, isKnown } = await leftOn(topic, group, cluster)
      if (left === 0 || signal.aborted || !(isNamed || isKnown)) continue
      logger.warn(
        { topic: topic.name, left },
        'records are left on a delay topic of this group, and this consumer has no retryLater: where no other member has ' +
          'it, nobody handles them; give retryLater back with that delay until there are none',
      )
    }
  } catch (error) {
    if (!signal.aborted) logger.debug({ error }, 'nobody told whether records are left on delay topics')
  }
}

/** Records that the group has not handled, and whether it ever committed there. */
async function leftOn(
  { name, partitions }: TopicSeen,
  group: string,
  cluster: ClusterView,
): Promise<{ readonly left: number; readonly isKnown: boolean }> {
  const options = { timeoutMs: askMs }
  const places = partitions.map((_, partition) => ({ topic: name, partition }))
  const [ends, starts, committed] = await Promise.all([
    cluster.listOffsets(places, 'latest', options),
    cluster.listOffsets(places, 'earliest', options),
    cluster.committedOffsets(group, places, options),
  ])
  const done = new Map(committed.map(({ partition, offset }) => [partition, offset]))
  const left = ends.reduce((sum, end, at) => sum + Math.max(0, end - Math.max(done.get(at) ?? 0, starts[at] ?? 0)), 0)
  return { left, isKnown: committed.some(({ offset }) => offset >= 0) }
}

function issue(name: string, message: string, fix: string): ConfigIssue {
  return { path: `retryLater "${name}"`, message, fix }
}
