import type { Kysely } from 'kysely'
import { keepTrying } from '../keep-trying.js'
import { insertNew } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Store } from '../store/store.js'
import { disorderSeconds, type Input } from './arrivals.js'
import { Intake, type IntakeOptions } from './intake.js'

export interface DeliverOptions extends IntakeOptions {
  readonly store: Store
  readonly rowsPerSend?: number
  readonly signal?: AbortSignal
  /** Told of each failure of the database, which is waited for. */
  readonly onTrouble?: (error: unknown) => void
  /** Told after each chunk that was acknowledged. */
  readonly onProgress?: (progress: { readonly sent: number; readonly total: number }) => void
}

/**
 * Delivers what has a place: rows of files. The checkpoint moves only after the acknowledgement, so a kill in between sends
 * a chunk again, and the readers know its rows by their ids. Behind each chunk every partition is told how far time has come.
 */
export async function deliver(
  { name, arrivals }: Input,
  {
    store,
    rowsPerSend = 500,
    signal = new AbortController().signal,
    onTrouble,
    onProgress,
    ...options
  }: DeliverOptions,
): Promise<number> {
  const intake = new Intake(options)
  const checkpoint = store.db.selectFrom('source_checkpoint').select('next_row').where('source', '=', name)
  const first = (await checkpoint.executeTakeFirst())?.next_row ?? 0
  for (let from = first; from < arrivals.length; from += rowsPerSend) {
    if (signal.aborted) return from - first
    const chunk = arrivals.slice(from, from + rowsPerSend)
    const nextRow = from + chunk.length
    await intake.take(chunk.map(({ event }) => event))
    await intake.tellTime(chunk.at(-1)?.at ?? 0)
    try {
      await keepTrying(() => moveCheckpoint(store.db, name, nextRow), signal, onTrouble)
    } catch {
      return from - first // it stops before the database has it
    }
    onProgress?.({ sent: nextRow, total: arrivals.length })
  }
  // Nothing more comes: the last rows need not wait for others.
  const end = arrivals.at(-1)
  if (end) await intake.tellTime(end.at + 2 * disorderSeconds)
  return arrivals.length - first
}

async function moveCheckpoint(db: Kysely<Schema>, source: string, nextRow: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await insertNew(tx, 'source_checkpoint', [{ source, next_row: 0 }])
    await tx.updateTable('source_checkpoint').set({ next_row: nextRow }).where('source', '=', source).execute()
  })
}
