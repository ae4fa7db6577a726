import type { ConsumerOptions } from 'tidemark'
import type { Library } from './library.js'
import { countTo, measure, type Measured } from './measure.js'
import { openTidemark } from './open-tidemark.js'

export type Way = Pick<ConsumerOptions, 'order' | 'concurrency' | 'retry' | 'outage'> & {
  handle?: () => unknown
  handleBatch?: () => unknown
}

/** A topic that holds `records` records. */
export interface FilledTopic {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly records: number
}

export async function tidemarkConsumes(library: Library, filled: FilledTopic): Promise<readonly Measured[]> {
  const nothing = () => undefined
  const ways: Readonly<Record<string, Way>> = {
    'tidemark handleBatch': { handleBatch: nothing },
    'tidemark by message, order by partition': { handle: nothing },
    'tidemark by message, by key, 64 lanes': { order: 'key', concurrency: 64, handle: nothing },
  }
  const results: Measured[] = []
  for (const [name, way] of Object.entries(ways)) results.push(await tidemarkReads(library, filled, name, way))
  return results
}

let groups = 0
export const freshGroup = () => `bench-${process.pid}-${(groups += 1)}`

export async function tidemarkReads(
  library: Library,
  { brokers, topic: name, records }: FilledTopic,
  title: string,
  way: Way,
): Promise<Measured> {
  const { bytes, defineTopic } = library.tidemark
  const messaging = openTidemark(library, brokers)
  const topic = defineTopic({ name, value: bytes() })
  const handled = countTo(records)
  const shared = {
    group: freshGroup(),
    topics: [topic],
    from: 'earliest' as const,
    ...(way.order && { order: way.order }),
    ...(way.concurrency && { concurrency: way.concurrency }),
    ...(way.retry !== undefined && { retry: way.retry }),
    ...(way.outage !== undefined && { outage: way.outage }),
  }
  const consumer =
    way.handleBatch === undefined
      ? messaging.consumer({
          ...shared,
          handle: () => {
            const work = way.handle?.()
            if (work instanceof Promise) return work.then(() => handled.add(1))
            handled.add(1)
            return undefined
          },
        })
      : messaging.consumer({ ...shared, handleBatch: (messages) => handled.add(messages.length) })
  try {
    return await measure(title, async () => {
      await consumer.start()
      await handled.reached
      return records
    })
  } finally {
    await messaging.close()
  }
}
