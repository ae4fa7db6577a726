import { Registry } from 'prom-client'
import { prometheusMetrics } from '../src/prometheus.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { tidemarkConsumes, type FilledTopic } from './consume-measures.js'
import { sourceLibrary, type Library } from './library.js'
import { keepInFlight, median, type Measured } from './measure.js'
import { openTidemark } from './open-tidemark.js'
import { partitions, tidemarkProduces, value } from './produce-measures.js'
import { fillKafka, recordsToConsume } from './suites.js'
import { tracedLibrary, type TracedLibrary } from './traced.js'

/** Pairs; the first one warms up and does not count. */
const pairs = 1 + 2 * Number(process.env['BENCH_ROUNDS'] ?? 3)
const printEveryMs = 1_000

type Run = (library: Library) => Promise<readonly Measured[]>

/**
 * What metrics and traces cost: pairs of runs with prom-client, printed every second, and without, whichever first in turn;
 * then with spans, of which an SDK of OpenTelemetry samples one trace in a hundred.
 */
export async function runMetrics(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 1 })
  const registry = new Registry()
  const measuring: Library = { ...library, metrics: prometheusMetrics({ registry }) }
  const traced = tracedLibrary(library)
  try {
    const filled = await fillKafka(cluster)
    const withContexts = await fillTraced(cluster, traced)
    process.stdout.write(
      `\nmetrics: Kafka ${cluster.version}, ${recordsToConsume.toLocaleString('en-US')} records to consume, ` +
        `${pairs - 1} pairs; with over without: median (least to most)\n`,
    )
    const produce: Run = (own) => tidemarkProduces(own, cluster.brokers)
    const consume =
      (topic: FilledTopic): Run =>
      (own) =>
        tidemarkConsumes(own, topic)
    const printed = async (run: Run) => {
      const printing = setInterval(() => void registry.metrics(), printEveryMs)
      return run(measuring).finally(() => clearInterval(printing))
    }
    const spans = (run: Run) => traced.use(() => run(traced.library))
    process.stdout.write('with prom-client\n')
    await compare(
      () => produce(library),
      () => printed(produce),
    )
    await compare(
      () => consume(filled)(library),
      () => printed(consume(filled)),
    )
    process.stdout.write('with spans, of records with contexts\n')
    await compare(
      () => produce(library),
      () => spans(produce),
    )
    await compare(
      () => consume(withContexts)(library),
      () => spans(consume(withContexts)),
    )
  } finally {
    await cluster.stop()
  }
}

/** A topic whose records carry contexts, one in a hundred of which is sampled. */
async function fillTraced(cluster: KafkaCluster, { library, use }: TracedLibrary): Promise<FilledTopic> {
  const { bytes, defineTopic } = library.tidemark
  const name = 'bench-consume-traced'
  const topic = defineTopic({ name, value: bytes(), partitions, replicationFactor: 1 })
  return use(async () => {
    const messaging = openTidemark(library, cluster.brokers)
    try {
      await messaging.ensureTopics([topic])
      const producer = messaging.producer()
      await keepInFlight(recordsToConsume, 4_096, () => producer.send(topic, value))
    } finally {
      await messaging.close()
    }
    return { brokers: cluster.brokers, topic: name, records: recordsToConsume }
  })
}

async function compare(
  without: () => Promise<readonly Measured[]>,
  measuring: () => Promise<readonly Measured[]>,
): Promise<void> {
  const ratios = new Map<string, number[]>()
  for (let pair = 0; pair < pairs; pair += 1) {
    const rates = new Map<unknown, readonly Measured[]>()
    for (const run of pair % 2 === 0 ? [without, measuring] : [measuring, without]) {
      globalThis.gc?.()
      rates.set(run, await run())
    }
    if (pair === 0) continue
    for (const [at, { name, perSecond }] of (rates.get(measuring) ?? []).entries()) {
      const bare = rates.get(without)?.[at]?.perSecond ?? Number.NaN
      ratios.set(name, [...(ratios.get(name) ?? []), perSecond / bare])
    }
  }
  for (const [name, all] of ratios) {
    const spread = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`
    process.stdout.write(`  ${name.padEnd(44)} records/s ${median(all).toFixed(3)} (${spread})\n`)
  }
}
