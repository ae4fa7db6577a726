import type { Kysely } from 'kysely'
import type { Messaging, Producer } from 'tidemark'
import { heartbeatId } from '../ids.js'
import type { Source } from '../sources.js'
import { insertNew } from '../store/insert-new.js'
import type { Schema } from '../store/schema.js'
import type { Store } from '../store/store.js'
import { jsonTopics, type AlarmTopics, type RawEvent } from '../topics.js'
import { disorderSeconds, readArrivals, replayName } from './arrivals.js'

export interface AccessOptions {
  readonly messaging: Messaging
  readonly store: Store
  readonly sources: readonly Source[]
  readonly topics?: AlarmTopics
  readonly rowsPerSend?: number
  readonly signal?: AbortSignal
  /** Told after each chunk that was acknowledged. */
  readonly onProgress?: (progress: { readonly sent: number; readonly total: number }) => void
}

/**
 * Replays the sources in the order in which their rows come in. The checkpoint moves only after the acknowledgement, so a
 * kill in between sends a chunk again, and the readers know its rows by their ids.
 *
 * Behind each chunk every partition is told how far time has come, also those that had no row: who puts records in order by
 * time has to know that nothing older is under way.
 *
 * @returns rows sent by this call
 */
export async function replay({
  messaging,
  store,
  sources,
  topics = jsonTopics,
  rowsPerSend = 500,
  signal,
  onProgress,
}: AccessOptions): Promise<number> {
  const producer = messaging.producer()
  const arrivals = await readArrivals(sources)
  const name = replayName(sources)
  const first = await readCheckpoint(store.db, name)
  for (let from = first; from < arrivals.length; from += rowsPerSend) {
    if (signal?.aborted) return from - first
    const chunk = arrivals.slice(from, from + rowsPerSend)
    await producer.sendMany(
      topics.rawEvents,
      chunk.map(({ event }) => event),
    )
    await tellTime(producer, chunk.at(-1)?.at ?? 0, topics)
    await moveCheckpoint(store.db, name, from + chunk.length)
    onProgress?.({ sent: from + chunk.length, total: arrivals.length })
  }
  // Nothing more comes: the last rows need not wait for others.
  const end = arrivals.at(-1)
  if (end) await tellTime(producer, end.at + 2 * disorderSeconds, topics)
  return arrivals.length - first
}

/** Tells every partition that nothing from more than `disorderSeconds` before this time is under way. */
export async function tellTime(
  producer: Producer,
  seconds: number,
  { rawEvents }: Pick<AlarmTopics, 'rawEvents'> = jsonTopics,
): Promise<void> {
  const partitions = Array.from({ length: rawEvents.partitions }, (_, partition) => partition)
  await Promise.all(
    partitions.map((partition) => producer.send(rawEvents, heartbeat(partition, seconds), { partition })),
  )
}

function heartbeat(partition: number, seconds: number): RawEvent {
  return {
    event_id: heartbeatId(partition, seconds),
    event_type: 'heartbeat',
    raw_data: { metric: 'access.heartbeat', value: 1, dimensions: {} },
    timestamp: seconds,
    bk_biz_id: 0,
    event_source: 'access',
    priority: 3,
  }
}

async function readCheckpoint(db: Kysely<Schema>, source: string): Promise<number> {
  const row = await db
    .selectFrom('source_checkpoint')
    .select('next_row')
    .where('source', '=', source)
    .executeTakeFirst()
  return row?.next_row ?? 0
}

async function moveCheckpoint(db: Kysely<Schema>, source: string, nextRow: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await insertNew(tx, 'source_checkpoint', [{ source, next_row: 0 }])
    await tx.updateTable('source_checkpoint').set({ next_row: nextRow }).where('source', '=', source).execute()
  })
}
