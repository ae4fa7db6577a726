import { setTimeout as sleep } from 'node:timers/promises'
import type { SpeedClient, Way } from './client.js'
import { stopwatch, type Figures } from './figures.js'

export interface ReadingTask {
  readonly kind: 'reading'
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly way: Way
  /** In the topic. The first fifth is not measured. */
  readonly records: number
  /** What was handled by then counts. */
  readonly mostMs: number
}

/** Reads a topic from its beginning: the clock starts when a fifth is handled, so joining and compiling are not in it. */
export async function runReading(client: SpeedClient, task: ReadingTask): Promise<Figures> {
  const warm = Math.floor(task.records / 5)
  let handled = 0
  let stop: ((count: number) => Figures) | null = null
  let result: Figures | null = null
  let finish!: () => void
  const finished = new Promise<void>((resolve) => (finish = resolve))
  const end = () => {
    result ??= stop === null ? { perSecond: 0, count: 0 } : stop(handled - startedWith)
    finish()
  }
  let startedWith = 0
  const consumer = await client.consumer({
    ...task,
    from: 'earliest',
    onHandled: (count) => {
      handled += count
      if (stop === null && handled >= warm) {
        startedWith = handled
        stop = stopwatch()
        void sleep(task.mostMs).then(end)
      }
      if (handled >= task.records) end()
    },
  })
  await Promise.race([finished, sleep(task.mostMs + 30_000).then(end)])
  await Promise.race([consumer.close(), sleep(3_000)])
  return result ?? { perSecond: 0, count: 0 }
}
