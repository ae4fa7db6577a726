import type { NewTopic } from '../../connection/requests/admin.js'
import { profileOf } from '../../config/define-profile.js'
import { durableTopic, partitionsOf, type SizedTopic } from '../../operations/new-topic.js'
import { differencesOf } from '../../operations/topic-differences.js'
import { lookAtCluster, lookAtTopics, type TopicView } from '../../operations/topic-view.js'
import type { TopicInFile } from '../config-file.js'
import type { Paint } from '../paint.js'
import type { Session } from '../session.js'
import { table, type Cell } from '../table.js'
import { WrongUse } from '../wrong-use.js'
import { isRaise, type AlteredSetting } from './topic-settings.js'

/** What would be done about one topic. Nothing is deleted and no number is lowered. */
export interface TopicPlan {
  readonly topic: string
  /** As it is made, -1 for what the broker is set to; `null` where it exists. */
  readonly create: Omit<NewTopic, 'name'> | null
  readonly addPartitions: { readonly from: number; readonly to: number } | null
  readonly alter: readonly AlteredSetting[]
  /** What is otherwise than defined, and stays so. */
  readonly differences: readonly string[]
}

/**
 * What the topics of the file lack:
 *
 * | defined | there | plan |
 * |---------|-------|------|
 * | a topic | none  | made, under the needs of the profile |
 * | n partitions | fewer | added, whether the topic has keys or not: their order begins anew |
 * | n partitions | more | a difference: Kafka cannot take partitions away |
 * | a setting | another | altered where that keeps more (`isRaise`), else a difference |
 * | replicas | others | a difference: told, and left to who runs the cluster |
 */
export async function planTopics(session: Session): Promise<readonly TopicPlan[]> {
  const { topics = [] } = await session.file()
  if (topics.length === 0) throw new WrongUse('there are no topics: list them as topics in tidemark.config.ts')
  const { admin, clock } = await session.cluster()
  const { messaging } = await session.settings()
  const questions = { admin, clock, signal: session.signal }
  const deadline = clock.now() + session.call.timeoutMs
  const sized = topics.map(sizedOf)
  const sources = sized.flatMap(({ deadLettersOf, delays }) => delays ?? deadLettersOf ?? [])
  const names = [...new Set([...topics.map(({ name }) => name), ...sources])]
  const described = await admin.describeTopics(names, session.call)
  const existing = new Map(described.map(({ name, partitions }) => [name, partitions.length]))
  // What takes the records of a topic gets as many partitions as that one will have.
  const after = new Map(existing)
  for (const { name, partitions } of sized) after.set(name, Math.max(partitions, existing.get(name) ?? -1))
  const { brokerNeeds } = profileOf(messaging.profile ?? 'cp')
  const brokers = brokerNeeds === null ? 0 : (await lookAtCluster(questions, deadline)).brokers.length
  const wanted = topics.map((topic, index): NewTopic => {
    const { name, replicationFactor = -1, configs = {} } = topic
    const partitions = partitionsOf(sized[index] as SizedTopic, sized, after)
    const texts = Object.entries(configs).map(([key, value]) => [key, String(value)] as const)
    return { name, partitions, replicationFactor, configs: Object.fromEntries(texts) }
  })
  const present = wanted.filter(({ name }) => existing.has(name)).map(({ name }) => name)
  const view = await session.watched('topics looked at', (onProgress) =>
    lookAtTopics(questions, present, deadline, onProgress),
  )
  // Without a look nothing may be said to be in order.
  for (const { error } of view.unseen) throw error
  return wanted.map((topic) => {
    const seen = view.topics.find(({ name }) => name === topic.name)
    if (seen !== undefined) return changesOf(topic, seen)
    const { name, ...create } = brokerNeeds === null ? topic : durableTopic(topic, brokers, brokerNeeds)
    return { topic: name, create, addPartitions: null, alter: [], differences: [] }
  })
}

function sizedOf({ name, partitions = -1, deadLettersOf, delays }: TopicInFile): SizedTopic {
  return { name, partitions, deadLettersOf, delays }
}

function changesOf(wanted: NewTopic, seen: TopicView): TopicPlan {
  const there = seen.replicas.length
  const grows = wanted.partitions > there
  const alter = altersOf(wanted, seen)
  const left = Object.entries(wanted.configs).filter(([name]) => !alter.some((one) => one.name === name))
  const compared = { ...wanted, partitions: grows ? -1 : wanted.partitions, configs: Object.fromEntries(left) }
  return {
    topic: wanted.name,
    create: null,
    addPartitions: grows ? { from: there, to: wanted.partitions } : null,
    alter,
    differences: differencesOf(compared, seen),
  }
}

function altersOf({ configs }: NewTopic, seen: TopicView): readonly AlteredSetting[] {
  const fewest = Math.min(...seen.replicas.map((brokers) => brokers.length))
  return Object.entries(configs).flatMap(([name, to]) => {
    const from = seen.configs.get(name)
    if (from === undefined || from === null) return []
    const setting = { name, from, to }
    return isRaise(setting, fewest) ? [setting] : []
  })
}

export function isChange({ create, addPartitions, alter }: TopicPlan): boolean {
  return create !== null || addPartitions !== null || alter.length > 0
}

const movesKeys =
  'More partitions move keys to other partitions, where their order begins anew: let consumers catch up before, or stop producers.'

export function topicsText(paint: Paint, plans: readonly TopicPlan[]): string {
  const rows = plans.flatMap(({ topic, create, addPartitions, alter, differences }): Cell[][] => {
    const told: Cell[][] = []
    if (create !== null) told.push([topic, { text: 'create', tone: 'good' }, shapeText(create)])
    if (addPartitions !== null) {
      const { from, to } = addPartitions
      told.push([topic, { text: 'add partitions', tone: 'warning' }, `from ${from} to ${to}`])
    }
    for (const { name, from, to } of alter) {
      told.push([topic, { text: 'alter', tone: 'good' }, `${name} from ${from} to ${to}`])
    }
    for (const difference of differences) told.push([topic, { text: 'left as it is', tone: 'warning' }, difference])
    return told.length > 0 ? told : [[topic, { text: 'as defined', tone: 'quiet' }, null]]
  })
  const moves = plans.some(({ addPartitions }) => addPartitions !== null)
  return table(paint, ['TOPIC', 'PLAN', 'WHAT'], rows, '') + (moves ? `\n${movesKeys}\n` : '')
}

function shapeText({ partitions, replicationFactor, configs }: Omit<NewTopic, 'name'>): string {
  const parts = [
    `partitions ${partitions === -1 ? 'as the broker is set' : partitions}`,
    `replicas ${replicationFactor === -1 ? 'as the broker is set' : replicationFactor}`,
    ...Object.entries(configs).map(([name, value]) => `${name}=${value}`),
  ]
  return parts.join(', ')
}
