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
import { throughMiddleware } from '../../../src/producer/send-middleware.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

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

  it('is bounded by timeoutMs and signal: what it holds back is not stored, and is not sent later', async () => {
    const clock = virtualClock()
    const runtime = { clock, random: seededRandom(1) }
    const cluster = createMemoryCluster({ runtime, brokers: 1, latencyMs: 1 })
    const messaging = createMessaging({ driver: memory({ cluster, runtime }), durability: 'off', logger: 'silent' })
    await clock.runUntil(messaging.ensureTopics([words]))
    let late: Promise<unknown> = Promise.resolve()
    const slow: SendMiddleware = async (sending, next) => {
      await clock.sleep(500)
      const sent = next(sending)
      late = sent.catch((error: unknown) => error)
      return sent
    }
    // Drops the limits of its sending, and calls in time.
    const forgetful: SendMiddleware = ({ topic, value }, next) => next({ topic, value, options: {} })
    const refused = { code: 'send-timeout', outcome: 'not-stored' }
    const bySlow = messaging.producer({ use: [slow] }).send(words, 'a', { timeoutMs: 100 })
    await expect(clock.runUntil(bySlow)).rejects.toMatchObject(refused)
    await clock.advance(1_000)
    expect(await late).toMatchObject(refused)
    const asked = new AbortController()
    const aborted = messaging.producer({ use: [slow] }).send(words, 'b', { signal: asked.signal })
    asked.abort(new Error('gone'))
    await expect(clock.runUntil(aborted)).rejects.toMatchObject({ code: 'aborted', outcome: 'not-stored' })
    const early = messaging.producer({ use: [slow] }).send(words, 'c', { signal: AbortSignal.abort() })
    await expect(clock.runUntil(early)).rejects.toMatchObject({ code: 'aborted', outcome: 'not-stored' })
    await clock.advance(1_000)
    expect(cluster.records('words', 0)).toEqual([])
    const producer = messaging.producer({ use: [forgetful] })
    await clock.runUntil(producer.send(words, 'd'))
    cluster.faults.silence(0)
    const begun = clock.now()
    await expect(clock.runUntil(producer.send(words, 'e', { timeoutMs: 300 }))).rejects.toMatchObject({
      code: 'send-timeout',
    })
    expect(clock.now() - begun).toBe(300)
    cluster.faults.endSilence(0)
    await clock.runUntil(messaging.close())
  })

  it('that sends again after an unknown end never makes the send end not stored', async () => {
    const ends = [new SendError('delivery-timeout', 'unknown', 'no answer'), new SendError('x', 'not-stored', 'full')]
    const twice: SendMiddleware = (sending, next) => next(sending).catch(() => next(sending))
    const send = throughMiddleware([twice], () => Promise.reject(ends.shift() as Error), virtualClock())
    await expect(send({ topic: words as never, value: 'a', options: {} })).rejects.toMatchObject({
      code: 'x',
      outcome: 'unknown',
    })
  })

  it('that does not await next waits for it all the same, and what it rejects with ends no process', async () => {
    const { producer, stored, close } = await world(((sending: Sending, next: SendNext) => {
      void next(sending)
    }) as unknown as SendMiddleware)
    await expect(producer.send(words, 'a')).resolves.toMatchObject({ offset: 0 })
    await expect(producer.send(words, 'b', { partition: 7 })).rejects.toMatchObject({ outcome: 'not-stored' })
    expect(stored()).toEqual(['a'])
    await close()
  })
})
