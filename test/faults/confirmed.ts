import type { KafkaCluster } from '../support/kafka-cluster.js'

/** No batch of these tests holds more records. */
const longestBatch = 20_000

/**
 * What the brokers themselves confirmed, read off their answers. A record that is lost with acks 1 is Kafka's loss when
 * its leader had confirmed it, and the client's when no broker ever did.
 */
export class ConfirmedByBrokers {
  readonly #baseOffsets = new Map<number, number[]>()

  constructor(cluster: KafkaCluster, topic: string) {
    for (const proxy of cluster.proxies) {
      proxy.watchConfirmed((batch) => {
        if (batch.topic !== topic) return
        const known = this.#baseOffsets.get(batch.partition)
        if (known === undefined) this.#baseOffsets.set(batch.partition, [batch.baseOffset])
        else known.push(batch.baseOffset)
      })
    }
  }

  covers({ partition, offset }: { readonly partition: number; readonly offset: number }): boolean {
    return (this.#baseOffsets.get(partition) ?? []).some((base) => base <= offset && offset < base + longestBatch)
  }
}
