import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { bytes, ConfigError, createMessaging, defineTopic, json, StateError, type Message } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'

const Reading = z.object({ bk_biz_id: z.number(), value: z.number() })
const readings = defineTopic({ name: 'readings', key: 'bk_biz_id', value: json(Reading), partitions: 4 })
const alerts = defineTopic({ name: 'alerts', value: json(z.object({ of: z.number() })), partitions: 1 })
const failed = defineTopic({ name: 'readings.dlq', value: bytes(), partitions: 2 })

async function world() {
  const cluster = createMemoryCluster({ brokers: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), clientId: 'test' })
  await messaging.ensureTopics([readings, alerts, failed])
  const close = async () => {
    await messaging.close()
    await cluster.close()
  }
  return { cluster, messaging, close }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !condition(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(condition()).toBe(true)
}

describe('messaging', () => {
  it('carries a value from send to handle, typed, with a receipt that says where it is', async () => {
    const { messaging, close } = await world()
    const seen: Message<z.infer<typeof Reading>>[] = []
    const receipt = await messaging.producer().send(readings, { bk_biz_id: 2, value: 7 })
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      handle: (message) => void seen.push(message),
    })
    await consumer.start()
    await until(() => seen.length === 1)
    expect(seen[0]).toMatchObject({ topic: 'readings', partition: receipt.partition, offset: receipt.offset })
    expect(seen[0]?.value).toEqual({ bk_biz_id: 2, value: 7 })
    await close()
  })

  it('commits on close what was handled, so that the next consumer of the group goes on behind it', async () => {
    const { cluster, messaging } = await world()
    await messaging.producer().sendMany(
      readings,
      [1, 2, 3].map((value) => ({ bk_biz_id: 1, value })),
    )
    const first: number[] = []
    await messaging
      .consumer({ group: 'g', topics: [readings], handle: ({ value }) => void first.push(value.value) })
      .start()
    await until(() => first.length === 3)
    await messaging.close()

    const again = createMessaging({ driver: memory({ cluster }) })
    const second: number[] = []
    await again.producer().send(readings, { bk_biz_id: 1, value: 4 })
    await again
      .consumer({ group: 'g', topics: [readings], handle: ({ value }) => void second.push(value.value) })
      .start()
    await until(() => second.length > 0)
    expect(second).toEqual([4])
    await again.close()
    await cluster.close()
  })

  it('puts what cannot be decoded or handled on the dead-letter topic and goes on with the next record', async () => {
    const { cluster, messaging, close } = await world()
    const raw = defineTopic({ name: 'readings', value: bytes() })
    const producer = messaging.producer()
    const handled: number[] = []
    await producer.send(raw, Buffer.from('{"bk_biz_id": 1, '), { key: '1' })
    await producer.send(raw, Buffer.from('{"bk_biz_id": "one", "value": 1}'), { key: '1' })
    await producer.send(readings, { bk_biz_id: 1, value: 13 })
    await producer.send(readings, { bk_biz_id: 1, value: 14 })
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      deadLetter: 'readings.dlq',
      handle: ({ value }) => {
        if (value.value === 13) throw new Error('thirteen')
        handled.push(value.value)
      },
    })
    await consumer.start()
    await until(() => handled.includes(14))
    const letters = [0, 1].flatMap((partition) => [...cluster.records('readings.dlq', partition)])
    const reasons = letters.map(({ headers }) => String(headers.find(([name]) => name === 'td-reason')?.[1]))
    expect(reasons).toEqual(['undecodable', 'invalid', 'exhausted'])
    expect(letters[0]?.value?.toString()).toBe('{"bk_biz_id": 1, ')
    await close()
  })

  it('sends from within a handler before its record counts as handled', async () => {
    const { cluster, messaging, close } = await world()
    await messaging.producer().send(readings, { bk_biz_id: 1, value: 5 })
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      commit: 'each',
      handle: async ({ value }, context) => {
        await context.send(alerts, { of: value.value })
      },
    })
    await consumer.start()
    await until(() => cluster.committed('g').length > 0)
    expect(cluster.records('alerts', 0).map(({ value }) => value?.toString())).toEqual(['{"of":5}'])
    await close()
  })

  it('reports every impossible option at once, with path and fix', async () => {
    const { messaging, close } = await world()
    const attempt = () =>
      messaging.consumer({ group: '', topics: [], concurrency: 0, ordr: 'key', handle: () => undefined } as never)
    expect(attempt).toThrow(ConfigError)
    try {
      attempt()
    } catch (error) {
      const { issues } = error as ConfigError
      expect(issues.map(({ path }) => path).sort()).toEqual(['concurrency', 'group', 'ordr', 'topics'])
      for (const issue of issues) expect(issue.fix.length).toBeGreaterThan(5)
    }
    await close()
  })

  it('keeps what a profile promises out of reach of producer options', async () => {
    const { messaging, close } = await world()
    expect(() => messaging.producer({ acks: 1 } as never)).toThrow(/settled by the profile cp/)
    await close()
  })

  it('says at once that transactions are not there, instead of sending without them', () => {
    expect(() => createMessaging({ driver: memory(), profile: 'transactional' })).toThrow(/transactions/)
  })

  it('makes nothing after close', async () => {
    const { messaging, close } = await world()
    await close()
    expect(() => messaging.producer()).toThrow(StateError)
  })

  it('closes at once when forced, without a commit', async () => {
    const { cluster, messaging } = await world()
    await messaging.producer().send(readings, { bk_biz_id: 1, value: 1 })
    let aborted = false
    let started = false
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      handle: (_message, { signal }) =>
        new Promise<void>((resolve) => {
          started = true
          signal.addEventListener('abort', () => {
            aborted = true
            resolve()
          })
        }),
    })
    await consumer.start()
    await until(() => started)
    await messaging.close({ force: true })
    expect(aborted).toBe(true)
    expect(cluster.committed('g').filter(({ offset }) => offset > 0)).toEqual([])
    await cluster.close()
  })
})
