import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { createMessaging, defineTopic, string, type Messaging } from 'tidemark'
import { openTelemetryTracing } from 'tidemark/opentelemetry'
import { redrive } from 'tidemark/redrive'
import { simulate, type Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { withSdk, type Traced } from '../../support/traced.js'

const orders = defineTopic({ name: 'orders', value: string(), key: (value) => value })
const letters = defineTopic({ name: 'orders.dlq', value: string(), deadLettersOf: orders })

interface World extends Traced {
  readonly simulation: Simulation
  readonly messaging: Messaging
}

/** One process with a whole SDK, and topics to send to. */
async function traced(
  scenario: (world: World) => Promise<void>,
  options: Parameters<typeof openTelemetryTracing>[0] = {},
): Promise<void> {
  await withSdk(async (sdk) => {
    await simulate(1, async (simulation) => {
      for (const { name } of [orders, letters]) simulation.cluster.createTopic(name)
      const { driver } = simulation.process('service')
      const tracing = openTelemetryTracing(options)
      const messaging = createMessaging({ driver, clientId: 'shop', durability: 'off', logger: 'silent', tracing })
      await scenario({ ...sdk, simulation, messaging })
      await messaging.close()
    })
  })
}

describe('openTelemetryTracing', () => {
  it('tells one trace from a request over a retry, a delay topic, a dead letter and its redrive to the end', async () => {
    await traced(async ({ simulation, messaging, tracer, spans, named }) => {
      let mended = false
      const consumer = messaging.consumer({
        group: 'billing',
        topics: [orders],
        deadLetter: letters,
        outage: false,
        retry: { retries: 1, backoff: { initialMs: 10, maxMs: 10 }, budgetMs: 60_000 },
        retryLater: { delays: ['2s'], order: 'none' },
        handle: async () => {
          await Promise.resolve()
          if (!mended) throw new RangeError('no such account')
        },
      })
      await messaging.ensureTopics(consumer.delayTopics)
      await consumer.start()
      const producer = messaging.producer({ lingerMs: 0 })
      await tracer.startActiveSpan('POST /orders', async (request) => {
        await producer.send(orders, 'a')
        request.end()
      })
      await simulation.clock.sleep(10_000)
      mended = true
      await redrive(messaging, { from: 'orders.dlq', allow: ['orders'], group: 'redrive' })
      await simulation.clock.sleep(2_000)
      await consumer.stop()

      const [request] = named('POST /orders')
      const [sent, resent] = named('send orders')
      const [first, second, redriven] = named('process orders')
      const delay = 'orders.retry.billing.2s'
      const [put] = named(`send ${delay}`)
      const [third, fourth] = named(`process ${delay}`)
      const [letter] = named('send orders.dlq')
      const [taken] = named('process orders.dlq')
      expect(spans()).toHaveLength(11)
      expect(new Set(spans().map(({ trace }) => trace)).size).toBe(1)
      const family = [
        [sent, request, []],
        [first, sent, []],
        [second, sent, [first]],
        [put, second, []],
        [third, put, [sent]],
        [fourth, put, [sent, third]],
        [letter, fourth, [sent]],
        [taken, letter, [sent]],
        [resent, taken, [sent]],
        [redriven, resent, [sent]],
      ] as const
      for (const [child, parent, links] of family) {
        expect([child?.name, child?.parent]).toEqual([child?.name, parent?.id])
        expect([child?.name, ...(child?.links ?? [])]).toEqual([child?.name, ...links.map((link) => link?.id)])
      }
      const failed = { status: SpanStatusCode.ERROR, exceptions: ['RangeError'] }
      for (const span of [first, second, third, fourth]) expect(span).toMatchObject(failed)
      expect([first, second, third, fourth].map((span) => span?.attributes['tidemark.outcome'])).toEqual([
        'again',
        'delay-topic',
        'again',
        'dead-letter',
      ])
      expect([first, second, third, fourth].map((span) => span?.attributes['tidemark.attempt'])).toEqual([
        undefined,
        2,
        3,
        4,
      ])
      for (const span of [sent, put, letter, taken, resent, redriven]) {
        expect(span).toMatchObject({ status: SpanStatusCode.UNSET, exceptions: [] })
      }
      expect(sent?.kind).toBe(SpanKind.PRODUCER)
      expect(sent?.attributes).toEqual({
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'orders',
        'messaging.destination.partition.id': '0',
        'messaging.client.id': 'shop',
        'messaging.kafka.offset': 0,
        'tidemark.outcome': 'stored',
      })
      expect(redriven?.kind).toBe(SpanKind.CONSUMER)
      expect(redriven?.attributes).toEqual({
        'messaging.system': 'kafka',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'orders',
        'messaging.destination.partition.id': '0',
        'messaging.client.id': 'shop',
        'messaging.consumer.group.name': 'billing',
        'messaging.kafka.offset': 1,
        'tidemark.outcome': 'handled',
      })
    })
  })

  it('goes on in the trace of the handler in whatever is sent there, whichever way, and in no other record of the batch', async () => {
    await traced(async ({ simulation, messaging, tracer, named }) => {
      const producer = messaging.producer({ lingerMs: 0 })
      const consumer = messaging.consumer({
        group: 'copier',
        topics: [orders],
        order: 'none',
        handle: async (message, { send }) => {
          await simulation.clock.sleep(message.value === 'a' ? 50 : 10)
          if (message.value === 'a') await producer.send(letters, message.value, { headers: message.headers })
          else await send(letters, message.value)
        },
      })
      await consumer.start()
      await Promise.all(
        ['a', 'b'].map((value) =>
          tracer.startActiveSpan(value, async (span) => {
            await producer.send(orders, value)
            span.end()
          }),
        ),
      )
      await simulation.clock.sleep(1_000)
      await consumer.stop()
      const [a, b] = [named('a')[0], named('b')[0]]
      for (const origin of [a, b]) {
        const inTrace = (name: string) => named(name).filter((span) => span.trace === origin?.trace)
        const [sent, handled, copied] = ['send orders', 'process orders', 'send orders.dlq'].map(inTrace)
        expect([sent?.length, handled?.length, copied?.length]).toEqual([1, 1, 1])
        expect([sent?.[0]?.parent, handled?.[0]?.parent, copied?.[0]?.parent]).toEqual([
          origin?.id,
          sent?.[0]?.id,
          handled?.[0]?.id,
        ])
      }
    })
  })

  it('makes one span of a sendMany, and one of a batch, linked to each context in it', async () => {
    await traced(async ({ simulation, messaging, named }) => {
      const sizes: number[] = []
      const consumer = messaging.consumer({
        group: 'g',
        topics: [orders],
        handleBatch: (batch) => void sizes.push(batch.length),
      })
      const producer = messaging.producer({ lingerMs: 0 })
      await producer.sendMany(orders, ['a', 'b', 'c'])
      await consumer.start()
      await simulation.clock.sleep(500)
      consumer.pause()
      await producer.sendMany(orders, ['d', 'e'])
      await producer.send(orders, 'f')
      await simulation.clock.sleep(500)
      consumer.resume()
      await simulation.clock.sleep(1_000)
      await consumer.stop()
      expect(sizes).toEqual([3, 3])
      const [first, second, third] = named('send orders')
      expect(first?.attributes).toMatchObject({ 'messaging.batch.message_count': 3, 'tidemark.outcome': 'stored' })
      const [alone, mixed] = named('process orders')
      expect([alone?.parent, alone?.links]).toEqual([first?.id, []])
      expect(alone?.attributes['messaging.batch.message_count']).toBe(3)
      expect([mixed?.parent, mixed?.links]).toEqual([null, [second?.id, third?.id]])
    })
  })

  it('keeps a context that a sender wrote of another trace, and goes on in one where nothing is active', async () => {
    await traced(async ({ simulation, messaging, tracer, named }) => {
      const foreign = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
      const headers = { traceparent: foreign, tracestate: 'x=1', baggage: 'own=1', tenant: '7' }
      const producer = messaging.producer({ lingerMs: 0 })
      await tracer.startActiveSpan('job', async (span) => {
        await producer.send(orders, 'kept', { headers })
        span.end()
      })
      await producer.send(orders, 'gone-on', { headers })
      await producer.send(orders, 'own', { headers: { baggage: 'own=1', traceparent: 'nonsense' } })
      const [kept, goneOn, own] = simulation.cluster
        .records('orders', 0)
        .map((record) => Object.fromEntries(record.headers.map(([name, value]) => [name, value?.toString()])))
      const [first, second, third] = named('send orders')
      expect(kept).toEqual(headers)
      expect(first).toMatchObject({ parent: named('job')[0]?.id, links: ['cd'.repeat(8)] })
      expect(second).toMatchObject({ parent: 'cd'.repeat(8), trace: 'ab'.repeat(16), links: [] })
      expect(goneOn).toEqual({ ...headers, traceparent: `00-${second?.trace}-${second?.id}-01` })
      expect(own).toEqual({ baggage: 'own=1', traceparent: `00-${third?.trace}-${third?.id}-01` })
    })
  })

  it('ends the spans of sends that fail, of handlers that never end, and of what is left when all closes', async () => {
    await traced(async ({ simulation, messaging, spans, named }) => {
      const producer = messaging.producer({ lingerMs: 0, maxBlockMs: 100 })
      await expect(producer.send(defineTopic({ name: 'nowhere', value: string() }), 'x')).rejects.toThrow()
      expect(named('send nowhere')[0]).toMatchObject({
        status: SpanStatusCode.ERROR,
        attributes: { 'error.type': 'unknown-topic', 'tidemark.outcome': 'not-stored' },
      })
      const consumer = messaging.consumer({ group: 'g', topics: [orders], handle: () => new Promise(() => undefined) })
      await consumer.start()
      await producer.send(orders, 'a')
      await simulation.clock.sleep(500)
      expect(named('process orders')).toEqual([])
      await consumer.stop({ timeoutMs: 100 })
      await messaging.close({ timeoutMs: 100 })
      expect(named('process orders')[0]?.attributes['tidemark.outcome']).toBe('abandoned')
      expect(spans()).toHaveLength(3)
    })
  })

  it('asks for no key and tells of receipts and commits only when it is told to', async () => {
    const scenario = async ({ simulation, messaging }: World) => {
      const consumer = messaging.consumer({ group: 'g', topics: [orders], handle: () => undefined })
      await consumer.start()
      await messaging.producer({ lingerMs: 0 }).send(orders, 'secret', { partition: 0 })
      await simulation.clock.sleep(1_000)
      await consumer.stop()
    }
    await traced(async (world) => {
      await scenario(world)
      expect(JSON.stringify(world.spans())).not.toContain('secret')
      expect(
        world
          .spans()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['process orders', 'send orders'])
    })
    await traced(
      async (world) => {
        await scenario(world)
        const [poll] = world.named('poll orders')
        const [commit] = world.named('commit orders')
        expect(poll).toMatchObject({ kind: SpanKind.CLIENT, parent: null })
        expect(poll?.attributes).toMatchObject({
          'messaging.operation.type': 'receive',
          'messaging.batch.message_count': 1,
        })
        expect(commit).toMatchObject({ kind: SpanKind.CLIENT, parent: null })
        expect(commit?.attributes).toMatchObject({
          'messaging.operation.type': 'settle',
          'messaging.consumer.group.name': 'g',
          'tidemark.outcome': 'committed',
        })
        const keys = ['send orders', 'process orders'].map((name) => world.named(name)[0]?.attributes)
        for (const attributes of keys) expect(attributes?.['messaging.kafka.message.key']).toBe('secret')
      },
      { messageKeys: true, receive: true, settle: true },
    )
  })
})
