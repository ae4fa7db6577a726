import type { KafkaCluster } from '../test/support/kafka-cluster.js'
import { producerPerformance } from '../test/support/java-performance.js'
import { tidemarkConsumes, type FilledTopic } from './consume-measures.js'
import { coreBenches } from './core-measures.js'
import type { Library } from './library.js'
import type { Measured } from './measure.js'
import { partitions, tidemarkProduces } from './produce-measures.js'

export type SuiteName = 'core' | 'produce' | 'consume'
export const suiteNames: readonly SuiteName[] = ['core', 'produce', 'consume']
export const isSuite = (name: string): name is SuiteName => (suiteNames as readonly string[]).includes(name)

/** What the suites that need a Kafka find there. */
export type BenchKafka = FilledTopic

export const recordsToConsume = Number(process.env['BENCH_RECORDS'] ?? 1_000_000)

/** The topic that consumers read. */
export async function fillKafka(cluster: KafkaCluster): Promise<BenchKafka> {
  const topic = 'bench-consume'
  await cluster.createTopic(topic, { partitions, replicationFactor: 1 })
  const properties = { acks: 'all' }
  await producerPerformance(cluster, { topic, records: recordsToConsume, recordBytes: 200, properties })
  return { brokers: cluster.brokers, topic, records: recordsToConsume }
}

/** tidemark's own part of a suite, once, in a process that has just warmed up. */
export async function ownRound(
  suite: SuiteName,
  library: Library,
  kafka: BenchKafka | null,
): Promise<readonly Measured[]> {
  if (suite === 'core') return coreRound(library)
  if (kafka === null) throw new Error(`${suite} needs a Kafka`)
  if (suite === 'produce') return tidemarkProduces(library, kafka.brokers)
  return tidemarkConsumes(library, kafka)
}

const warmUpRecords = 50_000

async function coreRound(library: Library): Promise<readonly Measured[]> {
  const benches = coreBenches(library)
  for (const bench of benches) await bench.run(warmUpRecords)
  const results: Measured[] = []
  for (const bench of benches) {
    globalThis.gc?.()
    results.push(await bench.run())
  }
  return results
}
