import type { Tx } from './store.js'

export interface PartitionOfGroup {
  readonly grp: string
  readonly topic: string
  readonly part: number
}

/** Another instance took the partition over; what this one still holds must not be written. */
export class FencedWriterError extends Error {
  override readonly name = 'FencedWriterError'
  constructor(place: PartitionOfGroup, epoch: number) {
    super(
      `${place.grp} may no longer write for ${place.topic}-${place.part}: another instance claimed it after ` +
        `epoch ${epoch}; nothing of this batch was stored, the new owner has it`,
    )
  }
}

/** Makes the caller the partition's one writer: from now on, holders of a lower epoch are refused. */
export async function claimPartition(tx: Tx, place: PartitionOfGroup): Promise<number> {
  const stored = await find(tx, place)
  if (!stored) {
    await tx
      .insertInto('consumer_offset')
      .values({ ...place, next_offset: 0, epoch: 1 })
      .execute()
    return 1
  }
  const epoch = stored.epoch + 1
  await update(tx, place).set({ epoch }).execute()
  return epoch
}

/**
 * Moves the stored offset forward, in the transaction that stores the work itself; never back. Throws
 * `FencedWriterError`, and so rolls the work back, if the partition was claimed by another since.
 */
export async function advanceOffset(tx: Tx, place: PartitionOfGroup, epoch: number, nextOffset: number): Promise<void> {
  const stored = await find(tx, place)
  if (!stored || stored.epoch !== epoch) throw new FencedWriterError(place, epoch)
  if (stored.next_offset < nextOffset) await update(tx, place).set({ next_offset: nextOffset }).execute()
}

function find(tx: Tx, { grp, topic, part }: PartitionOfGroup) {
  return tx
    .selectFrom('consumer_offset')
    .select(['epoch', 'next_offset'])
    .where('grp', '=', grp)
    .where('topic', '=', topic)
    .where('part', '=', part)
    .executeTakeFirst()
}

function update(tx: Tx, { grp, topic, part }: PartitionOfGroup) {
  return tx.updateTable('consumer_offset').where('grp', '=', grp).where('topic', '=', topic).where('part', '=', part)
}
