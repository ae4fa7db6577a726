/** Names of OpenTelemetry's conventions for messaging, as they stand up to 1.44, and two of our own. */
export const attribute = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  partition: 'messaging.destination.partition.id',
  group: 'messaging.consumer.group.name',
  client: 'messaging.client.id',
  batchCount: 'messaging.batch.message_count',
  offset: 'messaging.kafka.offset',
  key: 'messaging.kafka.message.key',
  tombstone: 'messaging.kafka.message.tombstone',
  errorType: 'error.type',
  outcome: 'tidemark.outcome',
  attempt: 'tidemark.attempt',
} as const

/** By the words of Kafka's own API, as other instrumentation of Kafka has them. */
export const operations = {
  send: { name: 'send', type: 'send' },
  process: { name: 'process', type: 'process' },
  receive: { name: 'poll', type: 'receive' },
  settle: { name: 'commit', type: 'settle' },
} as const

export type Operation = keyof typeof operations
