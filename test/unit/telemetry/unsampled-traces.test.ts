import { context, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, type Sampler } from '@opentelemetry/sdk-trace-node'
import { createMessaging, defineTopic, string, type Messaging } from 'tidemark'
import { openTelemetryTracing } from 'tidemark/opentelemetry'
import { simulate, type Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { withSdk, type Traced } from '../../support/traced.js'

const orders = defineTopic({ name: 'orders', value: string() })
const copies = defineTopic({ name: 'copies', value: string() })

interface World extends Traced {
  readonly simulation: Simulation
  readonly messaging: Messaging
  /** How often the sampler was asked. */
  readonly asked: () => number
  readonly headersOf: (topic: string) => readonly Readonly<Record<string, string | undefined>>[]
}

type Options = Parameters<typeof openTelemetryTracing>[0]

async function traced(inner: Sampler, scenario: (world: World) => Promise<void>, options: Options = {}): Promise<void> {
  let asked = 0
  const sampler: Sampler = {
    shouldSample: (...given) => {
      asked += 1
      return inner.shouldSample(...given)
    },
    toString: () => 'counted',
  }
  await withSdk(
    async (sdk) => {
      await simulate(1, async (simulation) => {
        for (const { name } of [orders, copies]) simulation.cluster.createTopic(name)
        const { driver } = simulation.process('service')
        const tracing = openTelemetryTracing(options)
        const messaging = createMessaging({ driver, clientId: 'shop', durability: 'off', logger: 'silent', tracing })
        const headersOf = (topic: string) =>
          simulation.cluster
            .records(topic, 0)
            .map(({ headers }) => Object.fromEntries(headers.map(([name, value]) => [name, value?.toString()])))
        await scenario({ ...sdk, simulation, messaging, headersOf, asked: () => asked })
        await messaging.close()
      })
    },
    { sampler },
  )
}

const followsParents = new ParentBasedSampler({ root: new AlwaysOnSampler() })
const hex = (number: number, length: number) => number.toString(16).padStart(length, '0')
const parent = (number: number, flags = '00') => `00-${hex(number, 32)}-${hex(number, 16)}-${flags}`

/** Records of traces of others, handled one by one, each of which is sent on. */
async function passOn({ simulation, messaging }: World, parents: readonly string[]): Promise<readonly string[]> {
  const seen: string[] = []
  const producer = messaging.producer({ lingerMs: 0 })
  const consumer = messaging.consumer({
    group: 'copier',
    topics: [orders],
    handle: async (message) => {
      const active = trace.getSpanContext(context.active())
      const baggage = propagation.getBaggage(context.active())?.getEntry('user')?.value
      seen.push(`${message.value} ${active?.traceId ?? ''} ${active?.traceFlags ?? ''} ${baggage ?? ''}`)
      await producer.send(copies, message.value)
    },
  })
  await consumer.start()
  for (const [index, traceparent] of parents.entries()) {
    await producer.send(orders, String(index), { headers: { traceparent, baggage: `user=${index}` } })
  }
  await simulation.clock.sleep(2_000)
  await consumer.stop()
  return seen
}

describe('traces that are not sampled', () => {
  it('go on through a handler and what it sends, each in its own context, and no tracer is asked for each record', async () => {
    await traced(followsParents, async (world) => {
      const count = 300
      const seen = await passOn(
        world,
        Array.from({ length: count }, (_, index) => parent(index + 1)),
      )
      expect(seen).toEqual(
        Array.from({ length: count }, (_, index) => `${index} ${hex(index + 1, 32)} ${TraceFlags.NONE} ${index}`),
      )
      const copied = world.headersOf('copies')
      expect(copied.map(({ traceparent = '', baggage = '' }) => `${traceparent.slice(3, 35)} ${baggage}`)).toEqual(
        Array.from({ length: count }, (_, index) => `${hex(index + 1, 32)} user=${index}`),
      )
      expect(copied.every(({ traceparent = '' }) => traceparent.endsWith('-00'))).toBe(true)
      expect(world.spans()).toEqual([])
      // Three operations: sends to two topics, and handling. Of each the first 16, then one in 256.
      expect(world.asked()).toBe(3 * 17)
    })
  })

  it('beside one that is sampled keep it whole: its records have all their spans', async () => {
    await traced(followsParents, async (world) => {
      const parents = Array.from({ length: 60 }, (_, index) => parent(index + 1, index % 20 === 0 ? '01' : '00'))
      await passOn(world, parents)
      for (const name of ['send orders', 'process orders', 'send copies']) {
        expect([name, ...world.named(name).map((span) => span.trace)]).toEqual([
          name,
          ...[1, 21, 41].map((number) => hex(number, 32)),
        ])
      }
    })
  })

  it('have all their spans where the sampler does not follow parents, and where it is to be asked for each', async () => {
    const parents = Array.from({ length: 40 }, (_, index) => parent(index + 1))
    await traced(new AlwaysOnSampler(), async (world) => {
      await passOn(world, parents)
      expect(world.spans()).toHaveLength(3 * 40)
    })
    const every30th: Sampler = {
      shouldSample: (_, traceId) => ({ decision: Number.parseInt(traceId, 16) % 30 === 0 ? 2 : 0 }),
      toString: () => 'every 30th trace, whatever its parent says',
    }
    const scenario = async (world: World) => {
      await passOn(world, parents)
      expect(world.spans()).toHaveLength(3)
    }
    await traced(every30th, scenario, { sampling: 'each' })
  })

  it('are asked for again after a sampler has come to record them', async () => {
    let inner: Sampler = new AlwaysOffSampler()
    const changing: Sampler = {
      shouldSample: (...given) => inner.shouldSample(...given),
      toString: () => 'one that changes',
    }
    await traced(changing, async ({ messaging, spans }) => {
      const producer = messaging.producer({ lingerMs: 0 })
      const send = async (count: number) => {
        for (let index = 1; index <= count; index += 1) {
          await producer.send(orders, 'x', { headers: { traceparent: parent(index) } })
        }
      }
      await send(20)
      inner = new AlwaysOnSampler()
      await send(256)
      await send(10)
      expect(spans().length).toBeGreaterThan(10)
    })
  })

  it('are read by the propagator where the header is not as it should be, or another one tells more', async () => {
    const broken = [
      '',
      '00',
      parent(0),
      parent(7).replace(/-00$/, '-0g'),
      parent(7).toUpperCase().replace('00-', 'FF-'),
    ]
    await traced(followsParents, async (world) => {
      await passOn(world, broken)
      // They begin traces, which are sampled.
      expect(world.named('process orders')).toHaveLength(broken.length)
    })
  })
})

describe('sends that begin a trace', () => {
  it('have one span where they are made at once, which tells how many and the worst end, and goes with each', async () => {
    await traced(followsParents, async ({ messaging, named, headersOf }) => {
      const producer = messaging.producer({ lingerMs: 0 })
      await producer.send(orders, 'alone')
      await Promise.all([
        producer.send(orders, 'a'),
        producer.send(orders, 'b', { headers: { tenant: '7' } }),
        producer.send(copies, 'elsewhere'),
      ])
      const [alone, shared, ...more] = named('send orders')
      expect(more).toEqual([])
      expect(alone?.attributes['messaging.batch.message_count']).toBeUndefined()
      expect(alone?.attributes['messaging.kafka.offset']).toBe(0)
      expect(shared?.attributes).toMatchObject({ 'messaging.batch.message_count': 2, 'tidemark.outcome': 'stored' })
      expect(named('send copies')).toHaveLength(1)
      const traceparent = `00-${shared?.trace}-${shared?.id}-01`
      expect(headersOf('orders').slice(1)).toEqual([{ traceparent }, { tenant: '7', traceparent }])
    })
  })

  it('fail in the span that they share if one of them does, and are 128 to a span at most', async () => {
    await traced(followsParents, async ({ messaging, named }) => {
      const producer = messaging.producer({ lingerMs: 0, maxRequestBytes: 2_000 })
      const sends = [producer.send(orders, 'a'), producer.send(orders, 'x'.repeat(4_000)), producer.send(orders, 'b')]
      await Promise.allSettled(sends)
      const [mixed] = named('send orders')
      expect(mixed?.attributes).toMatchObject({ 'tidemark.outcome': 'not-stored' })
      await Promise.all(Array.from({ length: 300 }, () => producer.send(copies, 'x')))
      const counts = named('send copies').map(({ attributes }) => attributes['messaging.batch.message_count'])
      expect(counts).toEqual([128, 128, 44])
    })
  })

  it('have one each within a span, so what a request sends is told record by record', async () => {
    await traced(followsParents, async ({ messaging, tracer, named }) => {
      const producer = messaging.producer({ lingerMs: 0 })
      await tracer.startActiveSpan('POST /orders', async (request) => {
        await Promise.all([producer.send(orders, 'a'), producer.send(orders, 'b')])
        request.end()
      })
      const [request] = named('POST /orders')
      expect(named('send orders').map((span) => span.parent)).toEqual([request?.id, request?.id])
    })
  })
})
