/** Subpath `tidemark/memory`: an in-process Kafka for tests, examples and embedded use. */
export { memory, type MemoryOptions } from './drivers/memory/memory.js'
export {
  createMemoryCluster,
  type MemoryCluster,
  type MemoryTransaction,
  type StoredRecord,
} from './drivers/memory/memory-cluster.js'
export type { MemoryClusterOptions, TopicOptions } from './drivers/memory/memory-options.js'
export type { FaultKind, Faults } from './drivers/memory/faults.js'
export type { HeldRequest, RandomFaults, RequestMatch } from './drivers/memory/network/fault-rules.js'
export type { GroupState } from './drivers/memory/group/classic/rebalance.js'
export type { ConsumerGroupState } from './drivers/memory/group/consumer/consumer-group.js'
export type { GroupFacts } from './drivers/memory/group/group-coordinators.js'
export type { PartitionLogFacts } from './drivers/memory/log/partition.js'
export type { StoredBatch } from './drivers/memory/log/stored-batch.js'
export type { TransactionState } from './drivers/memory/transactions/transaction.js'
export type { ApiName } from './connection/requests/apis.js'
export type { FetchedBatch } from './connection/requests/fetch.js'
