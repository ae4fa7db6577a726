import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpeedClient } from './client.js'
import { percentiles, stopwatch, type Figures } from './figures.js'

export interface LatencyTask {
  readonly kind: 'latency'
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly perSecond: number
  readonly bytes: number
  readonly warmMs: number
  readonly ms: number
}

const keys = Array.from({ length: 4_096 }, (_, index) => `device-${index}`)

/**
 * From when a record was due to be sent until it was handled, at a fixed rate that waits for nobody: a client that falls
 * behind shows it in every record that was due meanwhile. Sent and handled by the same process; the timer that sends may
 * be a millisecond late, which is in the figures of all clients alike.
 */
export async function runLatency(client: SpeedClient, task: LatencyTask): Promise<Figures> {
  const { perSecond, warmMs, ms, bytes } = task
  const total = Math.floor((perSecond * (warmMs + ms)) / 1_000)
  const dueAt = new Float64Array(total)
  const handledAt = new Float64Array(total).fill(Number.NaN)
  let handled = 0
  let isUp = false
  const consumer = await client.consumer({
    ...task,
    way: 'message',
    from: 'earliest',
    onHandled: (_, value) => {
      const index = value?.readInt32LE(0) ?? -1
      if (index < 0) isUp = true
      else if (Number.isNaN(handledAt[index])) {
        handledAt[index] = performance.now()
        handled += 1
      }
    },
  })
  const producer = await client.producer({ topic: task.topic, compression: 'none' })
  const valueOf = (index: number) => {
    const value = Buffer.alloc(bytes, 'x')
    value.writeInt32LE(index)
    return value
  }
  let failed = 0
  const send = (index: number) =>
    producer
      .send({ key: keys[Math.abs(index) % keys.length] as string, value: valueOf(index) })
      .catch(() => (failed += 1))
  for (let tries = 0; !isUp && tries < 60; tries += 1) {
    // Not waited for: a client that lets a first send hang is measured by what it does with the next ones.
    void send(-1)
    await sleep(250)
  }
  const startedAt = performance.now()
  let sent = 0
  let stop: ((count: number) => Figures) | null = null
  const firstMeasured = Math.floor((perSecond * warmMs) / 1_000)
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * perSecond) / 1_000) + 1)
    for (; sent < due; sent += 1) {
      dueAt[sent] = startedAt + (sent * 1_000) / perSecond
      void send(sent)
    }
    if (stop === null && sent >= firstMeasured) stop = stopwatch()
    await sleep(1)
  }
  const figures = (stop ?? stopwatch())(sent - firstMeasured)
  for (let waited = 0; handled < total && waited < 5_000; waited += 50) await sleep(50)
  // What has not come by now has waited at least until now.
  const now = performance.now()
  let missing = 0
  const times = dueAt.slice(firstMeasured).map((due, index) => {
    const at = handledAt[firstMeasured + index] as number
    if (Number.isNaN(at)) missing += 1
    return (Number.isNaN(at) ? now : at) - due
  })
  await Promise.race([Promise.all([producer.close(), consumer.close()]), sleep(2_000)])
  return { ...figures, ...percentiles(times), missing: missing + failed }
}
