import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  bytes,
  createMessaging,
  DeadLetter,
  defineTopic,
  Discard,
  RetryLater,
  Unavailable,
  json,
  type Messaging,
} from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { handleOne, recordsOf, seededRandom, untilIdle, virtualClock } from 'tidemark/testing'

const Order = z.object({ id: z.string(), cents: z.number() })
type Order = z.infer<typeof Order>
const orders = defineTopic({ name: 'orders', key: 'id', value: json(Order), partitions: 3 })
const bills = defineTopic({ name: 'bills', key: 'order', value: json(z.object({ order: z.string() })), partitions: 2 })
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const order = (id: string): Order => ({ id, cents: 100 })

let cluster: MemoryCluster
let messaging: Messaging

beforeEach(async () => {
  cluster = createMemoryCluster()
  messaging = createMessaging({ driver: memory({ cluster }), logger: 'silent' })
  await messaging.ensureTopics([orders, bills])
})
afterEach(async () => {
  await messaging.close({ force: true })
  await cluster.close()
})

describe('untilIdle', () => {
  it('resolves when all is handled, of one group after the other, and what they sent is there', async () => {
    const billed: string[] = []
    const billing = messaging.consumer({
      group: 'billing',
      topics: [orders],
      handle: async ({ value }, context) => {
        await pause(5)
        await context.send(bills, { order: value.id })
      },
    })
    const mailing = messaging.consumer({
      group: 'mailing',
      topics: [bills],
      handle: async ({ value }) => {
        await pause(5)
        billed.push(value.order)
      },
    })
    await Promise.all([billing.start(), mailing.start()])
    const ids = Array.from({ length: 20 }, (_, index) => `o-${index}`)
    const sent = messaging.producer().sendMany(orders, ids.map(order))
    await untilIdle(messaging)
    expect(billed.sort()).toEqual([...ids].sort())
    await sent
  })

  it('waits for what goes from one messaging to another and back', async () => {
    const other = createMessaging({ driver: memory({ cluster }), logger: 'silent' })
    let hops = 0
    await messaging
      .consumer({
        group: 'there',
        topics: [orders],
        handle: async ({ value }, { send }) => void (await send(bills, { order: value.id })),
      })
      .start()
    await other
      .consumer({
        group: 'back',
        topics: [bills],
        handle: async (_, { send }) => {
          hops += 1
          if (hops < 10) await send(orders, order(`hop-${hops}`))
        },
      })
      .start()
    await messaging.producer().send(orders, order('o-1'))
    await untilIdle([messaging, other])
    expect(hops).toBe(10)
    await other.close()
  })

  it('is idle at once where nothing was ever sent, nobody reads, or a reader has not been started', async () => {
    messaging.consumer({ group: 'later', topics: [orders], handle: () => undefined })
    await messaging.producer().send(orders, order('o-1'))
    await untilIdle(messaging, { timeoutMs: 1_000 })
  })

  it('waits for what was put off to delay topics, and for what waits behind it', async () => {
    const seen: string[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [orders],
      order: 'key',
      retry: false,
      retryLater: { delays: [60, 90] },
      handle: ({ value }, { attempt }) => {
        seen.push(`${value.cents}#${attempt}`)
        if (value.cents === 1 && attempt < 3) throw new Error('not now')
      },
    })
    await messaging.ensureTopics(consumer.delayTopics)
    await consumer.start()
    await messaging.producer().sendMany(
      orders,
      [1, 2].map((cents) => ({ id: 'o-1', cents })),
    )
    await untilIdle(messaging)
    expect(seen).toEqual(['1#1', '1#2', '1#3', '2#1'])
  })

  it('reads past what is no record: the marker of a transaction', async () => {
    const handled: string[] = []
    await messaging
      .consumer({ group: 'g', topics: [orders], handle: ({ value }) => void handled.push(value.id) })
      .start()
    const value = Buffer.from(JSON.stringify(order('o-1')))
    cluster.appendTransaction('orders', 0, [{ key: null, value, headers: [], timestamp: 0 }], 'commit')
    await untilIdle(messaging, { timeoutMs: 2_000 })
    expect(handled).toEqual(['o-1'])
  })

  it('says what is still to be done when the time is over', async () => {
    let end = (): void => undefined
    const started = new Promise<void>((tell) => {
      const handle = () => new Promise<void>((resolve) => (tell(), (end = resolve)))
      void messaging.consumer({ group: 'slow', topics: [orders], handle }).start()
    })
    await messaging.producer().send(orders, order('o-1'))
    await started
    await expect(untilIdle(messaging, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'not-idle',
      message: 'after 200 ms 1 handler(s) of group slow still run',
    })
    end()
    await untilIdle(messaging)
  })

  it.each([0, 1, 7, 23])('says so too when a question to the cluster has no time left: %i ms', async (timeoutMs) => {
    await messaging.consumer({ group: 'slow', topics: [orders], handle: () => undefined }).start()
    cluster.faults.random({ apis: ['metadata', 'listOffsets'], delay: 1, maxDelayMs: 60 })
    await expect(untilIdle(messaging, { timeoutMs })).rejects.toMatchObject({ code: 'not-idle' })
    cluster.faults.random(null)
  })

  it('rejects with what stopped a partition', async () => {
    const handle = () => Promise.reject(new Error('no'))
    await messaging.consumer({ group: 'g', topics: [orders], retry: false, handle }).start()
    await messaging.producer().send(orders, order('o-1'))
    await expect(untilIdle(messaging)).rejects.toMatchObject({ code: 'handler-failed', cause: { message: 'no' } })
  })

  it('goes by the clock of the driver', async () => {
    const clock = virtualClock()
    const simulated = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, latencyMs: [1, 9] })
    const inVirtualTime = createMessaging({ driver: memory({ cluster: simulated }) })
    let handled = 0
    const scenario = async () => {
      await inVirtualTime.ensureTopics([orders])
      const handle = () => clock.sleep(15_000).then(() => void (handled += 1))
      await inVirtualTime.consumer({ group: 'g', topics: [orders], handle }).start()
      await inVirtualTime.producer().send(orders, order('o-1'))
      await untilIdle(inVirtualTime, { timeoutMs: 30_000 })
      await inVirtualTime.close()
    }
    await clock.runUntil(scenario())
    expect(handled).toBe(1)
  })

  it.each([[undefined], [null], [[]], [{}], ['messaging']])('says what to give it instead of %j', async (wrong) => {
    await expect(untilIdle(wrong as never)).rejects.toThrow(/untilIdle(.|\n)*createMessaging/)
    await expect(untilIdle(messaging, { timeout: 5 } as never)).rejects.toThrow(/did you mean timeoutMs/)
  })
})

