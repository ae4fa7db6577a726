import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProducerSettings, SpeedClient, SpeedRecord } from './client.js'
import { percentiles, stopwatch, type Figures } from './figures.js'
import { valuesOf } from './values.js'

export interface SendingTask extends ProducerSettings {
  readonly kind: 'sending'
  readonly mode: 'awaited' | 'singles' | 'bulk'
  readonly keyed: boolean
  readonly bytes: number
  readonly warmMs: number
  readonly ms: number
}

const inFlight = { awaited: 1, singles: 4_096, bulk: 4 }
const bulk = 1_000

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
  await sleep(task.warmMs)
  done = 0
  if (task.mode === 'awaited') times = []
  const stop = stopwatch()
  await sleep(task.ms)
  const figures = stop(done * (isBulk ? bulk : 1))
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
