import type { KafkaCluster } from '../support/kafka-cluster.js'

/** Ends every fault, and waits until all replicas of a topic are in sync. */
export async function heal(cluster: KafkaCluster, topic: string): Promise<void> {
  for (const proxy of cluster.proxies) {
    proxy.heal()
    proxy.delay(0)
    proxy.disarm()
  }
  for (const node of cluster.nodes) {
    node.resume()
    if (!node.running) await node.restart(cluster.nodes.length)
  }
  await cluster.waitForFullIsr(topic)
}
