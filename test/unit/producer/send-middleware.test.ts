import { describe, expect, it } from 'vitest'
import {
  createMessaging,
  defineTopic,
  SendError,
  SendManyError,
  string,
  type Sending,
  type SendMiddleware,
  type SendNext,
} from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'

const words = defineTopic({ name: 'words', value: string(), partitions: 1 })

async function world(...use: SendMiddleware[]) {
  const cluster = createMemoryCluster({ brokers: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), clientId: 'test' })
  await messaging.ensureTopics([words])
  const producer = messaging.producer({ use })
  const stored = () => cluster.records('words', 0).map(({ value }) => value?.toString())
  const close = async () => {
    await messaging.close()
    await cluster.close()
  }
  return { cluster, producer, stored, close }
}

describe('middleware of a producer', () => {
  it('wraps each send and each record of a sendMany, the first outermost, and may change what is sent', async () => {
    const log: string[] = []
    const { cluster, producer, close } = await world(
      async (sending, next) => {
        log.push(`out ${String(sending.value)}`)
        const receipt = await next(sending)
        log.push(`back ${receipt.offset}`)
        return receipt
      },
      ({ topic, value, options }, next) =>
        next({ topic, value: `${String(value)}!`, options: { ...options, headers: { tenant: 'a' } } }),
    )
    await producer.send(words, 'one')
    const receipts = await producer.sendMany(words, ['two', 'three'], { key: 'k' })
    expect(receipts.map(({ offset }) => offset)).toEqual([1, 2])
    expect(log).toEqual(['out one', 'back 0', 'out two', 'out three', 'back 1', 'back 2'])
    const records = cluster.records('words', 0)
    expect(records.map(({ value, key, headers }) => [value?.toString(), key?.toString(), headers[0]?.[0]])).toEqual([
      ['one!', undefined, 'tenant'],
      ['two!', 'k', 'tenant'],
      ['three!', 'k', 'tenant'],
    ])
    await close()
  })

  it('that calls next before it waits keeps the order of the calls', async () => {
    const { producer, stored, close } = await world((sending, next) => next(sending))
    await Promise.all(['a', 'b', 'c'].map((word) => producer.send(words, word)))
    expect(stored()).toEqual(['a', 'b', 'c'])
    await close()
  })

  it('that throws before it sends makes the send end not stored', async () => {
    const cause = new TypeError('bad')
    const { producer, stored, close } = await world(() => {
      throw cause
    })
    const failure = { name: 'SendError', code: 'middleware-failed', outcome: 'not-stored', cause, topic: 'words' }
    await expect(producer.send(words, 'a')).rejects.toMatchObject(failure)
    expect(stored()).toEqual([])
    await close()
  })

  it('that throws after it sent makes the send end unknown', async () => {
    const { producer, stored, close } = await world(async (sending, next) => {
      await next(sending)
      throw new Error('metrics are down')
    })
    await expect(producer.send(words, 'a')).rejects.toMatchObject({ code: 'middleware-failed', outcome: 'unknown' })
    expect(stored()).toEqual(['a'])
    await close()
  })

  it('that forgets to return the receipt gives that of next; that never calls next sends nothing, and says so', async () => {
    const forgets = await world((async (sending: Sending, next: SendNext) => {
      await next(sending)
    }) as unknown as SendMiddleware)
    await expect(forgets.producer.send(words, 'a')).resolves.toMatchObject({ topic: 'words', offset: 0 })
    await forgets.close()
    const silent = await world((() => Promise.resolve()) as unknown as SendMiddleware)
    const failure = { code: 'middleware-failed', outcome: 'not-stored' }
    await expect(silent.producer.send(words, 'a')).rejects.toMatchObject(failure)
    await silent.close()
    const empty = await world((_, next) => (next as () => Promise<never>)())
    await expect(empty.producer.send(words, 'a')).rejects.toMatchObject(failure)
    expect(empty.stored()).toEqual([])
    await empty.close()
  })

  it('leaves a failed send as it is, also one of many', async () => {
    const { producer, stored, close } = await world((sending, next) => next(sending))
    await expect(producer.send(words, 'a', { partition: 7 })).rejects.toMatchObject({ code: 'invalid-partition' })
    const many = producer.sendMany(words, ['b', 5 as never, 'c'])
    await expect(many).rejects.toBeInstanceOf(SendManyError)
    const { results } = (await many.catch((error: unknown) => error)) as SendManyError
    expect(results.map((result) => (result instanceof SendError ? result.code : result.offset))).toEqual([
      0,
      'invalid-value',
      1,
    ])
    expect(stored()).toEqual(['b', 'c'])
    await close()
  })

  it('sends nothing of a producer that is closed', async () => {
    const { producer, close } = await world((sending, next) => next(sending))
    await close()
    await expect(producer.send(words, 'a')).rejects.toMatchObject({ name: 'StateError', code: 'closed' })
    await expect(producer.sendMany(words, ['a'])).rejects.toMatchObject({ name: 'StateError', code: 'closed' })
  })
})
