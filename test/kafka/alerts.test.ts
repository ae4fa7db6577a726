import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { logLevel } from 'kafkajs'
import { Registry } from 'prom-client'
import {
  createMessaging,
  defineTopic,
  metricNames,
  string,
  type ClientEvent,
  type Consumer,
  type MetricName,
} from 'tidemark'
import { healthServer } from 'tidemark/health'
import { kafkajs } from 'tidemark/kafkajs'
import { lagMonitor } from 'tidemark/lag'
import { prometheusMetrics } from 'tidemark/prometheus'
import { expect, it } from 'vitest'
import type { MetricDefinition } from '../../src/telemetry/metric-names.js'
import { freePorts } from '../support/free-ports.js'
import { jmxExporter } from '../support/jmx-exporter.js'
import { startCluster } from '../support/kafka-cluster.js'
import { alertRules, brokerMetrics, dashboardQueries } from '../support/operations-files.js'
import { startPrometheus, type PrometheusServer } from '../support/prometheus-server.js'
import { delay, until } from '../support/waiting.js'

const work = defineTopic({ name: 'work', value: string() })

/** The rules as they are shipped, but for their times: windows of 4 s, and no longer than 1 s until they fire. */
function hastened(rules: string): string {
  const unseen = 'tidemark_group_seen_timestamp_seconds) > 300'
  expect(rules).toContain(unseen)
  return rules
    .replace(unseen, unseen.replace('300', '4'))
    .replaceAll(/\[\d+m\]/g, '[4s]')
    .replaceAll(/offset \d+m/g, 'offset 4s')
    .replaceAll(/for: \d+m/g, 'for: 1s')
}

