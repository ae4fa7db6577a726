import { Registry } from 'prom-client'
import { prometheusMetrics } from '../src/prometheus.js'
import { startCluster } from '../test/support/kafka-cluster.js'
import { tidemarkConsumes } from './consume-measures.js'
import { sourceLibrary, type Library } from './library.js'
import { median, type Measured } from './measure.js'
import { tidemarkProduces } from './produce-measures.js'
import { fillKafka, recordsToConsume } from './suites.js'

/** Pairs; the first one warms up and does not count. */
const pairs = 1 + 2 * Number(process.env['BENCH_ROUNDS'] ?? 3)
const printEveryMs = 1_000

/** What metrics cost: pairs of runs with prom-client, printed every second, and without, whichever first in turn. */
export async function runMetrics(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 1 })
  const registry = new Registry()
  const measuring: Library = { ...library, metrics: prometheusMetrics({ registry }) }
  const printing = setInterval(() => void registry.metrics(), printEveryMs)
  try {
    const filled = await fillKafka(cluster)
    process.stdout.write(
      `\nmetrics: Kafka ${cluster.version}, ${recordsToConsume.toLocaleString('en-US')} records to consume, ` +
        `${pairs - 1} pairs; with prom-client over without: median (least to most)\n`,
    )
    await compare((own) => tidemarkProduces(own, cluster.brokers), library, measuring)
    await compare((own) => tidemarkConsumes(own, filled), library, measuring)
  } finally {
    clearInterval(printing)
    await cluster.stop()
  }
}

async function compare(
  run: (library: Library) => Promise<readonly Measured[]>,
  without: Library,
  measuring: Library,
): Promise<void> {
  const ratios = new Map<string, number[]>()
  for (let pair = 0; pair < pairs; pair += 1) {
    const rates = new Map<Library, readonly Measured[]>()
    for (const library of pair % 2 === 0 ? [without, measuring] : [measuring, without]) {
      globalThis.gc?.()
      rates.set(library, await run(library))
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
