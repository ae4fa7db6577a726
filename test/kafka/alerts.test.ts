import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { logLevel } from 'kafkajs'
import { Registry } from 'prom-client'
import { createMessaging, defineTopic, string, type ClientEvent, type Consumer } from 'tidemark'
import { healthServer } from 'tidemark/health'
import { kafkajs } from 'tidemark/kafkajs'
import { lagMonitor } from 'tidemark/lag'
import { prometheusMetrics } from 'tidemark/prometheus'
import { expect, it } from 'vitest'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { alertRules, dashboardQueries } from '../support/operations-files.js'
import { startPrometheus, type PrometheusServer } from '../support/prometheus-server.js'
import { delay, until } from '../support/waiting.js'

const work = defineTopic({ name: 'work', value: string() })

/** The rules as they are shipped, but for their times: windows of 4 s, and no longer than 1 s until they fire. */
function hastened(rules: string): string {
  return rules
    .replaceAll(/\[\d+m\]/g, '[4s]')
    .replaceAll(/offset \d+m/g, 'offset 4s')
    .replaceAll(/for: \d+m/g, 'for: 1s')
}

/** What the JMX exporter tells of brokers, from what the cluster itself says of its partitions. */
async function brokerExporter(cluster: KafkaCluster) {
  const text = async (): Promise<string> => {
    const partitions = await cluster.partitionsOf('work')
    const count = (holds: (one: (typeof partitions)[number]) => boolean) => partitions.filter(holds).length
    return [
      `kafka_server_replicamanager_underreplicatedpartitions ${count(({ isr, replicas }) => isr.length < replicas.length)}`,
      `kafka_controller_kafkacontroller_offlinepartitionscount ${count(({ leader }) => leader < 0)}`,
      '',
    ].join('\n')
  }
  const server = createServer((_, response) => {
    text().then(
      (told) => response.end(told),
      () => response.writeHead(503).end(),
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

it('fire for dead letters, a stuck partition, a stopped consumer and a killed broker, and clear after each', async () => {
  await using cluster = await startCluster({ nodes: 3 })
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
  await using brokers = await brokerExporter(cluster)
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
  await using _looks = always(250, () => monitor.look())
  await until('records are handled', () => handled > 100, { seen: () => `${handled} handled, ${events.join(' ')}` })
  await using prometheus = await startPrometheus(hastened(alertRules()), {
    'tidemark-shop': server.port,
    kafka: brokers.port,
  })
  const isScraped = async () => (await prometheus.series('count_over_time(up[30s]) >= 10')) === 2
  await until('both targets were scraped ten times', isScraped)
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

  await cluster.node(3).kill()
  await fires(prometheus, 'KafkaUnderReplicated')
  await cluster.node(3).restart(3)
  await cluster.waitForFullIsr('work')
  await clears(prometheus)

  expect(await prometheus.brokenRules()).toEqual([])
  const told: string[] = []
  for (const { panel, query } of dashboardQueries()) {
    const inTest = query.replaceAll('$__rate_interval', '30s')
    if ((await prometheus.series(inTest)) > 0) told.push(panel)
  }
  expect(told).toEqual(
    expect.arrayContaining(['Sends by outcome', 'Time to the last word, p99', 'Lag in time', 'Lag in records']),
  )
  expect(told).toEqual(
    expect.arrayContaining(['Groups seen from outside', 'Records handled', 'Dead letters by reason']),
  )
  expect(told).toEqual(expect.arrayContaining(['Partitions that settle nothing', 'Commits by outcome']))
}, 600_000)
