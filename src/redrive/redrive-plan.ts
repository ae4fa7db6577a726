import { ConfigError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { intersectRanges, type OffsetRange } from '../offsets/offset-range.js'
import { progressOf } from '../offsets/progress.js'
import type { Admin } from '../operations/admin.js'
import { placesIn, type Places } from '../operations/places.js'
import type { ResolvedRedrive } from './redrive-options.js'
import { momentOf } from './selection.js'

/** One partition of the dead-letter topic, as it stood when the run began. */
export interface RedrivePart extends TopicPartition {
  /** The first offset that is meant. */
  readonly from: number
  /** The run does not go beyond: letters that come back meanwhile are not redriven in a circle. */
  readonly end: number
  /** Where the redrive goes on. */
  readonly start: number
  /** What its group has committed; `null` when nothing. */
  readonly committed: number | null
  /** Done already, beyond what is committed. */
  readonly completed: readonly OffsetRange[]
}

export interface RedrivePlan {
  readonly parts: readonly RedrivePart[]
  /** Partitions without a leader: nobody can tell what is in them. */
  readonly unseen: readonly number[]
  /** Partitions that letters may go to and that have no leader: what belongs there waits until they have one. */
  readonly leaderless: readonly TopicPartition[]
  /** Offsets that former runs of this redrive have done. */
  readonly passedBefore: number
  /** Offsets that the topic deleted before this redrive came to them, as far as its progress tells. */
  readonly expired: number
}

/**
 * Looks at the topics, and at what the redrive has done before. Changes nothing.
 *
 * @throws ConfigError when a topic does not exist
 */
export async function planRedrive(admin: Admin, redrive: ResolvedRedrive): Promise<RedrivePlan> {
  const { led: places, unseen, leaderless } = await placesOf(admin, redrive)
  const { written = {}, offsets = {} } = redrive.select
  const [begins, ends, froms, tos] = await Promise.all([
    admin.listOffsets(places, 'earliest'),
    admin.listOffsets(places, 'latest', { isolation: 'read-committed' }),
    offsetsAt(admin, places, momentOf(written.from)),
    offsetsAt(admin, places, momentOf(written.to)),
  ])
  const commits = await admin.committedOffsets(redrive.group, places)
  let passedBefore = 0
  let expired = 0
  const parts = places.map((place, index): RedrivePart => {
    const begin = begins[index] as number
    const from = Math.max(begin, froms[index] ?? 0, offsets.from ?? 0)
    const end = Math.min(ends[index] as number, tos[index] ?? Infinity, offsets.to ?? Infinity)
    const commit = commits.find(({ partition }) => partition === place.partition)
    const committed = commit?.offset ?? null
    const completed = commit === undefined ? [] : progressOf(commit).completed
    if (committed !== null) {
      const done = intersectRanges([{ from, to: end }], [{ from: 0, to: committed }, ...completed])
      passedBefore += done.reduce((sum, range) => sum + range.to - range.from, 0)
      expired += Math.max(0, begin - committed)
    }
    return {
      ...place,
      from,
      end,
      start: Math.max(from, committed ?? 0),
      committed,
      completed,
    }
  })
  return { parts, unseen: unseen.map(({ partition }) => partition), leaderless, passedBefore, expired }
}

/** Is something of it still to be looked at? */
export function hasWork({ start, end }: RedrivePart): boolean {
  return start < end
}

async function placesOf(admin: Admin, redrive: ResolvedRedrive): Promise<Places & Pick<RedrivePlan, 'leaderless'>> {
  const { from, allow, parking, defaultOrigin, select } = redrive
  const named: readonly (readonly [path: string, topic: string | undefined])[] = [
    ['from', from],
    ...allow.map((topic) => ['allow', topic] as const),
    ['parking', parking],
    ['defaultOrigin', defaultOrigin],
  ]
  const topics = await admin.describeTopics([...new Set(named.flatMap(([, topic]) => topic ?? []))])
  const issues = named.flatMap(([path, name]) =>
    name === undefined || topics.some((topic) => topic.name === name)
      ? []
      : [{ path, message: `topic ${name} does not exist`, fix: 'look at its name, or create it' }],
  )
  if (issues.length > 0) throw new ConfigError('redrive', issues)
  const partitions = topics.find(({ name }) => name === from)?.partitions ?? []
  const missing = select.partitions?.find((one) => !partitions.some(({ partition }) => partition === one))
  if (missing !== undefined) {
    const message = `names partition ${missing}, and ${from} has ${partitions.length}`
    throw new ConfigError('redrive', [{ path: 'select.partitions', message, fix: 'name some of those' }])
  }
  const meant = partitions.filter(({ partition }) => select.partitions?.includes(partition) ?? true)
  const { unseen } = placesIn(topics.filter(({ name }) => name !== from))
  const leaderless = unseen.map(({ topic, partition }): TopicPartition => ({ topic, partition }))
  return { ...placesIn([{ name: from, partitions: meant }]), leaderless }
}

async function offsetsAt(
  admin: Admin,
  places: readonly TopicPartition[],
  timestamp: number | null,
): Promise<readonly (number | undefined)[]> {
  return timestamp === null ? places.map(() => undefined) : admin.listOffsets(places, { timestamp })
}
