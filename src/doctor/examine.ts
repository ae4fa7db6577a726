import { profileOf } from '../config/define-profile.js'
import type { Profile, ProfileName } from '../config/profiles.js'
import type { TopicMetadata } from '../connection/requests/metadata.js'
import type { PartitionReplicas } from '../driver/admin.js'
import { seeAllOf } from '../lag/lag-look.js'
import { lookAtCluster } from '../operations/topic-view.js'
import { isDelayTopicOf } from '../topic/delay-topic-name.js'
import type { Messaging } from '../messaging.js'
import {
  lateShare,
  type DoctorFacts,
  type ExaminedTopic,
  type LateGroup,
  type SideTopics,
  type TopicEligibility,
} from './facts.js'

/** What could not be looked at, and why; no rule says anything of it. */
export interface Unseen {
  readonly what: string
  readonly error: unknown
}

export interface Examination {
  readonly facts: DoctorFacts
  readonly unseen: readonly Unseen[]
}

/** A topic that is meant to be there. */
export interface DefinedTopic {
  readonly name: string
  readonly deadLettersOf?: string | undefined
}

export interface ExaminationParts {
  readonly messaging: Messaging
  /** Name of the profile whose promise is looked for. */
  readonly profile: ProfileName | Profile | undefined
  readonly defined: readonly DefinedTopic[]
  /** For each call to the cluster. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Topics that are looked at, and all there are. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** How often topics are asked for their settings at the same time. */
const atOnce = 32

/**
 * Looks at topics: those named, else those defined, else all that are not Kafka's own. What one may not look at is
 * `unseen`; without an answer about the cluster and its topics it rejects.
 */
export async function examine(parts: ExaminationParts, named: readonly string[]): Promise<Examination> {
  const { defined, timeoutMs, signal } = parts
  const { admin, clock } = parts.messaging
  const { name: profile, brokerNeeds: needs, producer } = profileOf(parts.profile ?? 'cp')
  const unseen: Unseen[] = []
  const seen = async <Value>(what: string, otherwise: Value, look: () => Promise<Value>): Promise<Value> => {
    try {
      return await look()
    } catch (error) {
      unseen.push({ what, error })
      return otherwise
    }
  }
  const deadline = clock.now() + timeoutMs
  const [{ brokers }, cluster, described] = await Promise.all([
    admin.describeCluster({ timeoutMs }),
    lookAtCluster({ admin, clock, signal }, deadline),
    admin.describeTopics(null, { timeoutMs }),
  ])
  const wanted = wantedTopics(named, defined, described)
  const there = described.filter(({ name }) => wanted.includes(name))
  const topics: ExaminedTopic[] = []
  for (let first = 0; first < there.length; first += atOnce) {
    const looks = there.slice(first, first + atOnce).map(async (topic) => {
      const configs = await seen(`settings of ${topic.name}`, null, () =>
        admin.describeConfig('topic', topic.name, { timeoutMs }),
      )
      return examined(topic, configs ?? new Map<string, string | null>())
    })
    topics.push(...(await Promise.all(looks)))
    parts.onProgress?.(topics.length, there.length)
  }
  const [first] = brokers
  const broker = await seen('settings of brokers', new Map<string, string | null>(), async () =>
    first === undefined
      ? new Map<string, string | null>()
      : admin.describeConfig('broker', String(first.nodeId), { timeoutMs }),
  )
  const late = await seen<readonly LateGroup[]>('groups', [], () => lateGroups(parts, topics))
  const eligible = await seen<readonly PartitionReplicas[] | null>('eligible leader replicas', null, () =>
    admin.eligibleLeaders(
      topics.map(({ name }) => name),
      { timeoutMs },
    ),
  )
  const racks = new Map(brokers.map(({ nodeId, rack }) => [nodeId, rack]))
  const missing = wanted.filter((name) => !there.some((topic) => topic.name === name))
  const sides = sidesOf(defined, topics)
  const transactionTimeoutMs = producer.transactionTimeoutMs ?? null
  return {
    facts: {
      profile,
      needs,
      transactionTimeoutMs,
      cluster,
      racks,
      broker,
      topics,
      eligible: byTopic(eligible ?? []),
      missing,
      sides,
      late,
    },
    unseen,
  }
}

function byTopic(places: readonly PartitionReplicas[]): readonly TopicEligibility[] {
  const topics = [...new Set(places.map(({ topic }) => topic))]
  return topics.map((topic) => ({ topic, partitions: places.filter((place) => place.topic === topic) }))
}

function wantedTopics(
  named: readonly string[],
  defined: readonly DefinedTopic[],
  described: readonly TopicMetadata[],
): readonly string[] {
  if (named.length > 0) return named
  if (defined.length > 0) return defined.map(({ name }) => name)
  return described.filter(({ isInternal }) => !isInternal).map(({ name }) => name)
}

function examined({ name, partitions }: TopicMetadata, configs: ExaminedTopic['configs']): ExaminedTopic {
  return {
    name,
    replicas: partitions.map(({ replicas }) => replicas),
    partitions: partitions.map(({ leader, isr }) => ({ leader, isr })),
    configs,
  }
}

const deadLetterEnding = /[._-](dlq|dlt)$/i
const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** By `deadLettersOf` of the file, and by names: `orders.dlq` and `orders.retry.billing.10m` belong to `orders`. */
function sidesOf(defined: readonly DefinedTopic[], topics: readonly ExaminedTopic[]): readonly SideTopics[] {
  const names = [...new Set([...topics.map(({ name }) => name), ...defined.map(({ name }) => name)])]
  return names.flatMap((source): SideTopics[] => {
    const byFile = defined.find(({ deadLettersOf }) => deadLettersOf === source)?.name
    const byName = names.find((name) => deadLetterEnding.test(name) && name.replace(deadLetterEnding, '') === source)
    const deadLetter = byFile ?? byName ?? null
    const delayTopics = names
      .filter((name) => isDelayTopicOf(source, name))
      .map((topic) => ({ topic, source, delayMs: delayOf(topic) }))
    return deadLetter === null && delayTopics.length === 0 ? [] : [{ source, deadLetter, delayTopics }]
  })
}

function delayOf(topic: string): number {
  const [, number, unit] = /\.(\d+)(ms|s|m|h|d)$/.exec(topic) ?? []
  return Number(number) * (units[unit as string] ?? Number.NaN)
}

/** Groups that have not read what is older than most of what a topic keeps; of deleted records nobody can tell any more. */
async function lateGroups(
  { messaging, timeoutMs }: ExaminationParts,
  topics: readonly ExaminedTopic[],
): Promise<readonly LateGroup[]> {
  const { admin, clock } = messaging
  const listed = await admin.listGroups({ timeoutMs })
  const groups = listed.filter(({ type }) => type !== 'share').map(({ groupId }) => ({ group: groupId }))
  const seen = await seeAllOf(admin, groups, () => timeoutMs)
  const retention = new Map(topics.map(({ name, configs }) => [name, Number(configs.get('retention.ms') ?? -1)]))
  const behind = seen.flatMap(({ group, partitions }) =>
    partitions.flatMap(({ topic, partition, committed, end }) => {
      const retentionMs = retention.get(topic) ?? -1
      return committed === null || committed >= end || retentionMs <= 0
        ? []
        : [{ group, topic, partition, committed, retentionMs }]
    }),
  )
  const now = clock.wallTime()
  const byRetention = new Map<number, typeof behind>(behind.map(({ retentionMs }) => [retentionMs, []]))
  for (const place of behind) byRetention.get(place.retentionMs)?.push(place)
  const late = new Map<string, LateGroup & { readonly partitions: number[] }>()
  for (const [retentionMs, places] of byRetention) {
    const timestamp = Math.max(0, Math.round(now - retentionMs * lateShare))
    const young = await admin.listOffsets(places, { timestamp }, { timeoutMs })
    for (const [index, { group, topic, partition, committed }] of places.entries()) {
      if (committed >= (young[index] as number)) continue
      const key = JSON.stringify([group, topic])
      const one = late.get(key) ?? { group, topic, partitions: [], retentionMs }
      one.partitions.push(partition)
      late.set(key, one)
    }
  }
  return [...late.values()]
}
