export { createMessaging, Messaging, type CloseOptions, type MessagingFacts } from './messaging.js'
export { closeOnSignal, type CloseOnSignalOptions } from './close-on-signal.js'
export type { MessagingOptions } from './config/messaging-options.js'
export type { MessagingProducerOptions } from './config/producer-config.js'
export type { MessagingConsumerOptions } from './config/consumer-config.js'

export { defineTopic } from './topic/define-topic.js'
export type { Topic, ValueOf } from './topic/topic.js'
export type { ChoosePartition, Partitioner, PartitionInput } from './topic/partitioner.js'
export { murmur2, roundRobin, spread } from './topic/partitioners.js'

export type { Serde } from './serde/serde.js'
export { json } from './serde/json.js'
export { string } from './serde/string.js'
export { bytes } from './serde/bytes.js'
export { nullable } from './serde/nullable.js'
export { SerdeError } from './serde/serde-error.js'

export { Producer, type CloseSummary, type ProducerFacts } from './producer/producer.js'
export type { SendOptions } from './producer/outgoing-record.js'
export type { SendManyOptions } from './producer/send-many.js'
export type { Receipt } from './producer/receipt.js'
export { SendManyError } from './producer/send-many-error.js'

export { Consumer, type SeekTarget, type StartOptions, type StopOptions } from './consumer/consumer.js'
export type { ConsumerOptions, MessageOf } from './consumer/consumer-options.js'
export type { ConsumerFacts } from './consumer/consumer-facts.js'
export type { DrainReport } from './consumer/drain.js'
export type { Handler, HandlerContext } from './consumer/handler.js'
export { DeadLetter, Discard } from './consumer/fate.js'

export type { Message, MessageHeaders } from './message/message.js'
export { tdHeader } from './message/headers.js'
export type { TopicPartition } from './message/topic-partition.js'

export { profiles, type Profile, type ProfileName } from './config/profiles.js'
export { defineProfile, type ProfileOverrides } from './config/define-profile.js'
export { chooseProfile, type ProfileAnswers, type ProfileChoice } from './config/choose-profile.js'
export { environmentVariables, loadConfig, type LoadedConfig } from './config/load-config.js'
export { explainConfig, formatExplanation } from './config/explain-config.js'

export type { Driver } from './driver/driver.js'
export { Admin } from './operations/admin.js'
export { consoleLogger, type Logger } from './telemetry/logger.js'
export type { Metrics } from './telemetry/metrics.js'
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
} from './errors.js'
