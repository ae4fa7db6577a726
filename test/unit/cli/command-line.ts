import { createMessaging } from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { runCommand, type Around, type Ran } from '../../support/run-tidemark.js'
import { numbered, put } from '../consumer/simulated.js'

/** Runs `tidemark <words>` over an in-process cluster, in a directory without settings. */
export function tidemark(cluster: MemoryCluster, words: string, around: Around = {}): Promise<Ran> {
  return runCommand(words, () => memory({ cluster }), around)
}

/** A cluster where the group `billing` is 3 records behind in partition 0 of `orders`, and 2 in partition 1. */
export async function billing(): Promise<MemoryCluster> {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders', { partitions: 2 })
  // With the marker of its transaction each has one offset more.
  put(cluster, numbered('a', 7), 'orders', 0)
  put(cluster, numbered('b', 3), 'orders', 1)
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const at = (partition: number, offset: number) => ({ topic: 'orders', partition, offset })
  await messaging.admin.setOffsets('billing', [at(0, 5), at(1, 2)])
  await messaging.close()
  return cluster
}
