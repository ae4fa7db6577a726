/** Subpath `tidemark/capacity`: how many partitions, brokers and processes a workload needs. */
export {
  planCapacity,
  type CapacityPlan,
  type CapacityWarning,
  type CapacityWarningCode,
  type LimitUse,
} from './capacity/plan-capacity.js'
export type { PartitionTerm } from './capacity/partitions.js'
export type { BrokerLimits, HandlerCost, Workload } from './capacity/workload.js'
