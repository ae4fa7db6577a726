/** Subpath `tidemark/lag`: how far groups are behind, seen from outside. */
export { lagMonitor, type LagLookOptions, type LagMonitor, type LagMonitorOptions } from './lag/lag-monitor.js'
export type { GroupLag, PartitionLag } from './lag/lag-report.js'
export type { UnseenGroup, UnseenPartition, WatchedGroup } from './lag/lag-look.js'
export type { LagTrend } from './lag/trend.js'
