import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  bytes,
  ConfigError,
  createMessaging,
  defineTopic,
  json,
  nullable,
  StateError,
  type Message,
  type Receipt,
  type SendOptions,
} from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'

const Reading = z.object({ bk_biz_id: z.number(), value: z.number() })
const readings = defineTopic({ name: 'readings', key: 'bk_biz_id', value: json(Reading), partitions: 4 })
const alerts = defineTopic({ name: 'alerts', value: json(z.object({ of: z.number() })), partitions: 1 })
const mebibyte = 1_048_576
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
  for (let turn = 0; turn < 6_000 && !condition(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(condition()).toBe(true)
}

describe('messaging', () => {
  it.each([[['readings']], [readings], [undefined]])('refuses to ensure what are no topics (%#)', async (topics) => {
    const { messaging, close } = await world()
    await expect(messaging.ensureTopics(topics as never)).rejects.toThrow(ConfigError)
    await close()
  })

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
      retry: false,
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

  it('dead-letters what a producer of default settings could not send, where the topic allows it', async () => {
    const cluster = createMemoryCluster({ brokers: 1, maxMessageBytes: 8 * mebibyte })
    const messaging = createMessaging({ driver: memory({ cluster }) })
    const large = defineTopic({ name: 'large', value: bytes() })
    await messaging.ensureTopics([large, { ...failed, partitions: 1 }])
    const value = Buffer.alloc(5 * mebibyte, 'x')
    await messaging.producer({ maxRequestBytes: 8 * mebibyte }).send(large, value)
    const handle = () => Promise.reject(new Error('no'))
    const options = { group: 'g', topics: [large], deadLetter: 'readings.dlq', retry: false } as const
    await messaging.consumer({ ...options, handle }).start()
    await until(() => cluster.records('readings.dlq', 0).length > 0)
    expect(cluster.records('readings.dlq', 0)[0]?.value?.equals(value)).toBe(true)
    await messaging.close()
    await cluster.close()
  })

  it('stops a partition, visibly, at a record that its dead-letter topic will never take, and goes on with others', async () => {
    const { cluster, messaging, close } = await world()
    cluster.createTopic('narrow', { configs: { 'max.message.bytes': '200' } })
    const raw = defineTopic({ name: 'readings', value: bytes() })
    const producer = messaging.producer()
    const refused = await producer.send(raw, Buffer.alloc(5_000, '{'), { partition: 1 })
    await producer.send(raw, Buffer.from('{"bk_biz_id": 1, "value": 2}'), { partition: 1 })
    await producer.send(raw, Buffer.from('{"bk_biz_id": 1, "value": 3}'), { partition: 2 })
    const stopped: unknown[] = []
    const handled: number[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      commit: 'each',
      deadLetter: 'narrow',
      handle: ({ value }) => void handled.push(value.value),
      onPartitionStopped: (partition, error) => stopped.push([partition, error]),
    })
    await consumer.start()
    await until(() => stopped.length > 0 && handled.length > 0)
    expect(stopped).toEqual([
      [
        { topic: 'readings', partition: 1 },
        expect.objectContaining({ code: 'too-large', topic: 'readings', partition: 1, offset: refused.offset }),
      ],
    ])
    expect(handled).toEqual([3])
    await messaging.close()
    expect(cluster.committed('g').find(({ partition }) => partition === 2)?.offset).toBe(1)
    expect(cluster.committed('g').find(({ partition }) => partition === 1)?.offset).toBe(0)
    await close()
    expect(cluster.records('narrow', 0)).toEqual([])
  })

  it('puts a record that is too large for its dead-letter topic there as a pointer, whose reader sees the time of its origin', async () => {
    const { cluster, messaging, close } = await world()
    cluster.createTopic('narrow', { configs: { 'max.message.bytes': '1000' } })
    const raw = defineTopic({ name: 'readings', value: bytes() })
    const origin = await messaging.producer().send(raw, Buffer.alloc(5_000, '{'), { partition: 1, timestamp: 1_000 })
    const handle = () => undefined
    const failing = messaging.consumer({ group: 'g', topics: [readings], commit: 'each', deadLetter: 'narrow', handle })
    await failing.start()
    await until(() => cluster.records('narrow', 0).length === 1)
    const letters: Message[] = []
    const reader = messaging.consumer({
      group: 'letters',
      topics: [defineTopic({ name: 'narrow', value: nullable(bytes()) })],
      handle: (message) => void letters.push(message),
    })
    await reader.start()
    await until(() => letters.length === 1)
    expect(letters[0]).toMatchObject({ value: null, timestamp: 1_000 })
    expect(letters[0]?.headers.get('td-origin-offset')).toBe(String(origin.offset))
    expect(cluster.records('narrow', 0)[0]?.timestamp).toBeGreaterThan(1_000)
    await until(() => cluster.committed('g').some(({ partition, offset }) => partition === 1 && offset === 1))
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

  it('takes in a handler all that a send of a producer takes, and gives the same receipt', async () => {
    const { cluster, messaging, close } = await world()
    await messaging.producer().send(readings, { bk_biz_id: 1, value: 5 })
    const receipts: Receipt[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      handle: async ({ value }, context) => {
        const options: SendOptions = { id: 'r-5', key: 'k', headers: { a: 'b' }, partition: 0, timestamp: 7 }
        receipts.push(await context.send(alerts, { of: value.value }, options))
      },
    })
    await consumer.start()
    await until(() => receipts.length === 1)
    expect(receipts).toEqual([{ topic: 'alerts', partition: 0, offset: 0, timestamp: 7 }])
    const [stored] = cluster.records('alerts', 0)
    expect(stored?.headers.map(([name, value]) => [name, value?.toString()])).toEqual([
      ['a', 'b'],
      ['td-id', 'r-5'],
    ])
    await close()
  })

  it('hands a handler the id that the sender gave', async () => {
    const { messaging, close } = await world()
    const producer = messaging.producer()
    const ids: (string | undefined)[] = []
    const handle = ({ id }: Message) => void ids.push(id)
    await messaging.consumer({ group: 'g', topics: [readings], handle }).start()
    const options: readonly SendOptions[] = [
      { id: 'r-5' },
      {},
      { headers: { a: 'b' } },
      { headers: { 'td-id': 'forwarded' } },
      { headers: { 'td-id': 'forwarded' }, id: 'own' },
      { headers: { 'td-id': null } },
    ]
    for (const one of options) await producer.send(readings, { bk_biz_id: 1, value: 5 }, { ...one, partition: 0 })
    await until(() => ids.length === options.length)
    expect(ids).toEqual(['r-5', undefined, undefined, 'forwarded', 'own', undefined])
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

  it('sends and reads under the profile transactional in transactions, or says at once that it does not', async () => {
    const transactional = createMessaging({ driver: memory(), profile: 'transactional', logger: 'silent' })
    expect(() => transactional.producer()).toThrow(/messaging.transaction\(id, …\)/)
    expect(() => transactional.producer({ profile: 'cp' })).not.toThrow()
    await transactional.close()
    const { messaging, close } = await world()
    const sending = messaging.transaction('id', () => 'never run')
    await expect(sending).rejects.toThrow(
      /profile: is cp, which promises nothing of transactions; write createMessaging/,
    )
    await close()
  })

  it('makes nothing after close', async () => {
    const { messaging, close } = await world()
    await close()
    expect(() => messaging.producer()).toThrow(StateError)
  })

  it('opens nothing for a handler that sends after its messaging was closed', async () => {
    const { cluster, messaging } = await world()
    await messaging.producer().send(readings, { bk_biz_id: 1, value: 1 })
    let started = false
    let finish: () => void = () => undefined
    let sent: Promise<unknown> | undefined
    const consumer = messaging.consumer({
      group: 'g',
      topics: [readings],
      handle: async (_message, context) => {
        started = true
        await new Promise<void>((resolve) => (finish = resolve))
        sent = context.send(alerts, { of: 1 })
        await sent
      },
    })
    await consumer.start()
    await until(() => started)
    await messaging.close({ timeoutMs: 50 })
    finish()
    await until(() => sent !== undefined)
    await expect(sent).rejects.toThrow(StateError)
    expect(messaging.facts().producers).toEqual([])
    await cluster.close()
  })

  it('lets go of what was stopped or closed, and tells of what could not start until it is stopped', async () => {
    const { cluster, messaging, close } = await world()
    const producer = messaging.producer()
    const never = messaging.consumer({ group: 'g', topics: [readings], handle: () => undefined })
    const ran = messaging.consumer({ group: 'g', topics: [readings], handle: () => undefined })
    const failed = messaging.consumer({ group: 'h', topics: [readings], handle: () => undefined })
    await ran.start()
    cluster.faults.failNext({ api: 'joinGroup' }, 81) // GROUP_MAX_SIZE_REACHED
    await expect(failed.start()).rejects.toThrow(/max\.size/)
    expect(messaging.facts().producers).toHaveLength(1)
    await Promise.all([producer.close(), never.stop(), ran.stop()])
    expect(messaging.facts()).toMatchObject({ producers: [], consumers: [{ group: 'h', state: 'idle' }] })
    await failed.stop()
    expect(messaging.facts().consumers).toEqual([])
    await close()
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
