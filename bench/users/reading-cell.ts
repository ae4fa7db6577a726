import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpeedClient, Way } from './client.js'
import { isEnough, stopwatch, type Figures, type Span } from './figures.js'

export interface ReadingTask extends Span {
  readonly kind: 'reading'
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly way: Way
  /** In the topic: the first fifth of them warms up, the rest is measured. */
  readonly records: number
  /** From the first record that is handled: then it is warm though it has handled less than a fifth. */
  readonly warmMs: number
}

/** It may take so long to join. */
const joinMs = 30_000

/** Reads a topic from its beginning: the clock starts when it is warm, so joining and compiling are not in it. */
export async function runReading(client: SpeedClient, task: ReadingTask): Promise<Figures> {
  const span = { ...task, records: Math.floor((task.records * 4) / 5) }
  let handled = 0
  let atLast: (() => void) | null = null
  const consumer = await client.consumer({
    ...task,
    from: 'earliest',
    onHandled: (count) => {
      handled += count
      if (handled >= task.records) atLast?.()
    },
  })
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await sleep(20)
  }
  const begunAt = performance.now()
  await until(() => handled > 0 || performance.now() - begunAt > joinMs)
  const firstAt = performance.now()
  await until(() => handled >= task.records / 5 || performance.now() - firstAt > task.warmMs)
  const startedWith = handled
  const startedAt = performance.now()
  const stop = stopwatch()
  let figures: Figures | null = null
  const end = () => (figures ??= stop(handled - startedWith))
  atLast = end
  await until(() => figures !== null || isEnough(span, performance.now() - startedAt, handled - startedWith))
  const measured = end()
  await Promise.race([consumer.close(), sleep(3_000)])
  return measured
}
