/** A Kafka client as a user would take it: what every peer is measured by. */
export interface SpeedClient {
  /** acks=all, idempotent. */
  producer(settings: ProducerSettings): Promise<SpeedProducer>
  consumer(settings: ConsumerSettings): Promise<SpeedConsumer>
}

export interface ProducerSettings {
  readonly topic: string
  readonly compression: 'none' | 'lz4' | 'zstd'
}

export interface SpeedRecord {
  readonly key: string | null
  readonly value: Buffer
}

export interface SpeedProducer {
  send(record: SpeedRecord): Promise<unknown>
  /** In one call, as the client has it. */
  sendMany(records: readonly SpeedRecord[]): Promise<unknown>
  close(): Promise<void>
}

/** How records are handled. */
export type Way = 'batch' | 'message' | 'message, synchronous' | 'key, 64 lanes' | 'key, 256 lanes, 5 ms' | '5 ms'

export interface ConsumerSettings {
  readonly topic: string
  readonly group: string
  readonly way: Way
  readonly partitions: number
  readonly from: 'earliest' | 'latest'
  /** Told of the values that were handled; without `value` only their count matters. */
  readonly onHandled: (count: number, value: Buffer | null) => void
}

export interface SpeedConsumer {
  close(): Promise<void>
}

export type ClientName = 'tidemark' | 'kafkajs' | 'platformatic' | 'librdkafka'

/** Where the packages are that are no dependencies: `npm install --prefix folder @platformatic/kafka node@22 …`. */
export const peersFolder = process.env['BENCH_PEERS']
