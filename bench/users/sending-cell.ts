import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProducerSettings, SpeedClient, SpeedRecord } from './client.js'
import { isEnough, percentiles, stopwatch, type Figures, type Span } from './figures.js'
import { valuesOf } from './values.js'

export interface SendingTask extends ProducerSettings, Span {
  readonly kind: 'sending'
  readonly mode: 'awaited' | 'singles' | 'bulk'
  readonly keyed: boolean
  readonly bytes: number
  /** At least: it lasts until sends are answered, too. */
  readonly warmMs: number
}

const inFlight = { awaited: 1, singles: 4_096, bulk: 4 }
const bulk = 1_000
/** A client whose sends are not answered by then is measured as it is. */
const warmMostMs = 40_000

/** Sends for as long as it is told, after a while that is not measured. */
export async function runSending(client: SpeedClient, task: SendingTask): Promise<Figures> {
  const producer = await client.producer(task)
  const records = recordsOf(task)
  const bulks = Array.from({ length: 16 }, (_, index) => records.slice(index * bulk, (index + 1) * bulk))
  const isBulk = task.mode === 'bulk'
  let sent = 0
  let done = 0
  let ended = false
  let times: number[] | null = null
  const worker = async () => {
    while (!ended) {
      const index = sent++
      const startedAt = times === null ? 0 : performance.now()
      if (isBulk) await producer.sendMany(bulks[index % bulks.length] ?? [])
      else await producer.send(records[index % records.length] as SpeedRecord)
      // One that was on its way when measuring began has no beginning.
      if (startedAt > 0) times?.push(performance.now() - startedAt)
      done += 1
    }
  }
  const workers = Array.from({ length: inFlight[task.mode] }, worker)
  const warmUntil = performance.now() + warmMostMs
  await sleep(task.warmMs)
  // What was in flight at first may have waited for logs to be made, and for connections.
  while (done < 2 * inFlight[task.mode] && performance.now() < warmUntil) await sleep(50)
  done = 0
  if (task.mode === 'awaited') times = []
  const stored = () => done * (isBulk ? bulk : 1)
  const startedAt = performance.now()
  const stop = stopwatch()
  do await sleep(50)
  while (!isEnough(task, performance.now() - startedAt, stored()))
  const figures = stop(stored())
  ended = true
  await Promise.all(workers)
  await producer.close()
  return times === null ? figures : { ...figures, ...percentiles(Float64Array.from(times)) }
}

/** 4,096 keys, as a fleet of devices has. */
function recordsOf({ keyed, bytes }: SendingTask): readonly SpeedRecord[] {
  const values = valuesOf(bytes)
  return Array.from({ length: 16_384 }, (_, index) => ({
    key: keyed ? `device-${index % 4_096}` : null,
    value: values[index % values.length] as Buffer,
  }))
}
