import type { MemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'

/** Values that who reads committed records sees of a partition, in order; open transactions are told apart. */
export function visibleRecords(cluster: MemoryCluster, topic: string, partition = 0) {
  const batches = cluster.batches(topic, partition)
  const visible: string[] = []
  let open = 0
  for (const [index, batch] of batches.entries()) {
    if (batch.control !== 'none') continue
    const end = batch.isTransactional
      ? batches.slice(index).find((later) => later.control !== 'none' && later.producerId === batch.producerId)?.control
      : 'commit'
    if (end === undefined) open += batch.count
    if (end === 'commit') visible.push(...batch.decode().map(({ value }) => String(value)))
  }
  return { visible, open }
}
