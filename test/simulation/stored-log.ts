import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { ReceivedRecord } from '../../src/message/record.js'
import type { IsolationLevel } from '../../src/connection/requests/fetch.js'

/** Every partition of the cluster's topics. */
export function* partitionsOf(cluster: MemoryCluster): Generator<{ topic: string; partition: number }> {
  for (const topic of cluster.topicNames()) {
    for (let partition = 0; partition < cluster.partitionCount(topic); partition += 1) yield { topic, partition }
  }
}

/**
 * The records in [from, until) that a reader must be given, by this file's own reading of the markers. Open transactions
 * are nobody's, and so is what retention has deleted.
 */
export function readable(
  cluster: MemoryCluster,
  topic: string,
  partition: number,
  isolation: IsolationLevel,
  from = 0,
  until = Infinity,
): ReceivedRecord[] {
  if (partition >= cluster.partitionCount(topic)) return []
  const batches = cluster.batches(topic, partition)
  // A batch stays whole as long as a part of it is still there.
  const first = Math.max(from, cluster.partitionFacts(topic, partition).logStartOffset)
  const committed = new Set<number>()
  if (isolation === 'read-committed') {
    for (const batch of batches) if (batch.control === 'commit') committed.add(batch.producerId)
  }
  const found: ReceivedRecord[] = []
  for (const batch of batches) {
    if (batch.lastOffset < first || batch.control !== 'none') continue
    if (batch.baseOffset >= until) break
    if (isolation === 'read-committed' && batch.isTransactional && !committed.has(batch.producerId)) continue
    for (const record of batch.decode()) if (record.offset >= first && record.offset < until) found.push(record)
  }
  return found
}
