import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AggregatorRegistry, Counter, openMetricsContentType, Registry, type OpenMetricsContentType } from 'prom-client'
import { ConfigError, metricNames } from 'tidemark'
import { prometheusMetrics } from 'tidemark/prometheus'
import { describe, expect, it } from 'vitest'
import { alertRules, brokerMetrics, dashboardQueries } from '../../support/operations-files.js'
import { projectRoot } from '../../support/source-tree.js'
import { numbered, open, put, simulated, t, until } from '../consumer/simulated.js'

async function valueOf(registry: Registry, line: string): Promise<number> {
  const lines = (await registry.metrics()).split('\n')
  return Number(lines.find((one) => one.startsWith(`${line} `))?.slice(line.length + 1))
}

const handledLine = 'tidemark_consumer_records_total{client="shop",group="g",topic="t",outcome="handled"}'

describe('prometheusMetrics', () => {
  it('prints every metric of the table with its kind, in both formats of prom-client', async () => {
    const registry = new Registry()
    prometheusMetrics({ registry })
    const text = await registry.metrics()
    for (const [name, { kind }] of Object.entries(metricNames)) expect(text).toContain(`# TYPE ${name} ${kind}\n`)
    const open = new Registry<OpenMetricsContentType>()
    open.setContentType(openMetricsContentType)
    const adapter = prometheusMetrics({ registry: open })
    adapter.count('tidemark_consumer_crashes_total', { client: 'c', group: 'g' })
    expect(await open.metrics()).toContain('\ntidemark_consumer_crashes_total{client="c",group="g"} 1\n')
    expect(await open.metrics()).toContain('\ntidemark_consumer_crashes_total{client="c",group="g"} 1\n')
  })

  it('adds up by the values of labels, whichever object brings them', async () => {
    const registry = new Registry()
    const adapter = prometheusMetrics({ registry })
    const labels = { client: 'c', topic: 't', outcome: 'stored' }
    adapter.count('tidemark_producer_records_total', labels, 3)
    adapter.count('tidemark_producer_records_total', labels)
    adapter.count('tidemark_producer_records_total', { outcome: 'stored', topic: 't', client: 'c' }, 2)
    expect(await valueOf(registry, 'tidemark_producer_records_total{client="c",topic="t",outcome="stored"}')).toBe(6)
  })

  it('puts values in buckets that hold all that is no greater', async () => {
    const registry = new Registry()
    const adapter = prometheusMetrics({ registry })
    for (const value of [0.001, 0.002, 1000]) {
      adapter.observe('tidemark_producer_send_seconds', { client: 'c', topic: 't' }, value)
    }
    const bucket = (le: string) =>
      valueOf(registry, `tidemark_producer_send_seconds_bucket{client="c",topic="t",le="${le}"}`)
    expect([await bucket('0.001'), await bucket('0.005'), await bucket('300'), await bucket('+Inf')]).toEqual([
      1, 2, 2, 3,
    ])
    expect(await valueOf(registry, 'tidemark_producer_send_seconds_sum{client="c",topic="t"}')).toBeCloseTo(1000.003)
  })

  it('shares the metrics of a registry among clients, and has them again after clear()', async () => {
    const registry = new Registry()
    const [one, other] = [prometheusMetrics({ registry }), prometheusMetrics({ registry })]
    one.count('tidemark_consumer_crashes_total', { client: 'c', group: 'g' })
    other.count('tidemark_consumer_crashes_total', { client: 'c', group: 'g' })
    expect(await valueOf(registry, 'tidemark_consumer_crashes_total{client="c",group="g"}')).toBe(2)
    registry.clear()
    prometheusMetrics({ registry }).count('tidemark_consumer_crashes_total', { client: 'c', group: 'g' })
    expect(await valueOf(registry, 'tidemark_consumer_crashes_total{client="c",group="g"}')).toBe(1)
  })

  it('adds up what workers of a cluster count and hold, and tells the greatest of their ages', async () => {
    const workers = [3, 4].map((value) => {
      const registry = new Registry()
      const adapter = prometheusMetrics({ registry })
      const labels = { client: 'c', group: 'g' }
      adapter.count('tidemark_consumer_crashes_total', labels, value)
      adapter.gauge('tidemark_consumer_in_flight', labels, value)
      adapter.gauge('tidemark_consumer_poll_age_seconds', labels, value)
      return registry.getMetricsAsJSON()
    })
    const all = AggregatorRegistry.aggregate(await Promise.all(workers)) as Registry
    const of = (name: string) => valueOf(all, `${name}{client="c",group="g"}`)
    expect(await of('tidemark_consumer_crashes_total')).toBe(7)
    expect(await of('tidemark_consumer_in_flight')).toBe(7)
    expect(await of('tidemark_consumer_poll_age_seconds')).toBe(4)
  })

  it('registers nothing where something else has a name, and says which', () => {
    const registry = new Registry()
    new Counter({ name: 'tidemark_consumer_crashes_total', help: 'h', registers: [registry] })
    expect(() => prometheusMetrics({ registry })).toThrow(
      /something else under the name tidemark_consumer_crashes_total/,
    )
    expect(registry.getMetricsAsArray()).toHaveLength(1)
    expect(() => prometheusMetrics({ registry: {} as Registry })).toThrow(ConfigError)
  })

  it('has the lag of each partition when it is printed, and no more when the partition is given up', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('n', 10))
      const registry = new Registry()
      const messaging = open(process('one'), { metrics: prometheusMetrics({ registry }), clientId: 'shop' })
      let release: () => void = () => undefined
      const opened = new Promise<void>((resolve) => (release = resolve))
      let begun = 0
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: async () => {
          begun += 1
          if (begun > 4) await opened
        },
      })
      await consumer.start()
      await until(simulation, () => begun === 5)
      await simulation.clock.sleep(2_000)
      const of = 'client="shop",group="g",topic="t",partition="0"'
      expect(await valueOf(registry, `tidemark_consumer_lag_records{${of}}`)).toBe(7)
      expect(await valueOf(registry, `tidemark_consumer_lag_seconds{${of}}`)).toBeGreaterThan(1)
      expect(await valueOf(registry, 'tidemark_consumer_oldest_handler_seconds{client="shop",group="g"}')).toBeCloseTo(
        2,
        1,
      )
      release()
      await until(simulation, () => begun === 10)
      await simulation.clock.sleep(100)
      expect(await valueOf(registry, `tidemark_consumer_lag_records{${of}}`)).toBe(0)
      expect(await valueOf(registry, `tidemark_consumer_lag_seconds{${of}}`)).toBe(0)
      await messaging.close()
      expect(await registry.metrics()).not.toContain('tidemark_consumer_lag_records{')
      expect(await valueOf(registry, handledLine)).toBe(10)
    }))

  it('tells what clients of one name hold together, and nothing of those that are closed', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t', { partitions: 2 })
      const registry = new Registry()
      const clients = ['one', 'two'].map((name) =>
        open(process(name), { metrics: prometheusMetrics({ registry }), clientId: 'shop' }),
      )
      const consumers = clients.map((client) =>
        client.consumer({
          group: 'g',
          topics: [t],
          sessionTimeoutMs: 6_000,
          handle: () => simulation.clock.sleep(600_000),
        }),
      )
      for (const consumer of consumers) await consumer.start()
      await until(simulation, () => consumers.every((consumer) => consumer.facts().partitions.length === 1))
      put(cluster, numbered('n', 10), 't', 0)
      put(cluster, numbered('n', 20), 't', 1)
      await simulation.clock.sleep(2_000)
      const inFlight = () => valueOf(registry, 'tidemark_consumer_in_flight{client="shop",group="g"}')
      expect(await inFlight()).toBe(30)
      await clients[0]?.close({ timeoutMs: 1_000 })
      expect([10, 20]).toContain(await inFlight())
      await clients[1]?.close({ timeoutMs: 1_000 })
      for (const [name, { kind }] of Object.entries(metricNames)) {
        if (kind === 'gauge') expect(await registry.metrics()).not.toMatch(new RegExp(`^${name}[ {]`, 'm'))
      }
    }))

  it('counts dead letters by reason', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      for (const topic of ['t', 't.dlt']) cluster.createTopic(topic)
      put(cluster, ['poison'])
      const registry = new Registry()
      const messaging = open(process('one'), {
        metrics: prometheusMetrics({ registry }),
        clientId: 'shop',
        durability: 'off',
      })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        retry: false,
        outage: false,
        deadLetter: { topic: 't.dlt' },
        handle: () => Promise.reject(new RangeError('poison')),
      })
      await consumer.start()
      const line = 'tidemark_consumer_dead_letters_total{client="shop",group="g",topic="t",reason="exhausted"}'
      await until(simulation, () => consumer.facts().partitions[0]?.lag === 0)
      await messaging.close()
      expect(await valueOf(registry, line)).toBe(1)
    }))
})

