import { insertNew, sqlPositions } from 'tidemark/sql'
import { applyEvents } from '../../examples/alarm/alert/apply-events.js'
import { judgeBatch, type Arrived } from '../../examples/alarm/detect/judge-batch.js'
import { groupBy } from '../../examples/alarm/group-by.js'
import { AlertEvent, alerts, RawEvent, rawEvents } from '../../examples/alarm/topics.js'
import type { RunningStages, Task } from './run.js'

const rowsPerCheckpoint = 500
/** As many as make batches of the size that the peer has: about 700 rows of a partition. */
const rowsAtOnce = 2_800
/** Nobody takes a partition away. */
const call = { signal: new AbortController().signal }

/**
 * The stages alone, one calling the other: the same rows as JSON, the same judgement, tables and transactions in the largest
 * batches that the others have, and nothing told. With whatever client of Kafka it cannot be faster.
 */
export async function withoutKafka({ arrivals, book, stores }: Task): Promise<RunningStages> {
  const detected = sqlPositions(stores.detect.db, { group: 'detect' })
  const applied = sqlPositions(stores.alert.db, { group: 'alert' })
  const done = { judged: 0, decided: 0, applied: 0 }
  const partitions = Array.from({ length: rawEvents.partitions }, (_, partition) => partition)
  await detected.take(partitions.map((partition) => ({ topic: rawEvents.name, partition, committed: null })))
  await applied.take([{ topic: alerts.name, partition: 0, committed: null }])

  const judge = async (partition: number, values: readonly string[], first: number): Promise<string[]> => {
    const rows = values.map((value, index): Arrived => {
      return { partition, offset: first + index, value: RawEvent.parse(JSON.parse(value)) }
    })
    const { events, save } = await judgeBatch(stores.detect.db, book, rows)
    const next = first + rows.length
    await detected.transaction(call, { topic: rawEvents.name, partition }, next, (tx) => save(tx, next))
    done.judged += rows.length
    done.decided += events.length
    return events.map(({ event }) => JSON.stringify(event))
  }

  const apply = async (values: readonly string[]): Promise<void> => {
    const events = values.map((value) => AlertEvent.parse(JSON.parse(value)))
    const next = done.applied + events.length
    const nothing = async (): Promise<void> => undefined
    await applied.transaction(call, { topic: alerts.name, partition: 0 }, next, (tx) =>
      applyEvents(tx, nothing, events),
    )
    done.applied = next
  }

  const checkpoint = (row: number): Promise<void> =>
    stores.access.db.transaction().execute(async (tx) => {
      await insertNew(tx, 'source_checkpoint', [{ source: 'w2', next_row: 0 }])
      await tx.updateTable('source_checkpoint').set({ next_row: row }).where('source', '=', 'w2').execute()
    })

  return {
    deliver: async () => {
      const ends = new Map<number, number>()
      for (let from = 0; from < arrivals.length; from += rowsAtOnce) {
        const rows = arrivals.slice(from, from + rowsAtOnce).map(({ event }) => RawEvent.parse(event))
        for (let row = from; row < from + rows.length; row += rowsPerCheckpoint) await checkpoint(row)
        const decided: string[] = []
        for (const [partition, some] of groupBy(rows, ({ bk_biz_id }) => bk_biz_id % rawEvents.partitions)) {
          const first = ends.get(partition) ?? 0
          ends.set(partition, first + some.length)
          decided.push(
            ...(await judge(
              partition,
              some.map((row) => JSON.stringify(row)),
              first,
            )),
          )
        }
        if (decided.length > 0) await apply(decided)
      }
    },
    progress: () => ({ ...done, untold: () => Promise.resolve(0) }),
    stop: () => Promise.resolve(),
  }
}
