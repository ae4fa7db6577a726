import type { Kysely } from 'kysely'
import { advanceOffset, claimPartition } from './consumer-offset.js'
import type { Schema } from './schema.js'
import type { Tx } from './store.js'

export interface BatchEnd {
  readonly topic: string
  readonly part: number
  /** Next offset to read after the batch. */
  readonly nextOffset: number
}

/** The partitions this process may write for, by the epochs it claimed. */
export class PartitionClaims {
  readonly #epochs = new Map<string, number>()

  constructor(private readonly grp: string) {}

  /**
   * Runs the batch's writes and moves the stored offset, in one transaction. Throws `FencedWriterError` when another
   * instance claimed the partition in between: then nothing was written.
   */
  async write(db: Kysely<Schema>, end: BatchEnd, work: (tx: Tx) => Promise<void>): Promise<void> {
    const place = { grp: this.grp, topic: end.topic, part: end.part }
    const name = `${end.topic}-${end.part}`
    // A transaction of its own: were the claim rolled back with failed work, this process would fence itself.
    const epoch = this.#epochs.get(name) ?? (await db.transaction().execute((tx) => claimPartition(tx, place)))
    this.#epochs.set(name, epoch)
    await db.transaction().execute(async (tx) => {
      await work(tx)
      await advanceOffset(tx, place, epoch, end.nextOffset)
    })
  }

  /** To call when partitions were given away: what comes back later must be claimed anew. */
  release(): void {
    this.#epochs.clear()
  }
}
