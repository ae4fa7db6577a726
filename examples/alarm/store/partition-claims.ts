import { insertNew } from './insert-new.js'
import { locked, type Store, type Tx } from './store.js'

export interface BatchEnd {
  readonly topic: string
  readonly part: number
  /** Next offset to read after the batch. */
  readonly nextOffset: number
}

/** Another instance took the partition over; what this one still holds must not be written. */
export class FencedWriterError extends Error {
  override readonly name = 'FencedWriterError'
  constructor(grp: string, { topic, part }: BatchEnd, epoch: number) {
    super(
      `${grp} may no longer write for ${topic}-${part}: another instance claimed it after epoch ${epoch}; ` +
        'nothing of this batch was stored, the new owner has it',
    )
  }
}

/** The partitions this process may write for, by the epochs it claimed. */
export class PartitionClaims {
  readonly #epochs = new Map<string, number>()

  constructor(private readonly grp: string) {}

  /**
   * Runs the batch's writes and moves the stored offset forward, never back, in one transaction. Throws
   * `FencedWriterError` when another instance claimed the partition in between: then nothing was written.
   */
  async write<Result>(db: Store['db'], end: BatchEnd, work: (tx: Tx) => Promise<Result>): Promise<Result> {
    const name = `${end.topic}-${end.part}`
    // A transaction of its own: were the claim rolled back with failed work, this process would fence itself.
    const epoch = this.#epochs.get(name) ?? (await db.transaction().execute((tx) => this.#claim(tx, end)))
    this.#epochs.set(name, epoch)
    return db.transaction().execute(async (tx) => {
      // First of all: two writers of a partition come one after another.
      const stored = await this.#read(tx, end)
      if (stored?.epoch !== epoch) throw new FencedWriterError(this.grp, end, epoch)
      const result = await work(tx)
      if (stored.next_offset < end.nextOffset) await this.#set(tx, end, { next_offset: end.nextOffset })
      return result
    })
  }

  /** To call when partitions were given away: what comes back later must be claimed anew. */
  release(): void {
    this.#epochs.clear()
  }

  /** Makes the caller the partition's one writer: from now on, holders of a lower epoch are refused. */
  async #claim(tx: Tx, end: BatchEnd): Promise<number> {
    await insertNew(tx, 'consumer_offset', [{ ...this.#place(end), next_offset: 0, epoch: 0 }])
    const epoch = ((await this.#read(tx, end))?.epoch ?? 0) + 1
    await this.#set(tx, end, { epoch })
    return epoch
  }

  #place({ topic, part }: BatchEnd): { grp: string; topic: string; part: number } {
    return { grp: this.grp, topic, part }
  }

  #read(tx: Tx, end: BatchEnd): Promise<{ epoch: number; next_offset: number } | undefined> {
    const query = tx.selectFrom('consumer_offset').select(['epoch', 'next_offset'])
    return locked(
      tx,
      query.where((where) => where.and(this.#place(end))),
    ).executeTakeFirst()
  }

  async #set(tx: Tx, end: BatchEnd, change: { epoch: number } | { next_offset: number }): Promise<void> {
    const update = tx.updateTable('consumer_offset').set(change)
    await update.where((where) => where.and(this.#place(end))).execute()
  }
}
