import { channel } from 'node:diagnostics_channel'
import { createMessaging, defineTopic, string, type MetricsAdapter } from 'tidemark'
import { openTelemetryTracing } from 'tidemark/opentelemetry'
import type { Tracing, TracingAdapter } from 'tidemark/driver'
import { simulate } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { withSdk } from '../../support/traced.js'
import { logged } from '../consumer/simulated.js'

const orders = defineTopic({ name: 'orders', value: string() })

/** Sends and handles two records, in a `sendMany` and alone, and tells what came of it. */
async function used(tracing: TracingAdapter | undefined) {
  const { logger, loud } = logged()
  const failures: string[] = []
  const handled: string[] = []
  let headers: readonly (readonly [string, unknown])[] = []
  const nothing = () => undefined
  const metrics: MetricsAdapter = {
    count: (name, labels) => void (name === 'tidemark_foreign_failures_total' && failures.push(`${labels['source']}`)),
    gauge: nothing,
    observe: nothing,
  }
  await simulate(1, async ({ cluster, clock, process }) => {
    cluster.createTopic('orders')
    const { driver } = process('service')
    const messaging = createMessaging({ driver, durability: 'off', logger, metrics, tracing })
    const consumer = messaging.consumer({
      group: 'g',
      topics: [orders],
      handle: (message) => void handled.push(message.value),
    })
    await consumer.start()
    const producer = messaging.producer({ lingerMs: 0 })
    await producer.sendMany(orders, ['a', 'b'])
    await producer.send(orders, 'c', { headers: { own: '1' } })
    await clock.sleep(500)
    headers = cluster.records('orders', 0)[2]?.headers ?? []
    await consumer.stop()
    await messaging.close()
  })
  return { handled, failures, loud: loud(), headers: headers.map(([name]) => name) }
}

const broken = (what: string) => () => {
  throw new Error(`${what} is broken`)
}

// Nobody awaits them: what is not heeded would end the process.
const rejects = (what: string) => () => Promise.reject(new Error(`${what} is broken`)) as never
const runsAndRejects = (call: () => unknown) => {
  call()
  return Promise.reject(new Error('it is broken')) as never
}

describe('tracing that fails', () => {
  it.each<readonly [string, TracingAdapter]>([
    ['at once', { of: broken('of') }],
    [
      'at every call',
      {
        of: () => ({
          send: broken('send'),
          process: broken('process'),
          receive: broken('receive'),
          settle: broken('settle'),
          inject: broken('inject'),
          capture: broken('capture'),
          outside: broken('outside'),
        }),
      },
    ],
    [
      'when spans end, and runs handlers never, twice and later',
      {
        of: () => {
          let calls = 0
          return {
            send: ({ headers }) => ({ headers, end: broken('end') }),
            process: () => ({
              run(call) {
                calls += 1
                if (calls === 2) void Promise.resolve().then(call)
                if (calls === 3) call()
                return (calls === 3 ? call() : undefined) as ReturnType<typeof call>
              },
              end: broken('end'),
            }),
            receive: () => undefined,
            settle: () => ({ end: broken('end') }),
            inject: (headers) => headers,
            capture: () => (call) => call(),
            outside: (call) => call(),
          } satisfies Tracing
        },
      },
    ],
    [
      'by promises at every call',
      {
        of: () =>
          ({
            send: rejects('send'),
            process: rejects('process'),
            receive: rejects('receive'),
            settle: rejects('settle'),
            inject: rejects('inject'),
            capture: rejects('capture'),
            outside: rejects('outside'),
          }) satisfies Tracing,
      },
    ],
    [
      'by promises when spans end, and after handlers ran',
      {
        of: () =>
          ({
            send: ({ headers }) => ({ headers, end: rejects('end') }),
            process: () => ({ run: runsAndRejects, end: rejects('end') }),
            receive: rejects('receive'),
            settle: () => ({ end: rejects('end') }),
            inject: (headers) => headers,
            capture: () => runsAndRejects,
            outside: runsAndRejects,
          }) satisfies Tracing,
      },
    ],
    ['by a promise at once', { of: rejects('of') }],
  ])('changes nothing for records when it fails %s, and is told once', async (_, tracing) => {
    const { handled, failures, loud, headers } = await used(tracing)
    expect(handled).toEqual(['a', 'b', 'c'])
    expect(headers).toEqual(['own'])
    expect(failures.length).toBeGreaterThan(0)
    expect(new Set(failures)).toEqual(new Set(['tracing']))
    expect(loud.map(({ message }) => message)).toEqual([
      'tracing threw; spans are lost as long as it does, and records go on without',
    ])
  })

  it.each([
    ['throws', broken('inject')],
    [
      'adds a hundred headers',
      (_: unknown, carrier: unknown, { set }: { set: (to: unknown, name: string, value: string) => void }) => {
        for (let at = 0; at < 100; at += 1) set(carrier, `x-${at}`, 'y')
      },
    ],
    [
      'adds a header of 20 KiB',
      (_: unknown, carrier: unknown, { set }: { set: (to: unknown, name: string, value: string) => void }) =>
        set(carrier, 'x', 'y'.repeat(20_480)),
    ],
  ])('sends records as they are where the propagator %s', async (_, inject) => {
    await withSdk(async () => {
      const propagator = { inject: inject as () => void, extract: broken('extract'), fields: () => ['own'] }
      const { handled, headers, failures } = await used(openTelemetryTracing({ propagator }))
      expect(handled).toEqual(['a', 'b', 'c'])
      expect(headers).toEqual(['own'])
      expect(new Set(failures)).toEqual(new Set(['tracing']))
    })
  })

  it('costs no record its place: one that is too large with its trace goes without', async () => {
    await withSdk(async ({ named }) => {
      await simulate(1, async ({ cluster, process }) => {
        cluster.createTopic('orders')
        const { driver } = process('service')
        const tracing = openTelemetryTracing()
        const messaging = createMessaging({ driver, durability: 'off', logger: 'silent', tracing })
        const producer = messaging.producer({ maxRequestBytes: 2_048 })
        const value = 'x'.repeat(1_910)
        await producer.send(orders, value)
        await producer.sendMany(orders, [value])
        expect(cluster.records('orders', 0).map(({ headers }) => headers)).toEqual([[], []])
        await messaging.close()
      })
      expect(named('send orders')).toHaveLength(2)
    })
  })
})

describe('channels of node:diagnostics_channel', () => {
  it('hear each event of their kind with client and group, beside or without onEvent', async () => {
    const heard: unknown[] = []
    const hear = (message: unknown) => void heard.push(message)
    channel('tidemark:assigned').subscribe(hear)
    try {
      await used(undefined)
    } finally {
      channel('tidemark:assigned').unsubscribe(hear)
    }
    const partitions = [{ topic: 'orders', partition: 0, offset: 0 }]
    expect(heard).toEqual([{ kind: 'assigned', client: 'tidemark', group: 'g', partitions }])
    await used(undefined)
    expect(heard).toHaveLength(1)
  })
})
