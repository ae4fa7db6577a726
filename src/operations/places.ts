import { TidemarkError } from '../errors.js'
import type { TopicMetadata } from '../connection/requests/metadata.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Admin } from './admin.js'

/** What is asked for is not in the cluster. */
export class NotThere extends TidemarkError {
  override readonly name = 'NotThere'
  constructor(message: string) {
    super('not-there', message)
  }
}

/** A partition that nobody leads. */
export interface Leaderless extends TopicPartition {
  readonly reason: 'no-leader'
}

/** Partitions that can be asked, and those without a leader: whoever asked these too would wait in vain for all. */
export interface Places {
  readonly led: readonly TopicPartition[]
  readonly unseen: readonly Leaderless[]
}

interface Described {
  readonly name: string
  readonly partitions: readonly { readonly partition: number; readonly leader: number }[]
}

export function placesIn(topics: readonly Described[]): Places {
  const led: TopicPartition[] = []
  const unseen: Leaderless[] = []
  for (const { name: topic, partitions } of topics) {
    for (const { partition, leader } of partitions) {
      if (leader >= 0) led.push({ topic, partition })
      else unseen.push({ topic, partition, reason: 'no-leader' })
    }
  }
  return { led, unseen }
}

export function leaderlessOf(topic: string, partitions: readonly number[]): readonly Leaderless[] {
  return partitions.map((partition) => ({ topic, partition, reason: 'no-leader' }))
}

/**
 * These topics, or with `null` all.
 *
 * @throws NotThere where one of them does not exist
 */
export async function describeNamed(
  admin: Pick<Admin, 'describeTopics'>,
  names: readonly string[] | null,
  call: { readonly timeoutMs: number },
): Promise<readonly TopicMetadata[]> {
  const described = await admin.describeTopics(names, call)
  const missing = names?.find((name) => !described.some((topic) => topic.name === name))
  if (missing !== undefined) throw new NotThere(`topic ${missing} does not exist; correct its name`)
  return described
}

/**
 * The partitions of one topic, or one of them.
 *
 * @throws NotThere where there is no such topic, or no such partition
 */
export async function placesOfTopic(
  admin: Pick<Admin, 'describeTopics'>,
  name: string,
  only: number | undefined,
  call: { readonly timeoutMs: number },
): Promise<Places> {
  const described = await describeNamed(admin, [name], call)
  const partitions = described
    .flatMap((topic) => topic.partitions)
    .filter(({ partition }) => only === undefined || partition === only)
  if (only !== undefined && partitions.length === 0) throw new NotThere(`topic ${name} has no partition ${only}`)
  return placesIn([{ name, partitions }])
}

/** @throws TidemarkError `no-leader` where what is asked would be told of a part as of the whole */
export function requireLed(unseen: readonly Leaderless[]): void {
  if (unseen.length > 0) throw new TidemarkError('no-leader', leaderlessText(unseen))
}

export function leaderlessText(unseen: readonly Leaderless[]): string {
  return `not looked at, without a leader: ${unseen.map(({ topic, partition }) => `${topic}-${partition}`).join(', ')}`
}
