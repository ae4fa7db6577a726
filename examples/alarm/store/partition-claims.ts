import { insertNew, is, locked } from './queries.js'
import type { Schema } from './schema.js'
import type { Store, Tx } from './store.js'

interface Partition {
  readonly topic: string
  readonly partition: number
}

/** A partition that comes, with the next offset of its group; `null` when it has none. */
export interface ComingPartition extends Partition {
  readonly committed: number | null
}

/** Another instance took the partition over; what this one still holds must not be written. */
export class FencedWriterError extends Error {
  override readonly name = 'FencedWriterError'
  constructor(grp: string, { topic, partition }: Partition, epoch: number) {
    super(
      `${grp} may no longer write for ${topic}-${partition}: another instance claimed it after epoch ${epoch}; ` +
        'nothing of this batch was stored, the new owner has it',
    )
  }
}

/** The partitions that this process may write for, by the epochs it claimed, and how far the database has each. */
export class PartitionClaims {
  readonly #epochs = new Map<string, number>()

  constructor(
    private readonly db: Store['db'],
    private readonly grp: string,
  ) {}

  /**
   * Makes the caller the one writer of partitions that come (`onAssigned`): from now on holders of a lower epoch are refused.
   * Returns how far the database has each; `send_from`: up to there somebody had said what was decided.
   */
  async take(coming: readonly ComingPartition[]): Promise<Schema['consumer_offset'][]> {
    const taken: Schema['consumer_offset'][] = []
    for (const one of coming) {
      const stored = await this.db.transaction().execute((tx) => this.#take(tx, one))
      const name = `${one.topic}-${one.partition}`
      // Asked again before it has answered, the first answer may come last.
      this.#epochs.set(name, Math.max(stored.epoch, this.#epochs.get(name) ?? 0))
      taken.push(stored)
    }
    return taken
  }

  /**
   * Runs a batch's writes and moves the stored offset forward, never back, in one transaction. Throws `FencedWriterError`
   * when another instance claimed the partition in between: then nothing was written.
   */
  async write<Result>(of: Partition, work: (tx: Tx) => Promise<Result>, nextOffset = 0): Promise<Result> {
    const epoch = this.#epochs.get(`${of.topic}-${of.partition}`) ?? 0
    return this.db.transaction().execute(async (tx) => {
      // First of all: two writers of a partition come one after another.
      const stored = await this.#read(tx, of)
      if (stored?.epoch !== epoch) throw new FencedWriterError(this.grp, of, epoch)
      const result = await work(tx)
      if (stored.next_offset < nextOffset) await this.#set(tx, of, { next_offset: nextOffset })
      return result
    })
  }

  async #take(tx: Tx, { committed, ...of }: ComingPartition): Promise<Schema['consumer_offset']> {
    const fresh = { ...this.#place(of), next_offset: 0, epoch: 0, send_from: 0 }
    await insertNew(tx, 'consumer_offset', [fresh])
    const stored = (await this.#read(tx, of)) ?? fresh
    // It outlives a second death while that is read again: the commits then say less. Without one the log may be another.
    const send_from = committed === null ? 0 : Math.max(stored.send_from, committed)
    const claimed = { epoch: stored.epoch + 1, send_from }
    await this.#set(tx, of, claimed)
    return { ...stored, ...claimed }
  }

  #place({ topic, partition }: Partition): { grp: string; topic: string; part: number } {
    return { grp: this.grp, topic, part: partition }
  }

  #read(tx: Tx, of: Partition) {
    const query = tx
      .selectFrom('consumer_offset')
      .selectAll()
      .where(is(this.#place(of)))
    return locked(tx, query).executeTakeFirst()
  }

  async #set(tx: Tx, of: Partition, change: Partial<Schema['consumer_offset']>): Promise<void> {
    await tx
      .updateTable('consumer_offset')
      .set(change)
      .where(is(this.#place(of)))
      .execute()
  }
}
