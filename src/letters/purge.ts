import type { Admin } from '../operations/admin.js'
import { NotThere } from './read-records.js'

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

/** What a purge would delete, by partition. What comes later stays. */
export async function planPurge(
  admin: Pick<Admin, 'describeTopics' | 'listOffsets'>,
  topic: string,
  { until, partition: only }: PurgeScope,
  call: { readonly timeoutMs: number },
): Promise<readonly PurgedPart[]> {
  const [described] = await admin.describeTopics([topic], call)
  if (described === undefined) throw new NotThere(`topic ${topic} does not exist; correct its name`)
  const places = described.partitions
    .filter(({ partition }) => only === undefined || partition === only)
    .map(({ partition }) => ({ topic, partition }))
  if (places.length === 0) throw new NotThere(`topic ${topic} has no partition ${only}`)
  const [starts, ends] = await Promise.all([
    admin.listOffsets(places, 'earliest', call),
    admin.listOffsets(places, until === undefined ? 'latest' : { timestamp: until }, call),
  ])
  return places.flatMap(({ partition }, index) => {
    const [from, before] = [starts[index] as number, ends[index] as number]
    return before > from ? [{ partition, from, before, letters: before - from }] : []
  })
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
