export { createMessaging, type Messaging, type MessagingFacts } from './messaging.js'
export type { CloseOptions } from './config/close-options.js'
export { closeOnSignal, type CloseOnSignalOptions } from './close-on-signal.js'
export type { MessagingOptions } from './config/messaging-options.js'
export type { MessagingProducerOptions } from './config/producer-config.js'
export type { ProducerSettingsOptions } from './producer/producer-options.js'
export type { MessagingConsumerOptions } from './config/consumer-config.js'
export type { DeadLetterOptions } from './config/dead-letter-option.js'

export { defineTopic } from './topic/define-topic.js'
export type { Key } from './topic/key.js'
export type { Topic, ValueOf } from './topic/topic.js'
export type { KeyField, TopicDefinition } from './topic/define-topic.js'
export type { ChoosePartition, Partitioner, PartitionInput } from './topic/partitioner.js'
export {
  murmur2,
  roundRobin,
  spread,
  type SpreadOptions,
  type StickyOptions,
  type ValuePartitioner,
} from './topic/partitioners.js'

export type { NoSchema, Serde } from './serde/serde.js'
export { json } from './serde/json.js'
export type { JsonOptions, LargeIntegers } from './serde/json-options.js'
export { string } from './serde/string.js'
export { bytes } from './serde/bytes.js'
export { nullable } from './serde/nullable.js'
export { SerdeError, type ValueIssue } from './serde/serde-error.js'

export type { CloseSummary, Producer, ProducerFacts, ProducerState } from './producer/producer.js'
export type { ConnectOptions } from './producer/connect-options.js'
export type { TimeoutOption } from './producer/timeout-option.js'
export type { SendOptions } from './producer/outgoing-record.js'
export type { SendLimitOptions } from './producer/send-limit.js'
export type { Sending, SendMiddleware, SendNext } from './producer/send-middleware.js'
export type { SendManyOptions } from './producer/send-many.js'
export type { Receipt } from './producer/receipt.js'
export { SendManyError } from './producer/send-many-error.js'

export type { Consumer, ConsumerState, SeekTarget, StopOptions } from './consumer/consumer.js'
export type {
  ConsumerOptions,
  ConsumerSettingsOptions,
  HandleBatch,
  HandleEach,
  HandleInLoop,
  MessageOf,
  OnAssigned,
  OnRevoked,
  StartingPlaces,
} from './consumer/options/consumer-options.js'
export type { ConsumerFacts, PartitionFacts } from './consumer/watch/facts.js'
export type { Order } from './consumer/dispatch/dispatch.js'
export type { PauseReason } from './consumer/partition/gate.js'
export type { PartitionState } from './consumer/partition/owned-partition.js'
export type { WaitsFor } from './telemetry/events.js'
export type { DrainedOffset, DrainedRange, DrainReason, DrainReport } from './telemetry/drain-report.js'
export type { Handler, HandlerContext, Middleware } from './consumer/handling/handler.js'
export type { FailureClass } from './consumer/handling/failure-class.js'
export type { Batch, BatchOf } from './consumer/handling/batch.js'
export { BatchFailure, DeadLetter, Discard, RetryLater, Unavailable } from './consumer/handling/fate.js'

export type { Message, MessageHeaders } from './message/message.js'
export { tdHeader, type HeadersInput } from './message/headers.js'
export type { TopicPartition } from './message/topic-partition.js'

export {
  profiles,
  type ConsumerProfile,
  type ProducerProfile,
  type Profile,
  type ProfileName,
} from './config/profiles.js'
export { defineProfile, type ProfileOverrides } from './config/define-profile.js'
export { chooseProfile, type ProfileAnswers, type ProfileChoice } from './config/choose-profile.js'
export {
  environmentVariables,
  loadConfig,
  type LoadConfigOptions,
  type LoadedConfig,
  type SaslFromEnvironment,
  type TlsFromEnvironment,
} from './config/load-config.js'
export type { Environment } from './config/environment-reader.js'
export {
  explainConfig,
  formatExplanation,
  type ConfigLayer,
  type ConfigSource,
  type ExplainedValue,
} from './config/explain-config.js'

export type { Admin } from './operations/admin.js'
export type { BrokerNeeds } from './operations/durability.js'
export type { AdminCallOptions, NewTopic } from './operations/admin-input.js'
export type { IsolationLevel } from './connection/requests/fetch.js'
export type { Broker, ClusterDescription, PartitionMetadata, TopicMetadata } from './connection/requests/metadata.js'
export type { CommittedPartition } from './connection/requests/offsets.js'
export type { Compression } from './connection/requests/produce.js'
export { consoleLogger, type Logger, type LogLevel } from './telemetry/logger.js'
export type { ClientEvent, Unavailable as TopicUnavailable } from './telemetry/events.js'
export type { Labels, MetricsAdapter } from './telemetry/metrics.js'
export { metricNames, type MetricName } from './telemetry/metric-names.js'

export {
  ConfigError,
  DecodeError,
  DriverError,
  FencedError,
  HandlerError,
  SendError,
  StateError,
  TidemarkError,
  TimeoutError,
  type ConfigIssue,
  type ErrorDetails,
} from './errors.js'

export type { Driver } from './driver/driver.js'
export type { AssignorName, StartPosition } from './driver/consumer.js'