describe('recordsOf', () => {
  it('gives all records of a topic decoded, by partition and offset, and leaves no reader behind', async () => {
    const producer = messaging.producer()
    await producer.sendMany(orders, ['a', 'b', 'c', 'd'].map(order))
    const records = await recordsOf(messaging, orders)
    expect(records.map(({ value }) => value.id).sort()).toEqual(['a', 'b', 'c', 'd'])
    const places = records.map(({ partition, offset }) => partition * 100 + offset)
    expect(places).toEqual([...places].sort((one, other) => one - other))
    expect(records[0]?.key?.toString()).toBe(records[0]?.value.id)
    expect(messaging.facts().consumers).toEqual([])
    expect(await recordsOf(messaging, bills)).toEqual([])
  })

  it('rejects with the record that does not fit the definition', async () => {
    const raw = defineTopic({ name: 'orders', value: bytes() })
    await messaging.producer().send(raw, Buffer.from('{"id":'), { partition: 1 })
    await expect(recordsOf(messaging, orders)).rejects.toMatchObject({ name: 'DecodeError', partition: 1, offset: 0 })
  })
})

describe('handleOne', () => {
  it('hands over the message as a consumer does, and gives what was sent, decoded', async () => {
    const seen: unknown[] = []
    const { outcome, sent, error, reason } = await handleOne(
      orders,
      order('o-1'),
      async ({ value, key, headers, timestamp }, context) => {
        seen.push(value, key?.toString(), headers.get('trace'), timestamp, context.attempt, context.signal.aborted)
        void context.send(bills, { order: value.id })
        await context.send(orders, order('o-2'), { headers: { again: 'yes' } })
      },
      { headers: { trace: '7' }, timestamp: 5, partition: 2 },
    )
    expect(seen).toEqual([order('o-1'), 'o-1', '7', 5, 1, false])
    expect([outcome, error, reason]).toEqual(['handled', undefined, null])
    expect(sent.map(({ topic, value }) => [topic, value])).toEqual([
      ['bills', { order: 'o-1' }],
      ['orders', order('o-2')],
    ])
    expect(sent[1]?.headers.get('again')).toBe('yes')
  })

  it.each([
    ['an error', new Error('no'), 'dead-lettered', 'exhausted'],
    ['DeadLetter', new DeadLetter('unknown customer'), 'dead-lettered', 'rejected'],
    ['Discard', new Discard('too old'), 'discarded', null],
    ['Unavailable', new Unavailable('the bank is closed'), 'tried-again', null],
    ['RetryLater', new RetryLater(60_000), 'tried-again', null],
  ])('tells the fate that %s brings', async (_, thrown, outcome, reason) => {
    const fate = await handleOne(orders, order('o-1'), () => Promise.reject(thrown))
    expect(fate).toEqual({ outcome, reason, error: thrown, sent: [] })
  })

  it('tells a handler that takes too long, and a send that nobody awaited and that failed', async () => {
    const slow = await handleOne(orders, order('o-1'), () => pause(200), { handlerTimeoutMs: 20 })
    expect(slow).toMatchObject({ outcome: 'dead-lettered', reason: 'timeout' })
    const careless = await handleOne(orders, order('o-1'), (_, { send }) => void send(bills, { order: 7 } as never))
    expect(careless).toMatchObject({ outcome: 'dead-lettered', reason: 'exhausted' })
  })

  it('goes through the middleware of the consumer, whose sends count', async () => {
    const { sent } = await handleOne(orders, order('o-1'), () => undefined, {
      use: [
        async (_, { send }, next) => {
          await next()
          await send(bills, { order: 'by middleware' })
        },
      ],
    })
    expect(sent.map(({ value }) => value)).toEqual([{ order: 'by middleware' }])
  })

  it('rejects when the value does not fit the topic', async () => {
    const wrong = handleOne(orders, { id: 'o-1' } as never, () => undefined)
    await expect(wrong).rejects.toMatchObject({ name: 'SendError', code: 'invalid-value' })
  })
})
