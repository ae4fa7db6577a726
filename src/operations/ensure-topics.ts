import type { NewTopic } from '../connection/requests/admin.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import type { Topic } from '../topic/topic.js'
import type { Admin } from './admin.js'
import { lookMs, type DurabilityCheck, type DurabilitySetting } from './durability-check.js'
import type { BrokerNeeds } from './durability.js'
import { durableTopic, partitionsOf, requireDurable } from './new-topic.js'
import { differencesOf } from './topic-differences.js'
import { lookAtCluster, lookAtTopics, type ClusterQuestions } from './topic-view.js'

export interface EnsureTopicsParts {
  readonly admin: Pick<Admin, 'createTopics'>
  readonly questions: ClusterQuestions
  readonly check: DurabilityCheck
  /** What the profile asks of topics that are made; `null`: they are made as the broker is set. */
  readonly needs: BrokerNeeds | null
  /** `null`: nothing is checked. */
  readonly setting: DurabilitySetting | null
  readonly telemetry: Telemetry
}

/**
 * Creates the topics that are missing, tells those that exist in another shape, and checks all of them, once.
 *
 * @returns the names created
 */
export async function ensureTopics(
  parts: EnsureTopicsParts,
  topics: readonly Topic[],
  timeoutMs: number,
): Promise<readonly string[]> {
  if (topics.length === 0) return []
  const { admin, questions, check, setting, telemetry } = parts
  const { clock } = questions
  const deadline = clock.now() + timeoutMs
  const existing = await partitionCounts(questions, topics, deadline)
  const wanted = topics.map((topic) => ({
    name: topic.name,
    partitions: partitionsOf(topic, topics, existing),
    replicationFactor: topic.replicationFactor,
    configs: topic.configs,
  }))
  const missing = await asMade(
    parts,
    wanted.filter(({ name }) => !existing.has(name)),
    deadline,
  )
  const created = await admin.createTopics(missing, { timeoutMs: Math.max(0, deadline - clock.now()) })
  // Those that were made are as they were asked for; what the brokers are set to beside that matters to the promise alone.
  const names = wanted.map(({ name }) => name).filter((name) => setting !== null || !created.includes(name))
  const view = await lookAtTopics(questions, names, clock.now() + lookMs)
  for (const seen of view.topics) {
    const defined = wanted.find(({ name }) => name === seen.name)
    if (defined === undefined || created.includes(seen.name)) continue
    const differences = differencesOf(defined, seen)
    if (differences.length > 0) tell(telemetry, { kind: 'topic-differs', topic: seen.name, differences })
  }
  if (setting !== null) check.judge(setting, view)
  return created
}

/** Of those that exist, and of those whose dead letters or delayed records they take. */
async function partitionCounts(
  { admin, clock }: ClusterQuestions,
  topics: readonly Topic[],
  deadline: number,
): Promise<ReadonlyMap<string, number>> {
  const names = topics.map(({ name }) => name)
  const sources = topics.flatMap(({ deadLettersOf, delays }) => delays ?? deadLettersOf ?? [])
  const others = sources.filter((source) => !names.includes(source))
  const timeoutMs = Math.max(0, deadline - clock.now())
  const [own, theirs] = await Promise.all([
    admin.describeTopics(names, { timeoutMs }),
    // Another one's topic may not be ours to look at; then the broker's default has to do.
    others.length === 0 ? [] : admin.describeTopics(others, { timeoutMs }).catch(() => []),
  ])
  return new Map([...own, ...theirs].map(({ name, partitions }) => [name, partitions.length]))
}

async function asMade(
  { questions, needs, setting }: EnsureTopicsParts,
  topics: readonly NewTopic[],
  deadline: number,
): Promise<readonly NewTopic[]> {
  if (topics.length === 0 || needs === null) return topics
  const brokers = (await lookAtCluster(questions, deadline)).brokers.length
  const made = topics.map((topic) => durableTopic(topic, brokers, needs))
  if (setting?.durability === 'refuse') requireDurable(setting.profile, made, brokers, needs)
  return made
}
