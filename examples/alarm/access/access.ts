import { setTimeout as sleep } from 'node:timers/promises'
import { insertNew } from 'tidemark/sql'
import type { Store } from '../store/store.js'
import { disorderSeconds, type Input } from './arrivals.js'
import { Intake, type IntakeOptions } from './intake.js'

const retryMs = 1_000

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
export async function deliver({ name, arrivals }: Input, options: DeliverOptions): Promise<number> {
  const { store, rowsPerSend = 500, signal = new AbortController().signal, onTrouble, onProgress } = options
  const intake = new Intake(options)
  const checkpoint = store.db.selectFrom('source_checkpoint').select('next_row').where('source', '=', name)
  const first = (await checkpoint.executeTakeFirst())?.next_row ?? 0
  let done = first
  /** The database may be down for as long as it likes. */
  const moveCheckpoint = async (nextRow: number): Promise<void> => {
    while (done < nextRow) {
      signal.throwIfAborted()
      try {
        await store.db.transaction().execute(async (tx) => {
          await insertNew(tx, 'source_checkpoint', [{ source: name, next_row: 0 }])
          await tx.updateTable('source_checkpoint').set({ next_row: nextRow }).where('source', '=', name).execute()
        })
        done = nextRow
      } catch (error) {
        onTrouble?.(error)
        await sleep(retryMs, undefined, { signal })
      }
    }
  }
  /** What follows the acknowledgement of rows, while the next ones are on their way. */
  const conclude = async (nextRow: number): Promise<void> => {
    await Promise.all([intake.tellTime(arrivals[nextRow - 1]?.at ?? 0), moveCheckpoint(nextRow)])
    onProgress?.({ sent: done, total: arrivals.length })
  }
  let concluding: Promise<void> | null = null
  try {
    for (let from = first; from < arrivals.length && !signal.aborted; from += rowsPerSend) {
      const chunk = arrivals.slice(from, from + rowsPerSend)
      await Promise.all([concluding, intake.take(chunk.map(({ event }) => event))])
      concluding = conclude(from + chunk.length)
    }
    await concluding
  } catch (error) {
    if (!signal.aborted) throw error
  }
  // Nothing more comes: the last rows need not wait for others.
  const end = arrivals.at(-1)
  if (end && done === arrivals.length) await intake.tellTime(end.at + 2 * disorderSeconds)
  return done - first
}