/** What Prometheus scrapes. */
async function metricsServer(print: () => Promise<string>) {
  const server = createServer((_, response) => {
    print().then(
      (text) => response.end(text),
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  }
}

/** Calls it until it is disposed of; what it throws is for those who watch what it does. */
function always(everyMs: number, call: () => Promise<unknown>): AsyncDisposable {
  const state = { ends: false }
  const loop = async () => {
    while (!state.ends) {
      await call().catch(() => undefined)
      await delay(everyMs)
    }
  }
  const running = loop()
  return {
    [Symbol.asyncDispose]: () => {
      state.ends = true
      return running
    },
  }
}

const namesOf = async (prometheus: PrometheusServer): Promise<string[]> =>
  [...new Set((await prometheus.firing()).map(({ name }) => name))].sort()

/** That alert comes, and goes, whatever else fires meanwhile. */
async function fires(prometheus: PrometheusServer, name: string): Promise<void> {
  const seen = async () => `firing: ${(await namesOf(prometheus)).join(', ')}`
  await until(`${name} fires`, async () => (await namesOf(prometheus)).includes(name), { seen })
}

async function clears(prometheus: PrometheusServer): Promise<void> {
  const seen = async () => JSON.stringify(await prometheus.firing())
  await until('no alert fires', async () => (await namesOf(prometheus)).length === 0, { seen })
}

it('fire for dead letters, a stuck partition, a stopped consumer, a group that is not looked at and a killed broker, and clear after each', async () => {
  const [exporter, ports] = await Promise.all([jmxExporter(), freePorts(3)])
  await using cluster = await startCluster({ nodes: 3, moreJvmFlags: (id) => [exporter(ports[id - 1] ?? 0)] })
  await cluster.createTopic('work', { partitions: 3, replicationFactor: 3, configs: { 'min.insync.replicas': 2 } })
  await cluster.createTopic('work.dead', { partitions: 1, replicationFactor: 3, configs: { 'min.insync.replicas': 2 } })
  const driver = () => kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const registry = new Registry()
  const metrics = prometheusMetrics({ registry })
  const events: ClientEvent['kind'][] = []
  await using messaging = createMessaging({
    driver: driver(),
    clientId: 'shop',
    logger: 'silent',
    metrics,
    onEvent: ({ kind }) => void events.push(kind),
  })
  await using watcher = createMessaging({ driver: driver(), clientId: 'watcher', logger: 'silent', metrics })
  await using server = await healthServer({ messaging, port: 0, metrics: () => registry.metrics() })
  await using prometheus = await startPrometheus(hastened(alertRules()), {
    'tidemark-shop': [server.port],
    kafka: ports,
  })
  const hung = { release: () => undefined as void }
  let handled = 0
  const consumer = (): Consumer =>
    messaging.consumer({
      group: 'workers',
      topics: [work],
      deadLetter: 'work.dead',
      retry: false,
      outage: false,
      stallWarningMs: 1_000,
      commit: { everyMs: 200 },
      sessionTimeoutMs: 6_000,
      classify: () => 'fatal',
      handle: async ({ value }) => {
        handled += 1
        if (value === 'poison') throw new Error('it cannot be handled')
        if (value === 'hang') await new Promise<void>((resolve) => (hung.release = resolve))
      },
    })
  const first = consumer()
  await first.start()
  const producer = messaging.producer()
  await using _load = always(20, () => producer.sendMany(work, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']))
  const monitor = lagMonitor(watcher, { groups: [{ group: 'workers', topics: ['work'] }], windowSize: 6 })
  const looks = { fail: false }
  await using _looks = always(250, async () => {
    if (!looks.fail) await monitor.look()
  })
  await until('records are handled', () => handled > 100, { seen: () => `${handled} handled, ${events.join(' ')}` })
  const isScraped = async () => (await prometheus.series('count_over_time(up[30s]) >= 9')) === 4
  await until('the windows of the rules are full', isScraped)
  await clears(prometheus)

  await producer.send(work, 'poison')
  await fires(prometheus, 'TidemarkDeadLetters')
  await clears(prometheus)

  await producer.send(work, 'hang')
  await fires(prometheus, 'TidemarkPartitionStalled')
  hung.release()
  await clears(prometheus)

  await first.stop()
  await fires(prometheus, 'TidemarkGroupStands')
  await consumer().start()
  await clears(prometheus)

  looks.fail = true
  await fires(prometheus, 'TidemarkGroupUnseen')
  looks.fail = false
  await clears(prometheus)

  await cluster.node(3).kill()
  await fires(prometheus, 'KafkaUnderReplicated')
  await cluster.node(3).restart(3)
  await cluster.waitForFullIsr('work')
  await clears(prometheus)

  expect(await prometheus.brokenRules()).toEqual([])
  const missing: string[] = []
  for (const name of brokerMetrics()) if ((await prometheus.series(name)) === 0) missing.push(name)
  // Brokers without ZooKeeper have no session with it.
  expect(missing).toEqual(['kafka_server_sessionexpirelistener_zookeeperexpires_total'])
}, 600_000)

it('every query of the dashboard has something to show once its metrics are told', async () => {
  const registry = new Registry()
  const adapter = prometheusMetrics({ registry })
  // Twice, since what is counted once has no rate.
  const tell = () => {
    for (const [name, { kind, labels }] of Object.entries(metricNames) as [MetricName, MetricDefinition][]) {
      const given = Object.fromEntries(labels.map((label) => [label, 'one']))
      if (kind === 'counter') adapter.count(name, given)
      else if (kind === 'gauge') adapter.gauge(name, given, 1)
      else adapter.observe(name, given, 1)
    }
  }
  const print = async (): Promise<string> => {
    tell()
    return registry.metrics()
  }
  await using server = await metricsServer(print)
  await using prometheus = await startPrometheus(hastened(alertRules()), { tidemark: [server.port] })
  const isScraped = async () => (await prometheus.series('count_over_time(up[30s]) >= 3')) === 1
  await until('it was scraped three times', isScraped)
  const empty: string[] = []
  for (const { panel, query } of dashboardQueries()) {
    const shown = await prometheus.series(query.replaceAll('$__rate_interval', '4s'))
    if (shown === 0) empty.push(`${panel}: ${query}`)
  }
  expect(empty).toEqual([])
  expect(await prometheus.brokenRules()).toEqual([])
})
