import type { Kysely } from 'kysely'
import type { Messaging } from 'tidemark'
import { insertNew } from '../store/insert-new.js'
import type { Schema } from '../store/schema.js'
import type { Store } from '../store/store.js'
import { readSource, sourceName, type Source } from '../sources.js'
import { rawEvents, type RawEvent } from '../topics.js'

export interface AccessOptions {
  readonly messaging: Messaging
  readonly store: Store
  readonly sources: readonly Source[]
  readonly rowsPerSend?: number
  readonly signal?: AbortSignal
  /** Told after each chunk that was acknowledged. */
  readonly onProgress?: (progress: { readonly source: Source; readonly sent: number; readonly total: number }) => void
}

/**
 * Replays the sources side by side, each in file order. The checkpoint moves only after the acknowledgement, so a kill
 * in between sends a chunk again, and the readers know its rows by their ids.
 *
 * @returns rows sent by this call
 */
export async function replay(options: AccessOptions): Promise<number> {
  const producer = options.messaging.producer()
  const sent = await Promise.all(
    options.sources.map((source) =>
      replaySource(options, source, async (events) => {
        await producer.sendMany(rawEvents, events)
      }),
    ),
  )
  return sent.reduce((sum, rows) => sum + rows, 0)
}

async function replaySource(
  { store, rowsPerSend = 500, signal, onProgress }: AccessOptions,
  source: Source,
  send: (events: RawEvent[]) => Promise<void>,
): Promise<number> {
  const rows = await readSource(source)
  const first = await readCheckpoint(store.db, source)
  for (let from = first; from < rows.length; from += rowsPerSend) {
    if (signal?.aborted) return from - first
    const chunk = rows.slice(from, from + rowsPerSend)
    await send(chunk)
    await moveCheckpoint(store.db, source, from + chunk.length)
    onProgress?.({ source, sent: from + chunk.length, total: rows.length })
  }
  return rows.length - first
}

async function readCheckpoint(db: Kysely<Schema>, source: Source): Promise<number> {
  const row = await db
    .selectFrom('source_checkpoint')
    .select('next_row')
    .where('source', '=', sourceName(source))
    .executeTakeFirst()
  return row?.next_row ?? 0
}

async function moveCheckpoint(db: Kysely<Schema>, source: Source, nextRow: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await insertNew(tx, 'source_checkpoint', [{ source: sourceName(source), next_row: 0 }])
    await tx
      .updateTable('source_checkpoint')
      .set({ next_row: nextRow })
      .where('source', '=', sourceName(source))
      .execute()
  })
}