describe('the table of metrics', () => {
  it('has labels of few values alone: those of the cluster and of lists', () => {
    const bounded = new Set(
      'client group topic partition outcome reason cause kind to waits_for policy what source watched_group'.split(' '),
    )
    for (const [name, { labels }] of Object.entries(metricNames)) {
      expect([name, labels.filter((label) => !bounded.has(label))]).toEqual([name, []])
      expect(name).toMatch(/^tidemark_[a-z_]+$/)
    }
  })

  it('stands in the guide, row by row', () => {
    const guide = readFileSync(join(projectRoot, 'docs/guides/metrics.md'), 'utf8')
    const rows = guide.split('\n').filter((line) => line.startsWith('| `tidemark_'))
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()))
    expect(cells.map(([, name, kind, unit, labels, meaning]) => [name, kind, unit, labels, meaning])).toEqual(
      Object.entries(metricNames).map(([name, { kind, unit, labels, meaning }]) => [
        `\`${name}\``,
        kind,
        unit,
        labels.filter((label) => label !== 'client').join(', '),
        meaning,
      ]),
    )
  })
})

describe('the dashboard and the alerts that are shipped', () => {
  /** Of exporters that are not ours: kafka_exporter, node_exporter, Prometheus itself. */
  const foreign = [
    'up',
    'kafka_consumergroup_lag',
    'node_cpu_seconds_total',
    'node_filesystem_avail_bytes',
    'node_filesystem_size_bytes',
    'node_network_transmit_bytes_total',
    'node_network_speed_bytes',
  ]
  const ours = Object.entries(metricNames).flatMap(([name, { kind }]) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  )
  const known = new Set([...foreign, ...brokerMetrics(), ...ours])
  const rules = [...alertRules().matchAll(/alert: (\w+)\n\s+expr: (?:>-\n)?([^]*?)\n\s+(?:for|labels):/g)]
  const queries = [
    ...rules.map(([, name = '', query = '']) => [name, query] as const),
    ...dashboardQueries().map(({ panel, query }) => [panel, query] as const),
  ]

  it('ask for metrics that exist, with labels that they have', () => {
    expect(rules.length).toBe(alertRules().split('- alert:').length - 1)
    expect(queries.length).toBeGreaterThan(50)
    for (const [where, query] of queries) {
      const names = query.match(/\b(?:tidemark|kafka|node)_[a-z_]+\b|\bup\b/g) ?? []
      expect([where, names.length > 0, names.filter((name) => !known.has(name))]).toEqual([where, true, []])
      const labels = new Set(
        names.flatMap((name) => {
          const own = name.replace(/_(bucket|sum|count)$/, '')
          const { labels = [] } = (metricNames as Record<string, { labels?: readonly string[] }>)[own] ?? {}
          return labels
        }),
      )
      const grouped = [...query.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(/, */))
      const strange = grouped.filter(
        (label) => !labels.has(label) && !['le', 'instance', 'consumergroup', 'topic'].includes(label),
      )
      expect([where, strange]).toEqual([where, []])
    }
  })
})
