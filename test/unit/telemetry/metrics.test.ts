import { describe, expect, it } from 'vitest'
import type { TidemarkError } from 'tidemark'
import { ConfigError, DriverError, HandlerError, metricNames, type MetricsAdapter } from 'tidemark'
import { guarded } from '../../../src/telemetry/guard.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { noMetrics, scoped, type Metrics } from '../../../src/telemetry/metrics.js'
import { numbered, open, put, simulated, t, until } from '../consumer/simulated.js'

interface Measurement {
  readonly name: keyof typeof metricNames
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

function measured() {
  const all: Measurement[] = []
  const adapter: MetricsAdapter = {
    count: (name, labels, by = 1) => void all.push({ name, labels, value: by }),
    gauge: (name, labels, value) => void all.push({ name, labels, value }),
    observe: (name, labels, value) => void all.push({ name, labels, value }),
  }
  return { all, adapter }
}

describe('metrics', () => {
  it('of a client have its labels, as far as the name has them', () => {
    const { all, adapter } = measured()
    const metrics = scoped(adapter, { client: 'c', group: 'g' })
    metrics.count('tidemark_consumer_commits_total', { outcome: 'committed' }, 3)
    metrics.gauge('tidemark_producer_buffer_bytes', {}, 7)
    expect(all).toEqual([
      { name: 'tidemark_consumer_commits_total', labels: { client: 'c', group: 'g', outcome: 'committed' }, value: 3 },
      { name: 'tidemark_producer_buffer_bytes', labels: { client: 'c' }, value: 7 },
    ])
  })

  it('name their client, and those of a consumer its group, so that none is taken for that of another', () => {
    for (const [name, { labels }] of Object.entries(metricNames)) {
      expect(labels, name).toContain('client')
      if (name.startsWith('tidemark_consumer_')) expect(labels, name).toContain('group')
    }
  })

  it('of several with the same labels add up or tell the most, also of adapters that are guarded, and end with each', () => {
    const told = new Map<string, number>()
    const adapter: MetricsAdapter = {
      count: () => undefined,
      observe: () => undefined,
      gauge: (name, labels, value) => void told.set(`${name} ${JSON.stringify(labels)}`, value),
      forget: (name, labels) => void told.delete(`${name} ${JSON.stringify(labels)}`),
    }
    const scope = { client: 'c', group: 'g' }
    const [one, other] = ['c', 'c'].map((client) => scoped(guarded(silentLogger, adapter, client).metrics, scope)) as [
      Metrics,
      Metrics,
    ]
    const [held, age] = [
      'tidemark_consumer_in_flight {"client":"c","group":"g"}',
      'tidemark_consumer_poll_age_seconds {"client":"c","group":"g"}',
    ]
    const both = () => [told.get(held), told.get(age)]
    one.gauge('tidemark_consumer_in_flight', {}, 3)
    one.gauge('tidemark_consumer_poll_age_seconds', {}, 9)
    other.gauge('tidemark_consumer_in_flight', {}, 4)
    other.gauge('tidemark_consumer_poll_age_seconds', {}, 2)
    expect(both()).toEqual([7, 9])
    one.gauge('tidemark_consumer_in_flight', {}, 1)
    one.gauge('tidemark_consumer_poll_age_seconds', {}, 1)
    expect(both()).toEqual([5, 2])
    one.forget('tidemark_consumer_in_flight', {})
    expect(both()).toEqual([4, 2])
    other.close?.()
    expect(both()).toEqual([undefined, 1])
    other.gauge('tidemark_consumer_in_flight', {}, 8)
    one.close?.()
    expect(told.size).toBe(0)
  })

  it('that go nowhere cost nothing', () => {
    expect(scoped(noMetrics, { client: 'c' })).toBe(noMetrics)
  })

  it('have rising buckets in the table where they are histograms, and none elsewhere', () => {
    for (const [name, { kind, ...rest }] of Object.entries(metricNames)) {
      const buckets: readonly number[] | null = 'buckets' in rest ? rest.buckets : null
      expect([name, buckets !== null]).toEqual([name, kind === 'histogram'])
      expect(buckets).toEqual(buckets === null ? null : [...buckets].sort((one, other) => one - other))
    }
  })

  it('of a run have exactly the labels that the table has, and end with nothing held', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t', { partitions: 2 })
      put(cluster, numbered('n', 40))
      const { all, adapter } = measured()
      const messaging = open(process('one'), { metrics: adapter, clientId: 'shop' })
      await messaging.producer().send(t, 'sent')
      let handled = 0
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        order: 'none',
        highMark: { records: 10 },
        handle: () => void (handled += 1),
      })
      await consumer.start()
      await until(simulation, () => handled === 41)
      const held = all.filter(({ name }) => name === 'tidemark_consumer_in_flight').map(({ value }) => value)
      expect(Math.max(...held)).toBeGreaterThan(0)
      expect(held.at(-1)).toBe(0)
      const paused = all.filter(({ name }) => name === 'tidemark_consumer_paused_partitions')
      expect(Math.max(...paused.map(({ value }) => value))).toBe(1)
      expect(paused.at(-1)?.value).toBe(0)
      await messaging.close()
      for (const { name, labels } of all) {
        expect([name, Object.keys(labels).sort()]).toEqual([name, [...metricNames[name].labels].sort()])
      }
      const names = new Set(all.map(({ name }) => name))
      expect(names.size).toBeGreaterThan(8)
      expect(all.find(({ name }) => name === 'tidemark_consumer_records_total')?.labels).toMatchObject({
        client: 'shop',
        group: 'g',
      })
    }))
})

describe('facts', () => {
  it('name client, group and topics, and keep the message of an error as JSON', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t')
      put(cluster, ['poison'])
      const messaging = open(process('one'), { clientId: 'shop' })
      messaging.producer()
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: () => Promise.reject(new RangeError('hunter2')),
      })
      await consumer.start()
      await until(simulation, () => consumer.facts().partitions[0]?.stoppedBy !== null)
      const text = JSON.stringify(messaging.facts())
      expect(JSON.parse(text)).toMatchObject({
        client: 'shop',
        producers: [{ client: 'shop', state: 'open' }],
        consumers: [
          {
            client: 'shop',
            group: 'g',
            topics: ['t'],
            partitions: [
              {
                stoppedBy: {
                  name: 'HandlerError',
                  message: expect.stringContaining('handler') as string,
                  topic: 't',
                  cause: { name: 'RangeError' },
                },
              },
            ],
          },
        ],
      })
      expect(text).not.toContain('hunter2')
      await messaging.close()
    }))

  it.each([
    new HandlerError('handler-failed', 'a handler failed', { cause: new DriverError('x', 'its cause') }),
    new ConfigError('options', [{ path: 'a', message: 'is missing', fix: 'write it' }]),
  ])('and so do errors by themselves: $name', (error: TidemarkError) => {
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      name: error.name,
      code: error.code,
      message: error.message,
      ...(error.cause === undefined ? {} : { cause: { message: 'its cause' } }),
    })
  })
})
