import type { Store } from '../store/store.js'

/** A partition that comes, as its group and its log have it. */
export interface ComingPartition {
  readonly topic: string
  readonly partition: number
  /** Next offset of the group; `null` when it has none. */
  readonly committed: number | null
  /** Where the log begins. */
  readonly logStart: number
}

export interface StartingPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** What is decided before it was sent already, by whoever had the partition. */
  readonly sendFrom: number
}

/**
 * A database knows a partition's series up to where it judged them. Whatever was committed: reading starts there.
 *
 * | the database   | why                                          | what happens |
 * |----------------|----------------------------------------------|--------------|
 * | is ahead       | death between its transaction and the commit | records come again, and say what they said |
 * | is behind      | another instance, with another database, had the partition meanwhile; or this one was lost | it reads what it missed, and sends nothing of that |
 *
 * `send_from` outlives a second death in the middle of that: the commits then say less.
 */
export async function whereToStart(
  { db }: Store,
  grp: string,
  coming: readonly ComingPartition[],
): Promise<StartingPlace[]> {
  return db.transaction().execute(async (tx) => {
    const places: StartingPlace[] = []
    for (const { topic, partition, committed, logStart } of coming) {
      const place = { grp, topic, part: partition }
      const stored = await tx
        .selectFrom('consumer_offset')
        .select(['next_offset', 'send_from'])
        .where((where) => where.and(place))
        .executeTakeFirst()
      const sendFrom = Math.max(stored?.send_from ?? 0, committed ?? 0)
      if (stored) {
        await tx
          .updateTable('consumer_offset')
          .set({ send_from: sendFrom })
          .where((where) => where.and(place))
          .execute()
      } else {
        const row = { ...place, next_offset: logStart, epoch: 0, send_from: sendFrom }
        await tx.insertInto('consumer_offset').values(row).execute()
      }
      const known = Math.min(committed ?? logStart, stored?.next_offset ?? logStart)
      places.push({ topic, partition, offset: Math.max(logStart, known), sendFrom })
    }
    return places
  })
}
