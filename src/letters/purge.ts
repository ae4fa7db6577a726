import type { Admin } from '../operations/admin.js'
import { placesOfTopic, type Leaderless } from '../operations/places.js'

/** What of one partition is to go, and where it begins and ends. */
export interface PurgedPart {
  readonly partition: number
  readonly from: number
  /** First offset that stays. */
  readonly before: number
  /** Offsets between: where transactions wrote, or records were compacted away, there are fewer letters. */
  readonly letters: number
}

export interface PurgeScope {
  /** Written before that time. Default: all that is there. */
  readonly until?: number | undefined
  readonly partition?: number | undefined
}

export interface PurgePlan {
  readonly parts: readonly PurgedPart[]
  /** Nobody leads these: what is in them stays. */
  readonly unseen: readonly Leaderless[]
}

/** What a purge would delete, by partition. What comes later stays. */
export async function planPurge(
  admin: Pick<Admin, 'describeTopics' | 'listOffsets'>,
  topic: string,
  { until, partition: only }: PurgeScope,
  call: { readonly timeoutMs: number },
): Promise<PurgePlan> {
  const { led: places, unseen } = await placesOfTopic(admin, topic, only, call)
  const [starts, ends] = await Promise.all([
    admin.listOffsets(places, 'earliest', call),
    admin.listOffsets(places, until === undefined ? 'latest' : { timestamp: until }, call),
  ])
  const parts = places.flatMap(({ partition }, index): PurgedPart[] => {
    const [from, before] = [starts[index] as number, ends[index] as number]
    return before > from ? [{ partition, from, before, letters: before - from }] : []
  })
  return { parts, unseen }
}

/** Deletes exactly what was planned, for good. */
export async function purge(
  admin: Pick<Admin, 'deleteRecords'>,
  topic: string,
  parts: readonly PurgedPart[],
  call: { readonly timeoutMs: number },
): Promise<void> {
  const records = parts.map(({ partition, before }) => ({ topic, partition, before }))
  await admin.deleteRecords(records, call)
}
