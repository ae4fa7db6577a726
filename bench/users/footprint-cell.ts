import { setTimeout as sleep } from 'node:timers/promises'
import type { SpeedClient } from './client.js'
import type { Figures } from './figures.js'

/** Of what there is more and more. */
export const footprints = ['partition', 'member', 'producer', 'record in flight'] as const

export interface FootprintTask {
  readonly kind: 'footprint'
  readonly of: (typeof footprints)[number]
  readonly many: number
  readonly topic: string
  readonly partitions: number
  readonly group: string
}

const settleMs = 3_000
const value = Buffer.alloc(200, 'x')

/** What so many of them hold in memory while nothing happens, buffers included; the first of its kind is in it. */
export async function runFootprint(client: SpeedClient, task: FootprintTask): Promise<Figures> {
  const before = held()
  const close = await open(client, task)
  if (task.of !== 'record in flight') await sleep(settleMs)
  const heapMb = (held() - before) / 1e6
  await Promise.race([close(), sleep(2_000)])
  return { perSecond: 0, count: task.many, heapMb }
}

type Close = () => Promise<unknown>

async function open(client: SpeedClient, task: FootprintTask): Promise<Close> {
  const { of, many, topic } = task
  switch (of) {
    case 'partition':
      return openMembers(client, task, 1)
    case 'member':
      return openMembers(client, task, many)
    case 'producer': {
      const producers = await Promise.all(
        Array.from({ length: many }, () => client.producer({ topic, compression: 'none' })),
      )
      // One that was never used has no connection to a leader yet.
      await Promise.all(producers.map((producer) => producer.send({ key: null, value })))
      return () => Promise.all(producers.map((producer) => producer.close()))
    }
    case 'record in flight': {
      const producer = await client.producer({ topic, compression: 'none' })
      await producer.send({ key: null, value })
      // In one go: what is measured next, before anything else happens, is on its way or waits for it.
      const sent = Array.from({ length: many }, async (_, index) => producer.send({ key: `device-${index}`, value }))
      return async () => {
        await Promise.allSettled(sent)
        await producer.close()
      }
    }
  }
}

async function openMembers(client: SpeedClient, task: FootprintTask, members: number): Promise<Close> {
  const settings = { ...task, way: 'message', from: 'latest', onHandled: () => undefined } as const
  const consumers = await Promise.all(Array.from({ length: members }, () => client.consumer(settings)))
  return () => Promise.all(consumers.map((consumer) => consumer.close()))
}

function held(): number {
  for (let round = 0; round < 3; round += 1) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
