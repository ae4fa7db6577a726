import { createServer, request } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import { KafkaJsInstrumentation } from '@opentelemetry/instrumentation-kafkajs'
import { logLevel } from 'kafkajs'
import type * as KafkaJs from 'kafkajs'
import { createMessaging, defineTopic, string } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { openTelemetryTracing } from 'tidemark/opentelemetry'
import { redrive } from 'tidemark/redrive'
import { expect, inject, it } from 'vitest'
import { withSdk, type Told } from '../support/traced.js'
import { until } from '../support/waiting.js'

const topicNamed = (name: string) => defineTopic({ name, value: string(), partitions: 1, replicationFactor: 1 })

const driver = () => kafkajs({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING })

/** A span as its name and outcome, of one that has no outcome as its name. */
const line = ({ name, attributes }: Told): string => {
  const outcome = attributes['tidemark.outcome']
  return outcome === undefined ? name : `${name} ${String(outcome)}`
}

const lines = (spans: readonly Told[]) => spans.map(line).join(', ')

interface Service extends AsyncDisposable {
  /** Asks as an instrumented client does, and gives the status of the answer. */
  post(): Promise<number>
}

/** A service whose requests go on in the traces of who asks, as instrumentation of HTTP has them. */
async function service(tracer: Tracer, handle: () => Promise<unknown>): Promise<Service> {
  const server = createServer((asking, response) => {
    const asked = propagation.extract(ROOT_CONTEXT, asking.headers)
    const span = tracer.startSpan('POST /orders', { kind: SpanKind.SERVER }, asked)
    const end = (status: number) => () => {
      response.writeHead(status).end()
      span.end()
    }
    void context.with(trace.setSpan(asked, span), handle).then(end(202), end(500))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const post = async (): Promise<number> => {
    const span = tracer.startSpan('POST', { kind: SpanKind.CLIENT })
    const headers: Record<string, string> = {}
    propagation.inject(trace.setSpan(ROOT_CONTEXT, span), headers)
    const asking = new Promise<number>((resolve, reject) => {
      const path = { port, host: '127.0.0.1', path: '/orders', method: 'POST' }
      const sent = request({ ...path, headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.once('error', reject).end()
    })
    return asking.finally(() => span.end())
  }
  return {
    post,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  }
}

it('one trace goes from a request over a retry, a delay topic, a dead letter and its redrive to the record that is handled', async () => {
  await withSdk(async ({ tracer, spans, named }) => {
    const orders = topicNamed('traced-orders')
    const letters = defineTopic({
      name: 'traced-orders.dlq',
      value: string(),
      deadLettersOf: orders,
      replicationFactor: 1,
    })
    const tracing = openTelemetryTracing({ receive: true, settle: true })
    await using messaging = createMessaging({
      driver: driver(),
      clientId: 'shop',
      durability: 'off',
      logger: 'silent',
      tracing,
    })
    let isMended = false
    let tries = 0
    const consumer = messaging.consumer({
      group: 'traced-billing',
      topics: [orders],
      deadLetter: letters,
      outage: false,
      retry: { retries: 1, backoff: { initialMs: 10, maxMs: 10 }, budgetMs: 60_000 },
      retryLater: { delays: ['1s'], order: 'none' },
      commit: { everyMs: 100 },
      handle: async () => {
        tries += 1
        await Promise.resolve()
        if (!isMended) throw new RangeError('no such account')
      },
    })
    await messaging.ensureTopics([orders, letters, ...consumer.delayTopics])
    await consumer.start()
    const producer = messaging.producer({ lingerMs: 0 })
    await using shop = await service(tracer, () => producer.send(orders, 'a'))
    expect(await shop.post()).toBe(202)
    const letter = 'send traced-orders.dlq'
    await until('the record is a dead letter', () => named(letter).length === 1, { seen: () => lines(spans()) })
    isMended = true
    const summary = await redrive(messaging, {
      from: letters,
      allow: [orders],
      group: 'traced-redrive',
    })
    expect(summary).toMatchObject({ ended: 'done', redriven: 1 })
    await until('the record is handled', () => tries === 5, { seen: () => `${tries} tries, ${lines(spans())}` })
    await consumer.stop()

    const delayTopic = 'traced-orders.retry.traced-billing.1s'
    const [asked] = named('POST')
    const [served] = named('POST /orders')
    const [sent, resent] = named('send traced-orders')
    const [first, second, redriven] = named('process traced-orders')
    const [put] = named(`send ${delayTopic}`)
    const [third, fourth] = named(`process ${delayTopic}`)
    const [moved] = named(letter)
    const [taken] = named('process traced-orders.dlq')
    const family = [
      ['POST', asked, undefined, []],
      ['POST /orders', served, asked, []],
      ['send traced-orders stored', sent, served, []],
      ['process traced-orders again', first, sent, []],
      ['process traced-orders delay-topic', second, sent, [first]],
      [`send ${delayTopic} stored`, put, second, []],
      [`process ${delayTopic} again`, third, put, [sent]],
      [`process ${delayTopic} dead-letter`, fourth, put, [sent, third]],
      ['send traced-orders.dlq stored', moved, fourth, [sent]],
      ['process traced-orders.dlq handled', taken, moved, [sent]],
      ['send traced-orders stored', resent, taken, [sent]],
      ['process traced-orders handled', redriven, resent, [sent]],
    ] as const
    const inTrace = spans().filter((span) => span.trace === asked?.trace)
    expect(inTrace, lines(spans())).toHaveLength(family.length)
    for (const [told, span, parent, links] of family) {
      expect(span, `${told}; seen: ${lines(spans())}`).toMatchObject({
        trace: asked?.trace,
        parent: parent?.id ?? null,
        links: links.map((link) => link?.id),
      })
      expect(line(span as Told)).toBe(told)
    }
    const failed = { status: SpanStatusCode.ERROR, exceptions: ['RangeError'] }
    for (const span of [first, second, third, fourth]) expect(span).toMatchObject(failed)
    const well = { status: SpanStatusCode.UNSET, exceptions: [] }
    for (const span of [sent, put, moved, taken, resent, redriven]) expect(span).toMatchObject(well)
    const place = (span: Told | undefined) => [span?.kind, span?.attributes['messaging.kafka.offset']]
    expect([sent, first, second, resent, redriven].map(place)).toEqual([
      [SpanKind.PRODUCER, 0],
      [SpanKind.CONSUMER, 0],
      [SpanKind.CONSUMER, 0],
      [SpanKind.PRODUCER, 1],
      [SpanKind.CONSUMER, 1],
    ])

    // What belongs to no record: receipts and commits, each a trace of its own.
    const apart = spans().filter((span) => span.trace !== asked?.trace)
    expect([...new Set(apart.map(({ parent, kind }) => `${parent} ${kind}`))]).toEqual([`null ${SpanKind.CLIENT}`])
    expect(apart.map(line)).toEqual(
      expect.arrayContaining([
        'poll traced-orders',
        `poll ${delayTopic}`,
        'poll traced-orders.dlq',
        // Named after a topic only where all that it confirms is of that one.
        expect.stringMatching(/^commit( traced-orders)? committed$/),
      ]),
    )
  })
})

it('a trace goes on from kafkajs with its instrumentation to us and back, by one name for the same, and we are not traced twice', async () => {
  await withSdk(async ({ tracer, spans, named }) => {
    const instrumentation = new KafkaJsInstrumentation()
    // Patches what `require` gives, whoever loaded it before.
    const { Kafka } = createRequire(import.meta.url)('kafkajs') as typeof KafkaJs
    const theirs = new Kafka({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING })
    const [orders, invoices] = [topicNamed('moved-orders'), topicNamed('moved-invoices')]
    await using messaging = createMessaging({
      driver: driver(),
      durability: 'off',
      logger: 'silent',
      tracing: openTelemetryTracing(),
    })
    await messaging.ensureTopics([orders, invoices])
    const producer = theirs.producer()
    const reader = theirs.consumer({ groupId: 'moved-readers' })
    const read: (string | undefined)[] = []
    const consumer = messaging.consumer({
      group: 'moved-billing',
      topics: [orders],
      handle: async ({ value }, { send }) => void (await send(invoices, value)),
    })
    try {
      await consumer.start()
      await reader.subscribe({ topic: invoices.name, fromBeginning: true })
      await reader.run({
        eachMessage: () => {
          read.push(trace.getActiveSpan()?.spanContext().traceId)
          return Promise.resolve()
        },
      })
      await producer.connect()
      await tracer.startActiveSpan('POST /orders', async (span) => {
        await producer.send({ topic: orders.name, messages: [{ value: 'a' }] })
        span.end()
      })
      await until('kafkajs has read it', () => read.length === 1, { seen: () => lines(spans()) })
      await until('its span ends', () => named('process moved-invoices').length === 1, { seen: () => lines(spans()) })
      await consumer.stop()
    } finally {
      await producer.disconnect()
      await reader.disconnect()
      instrumentation.disable()
    }
    const names = [
      'POST /orders',
      'send moved-orders',
      'process moved-orders',
      'send moved-invoices',
      'process moved-invoices',
    ]
    expect(spans().map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    expect(spans(), lines(spans())).toHaveLength(names.length)
    const [origin, ...rest] = names.map((name) => named(name)[0])
    let parent = origin
    for (const span of rest) {
      expect([span?.name, span?.parent, span?.trace]).toEqual([span?.name, parent?.id, origin?.trace])
      parent = span
    }
    expect(read).toEqual([origin?.trace])
    const kinds = rest.map((span) => [span?.kind, span?.attributes['messaging.operation.type']])
    expect(kinds).toEqual([
      [SpanKind.PRODUCER, 'send'],
      [SpanKind.CONSUMER, 'process'],
      [SpanKind.PRODUCER, 'send'],
      [SpanKind.CONSUMER, 'process'],
    ])
  })
})
