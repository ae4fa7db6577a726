/** Subpath `tidemark/driver`: the port between tidemark and a Kafka client, and the contract that every driver keeps. */
export type { ClientSettings } from './driver/client-settings.js'
export type { Driver } from './driver/driver.js'
export type { ErrorCode } from './error-codes.js'
export type { ConfigChanges, DriverAdmin } from './driver/admin.js'
export type {
  AssignedPartition,
  AssignorName,
  CommitOutcome,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  DriverConsumerFacts,
  FetchedRecords,
  KnownEnd,
  OffsetToCommit,
  PositionReset,
  StartPosition,
} from './driver/consumer.js'
export type { NewTopic } from './connection/requests/admin.js'
export type { RefusedRecord } from './connection/requests/produce.js'
export type { BatchOutcome, DriverProducer, OutgoingBatch, ProducerSettings } from './driver/producer.js'
export type { DriverTransactions, TransactionEnd } from './driver/transactions.js'
export type { GroupMemberIdentity } from './connection/requests/groups.js'
export { heldRecords } from './message/record.js'
export type {
  Header,
  NextRecords,
  OutgoingRecord,
  OutgoingRecords,
  ReceivedRecord,
  RecordBatch,
} from './message/record.js'
export type { EpochRange } from './offsets/leader-epochs.js'
export type { OffsetRange } from './offsets/offset-range.js'
export type { Clock, Timer } from './runtime/clock.js'
export type { Logger } from './telemetry/logger.js'
export type { LabelsOf, MetricName, MetricNameOf, MetricScope } from './telemetry/metric-names.js'
export type { Metrics } from './telemetry/metrics.js'
export type { ClientEvent, Unavailable as TopicUnavailable } from './telemetry/events.js'
export type { Telemetry } from './telemetry/guard.js'
export type {
  ProcessSpan,
  RunInContext,
  SendSpan,
  Span,
  SpanEnd,
  TracedAttempt,
  TracedCommit,
  TracedReceipt,
  TracedSend,
  Tracing,
  TracingAdapter,
} from './telemetry/tracing.js'
export type { Random } from './runtime/random.js'
export type { Runtime } from './runtime/runtime.js'

export { driverContract } from './testing/contract/driver-contract.js'
export { casesFor, runContractCase, type ContractCase, type ContractGroup } from './testing/contract/contract-case.js'
export type {
  ContractAbilities,
  ContractAbility,
  ContractHost,
  HeldProduce,
  HostTopic,
} from './testing/contract/contract-host.js'
