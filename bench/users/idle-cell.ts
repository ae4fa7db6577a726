import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpeedClient } from './client.js'
import { stopwatch, type Figures } from './figures.js'

export interface IdleTask {
  readonly kind: 'idle'
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly settleMs: number
  readonly ms: number
}

/** A producer and a consumer that have nothing to do: what they cost beside the process itself. */
export async function runIdle(client: SpeedClient, task: IdleTask): Promise<Figures> {
  const heap = () => {
    for (let round = 0; round < 3; round += 1) globalThis.gc?.()
    return process.memoryUsage()
  }
  const before = heap()
  let handled = 0
  const consumer = await client.consumer({ ...task, way: 'message', from: 'earliest', onHandled: () => (handled += 1) })
  const producer = await client.producer({ topic: task.topic, compression: 'none' })
  for (let tries = 0; handled === 0 && tries < 60; tries += 1) {
    void producer.send({ key: null, value: Buffer.from('up') }).catch(() => undefined)
    await sleep(250)
  }
  await sleep(task.settleMs)
  const writes = countWrites()
  const stop = stopwatch()
  await sleep(task.ms)
  const { cpuMicros = Number.NaN } = stop(1)
  const written = writes()
  const after = heap()
  await Promise.race([Promise.all([producer.close(), consumer.close()]), sleep(2_000)])
  return {
    perSecond: 0,
    count: handled,
    coreShare: cpuMicros / (task.ms * 1_000),
    writesPerSecond: (written * 1_000) / task.ms,
    heapMb: (after.heapUsed + after.external - before.heapUsed - before.external) / 1e6,
    rssMb: (after.rss - before.rss) / 1e6,
  }
}

/** What is written to sockets is requests, one write each unless a client puts several into one. */
function countWrites(): () => number {
  const { write } = Socket.prototype
  let count = 0
  Socket.prototype.write = function (this: Socket, ...input: Parameters<typeof write>) {
    count += 1
    return write.apply(this, input)
  } as typeof write
  return () => {
    Socket.prototype.write = write
    return count
  }
}
