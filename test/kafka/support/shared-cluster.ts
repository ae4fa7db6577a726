import type { TestProject } from 'vitest/node'
import { startCluster } from '../../support/kafka-cluster.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Addresses of the cluster that all files of a run share: `KAFKA_BROKERS`, or one node of its own. */
    readonly kafkaBrokers: readonly string[]
  }
}

/** Starts one node for all test files of a run, unless `KAFKA_BROKERS` names a cluster. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['KAFKA_BROKERS']
  if (given !== undefined && given !== '') {
    project.provide('kafkaBrokers', given.split(','))
    return () => Promise.resolve()
  }
  const cluster = await startCluster()
  project.provide('kafkaBrokers', cluster.brokers)
  return () => cluster.stop()
}
