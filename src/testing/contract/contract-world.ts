import { AssertionError } from 'node:assert'
import type { DriverAdmin } from '../../driver/admin.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import type { Driver } from '../../driver/driver.js'
import type { BatchOutcome, DriverProducer, OutgoingBatch, ProducerSettings } from '../../driver/producer.js'
import { heldRecords, noHeaders, type OutgoingRecord } from '../../message/record.js'
import type { Runtime } from '../../runtime/runtime.js'
import { silentLogger } from '../../telemetry/logger.js'
import { noMetrics } from '../../telemetry/metrics.js'
import type { ContractAbilities, ContractAbility, ContractHost, HostTopic } from './contract-host.js'
import { RecordingConsumer } from './recording-consumer.js'

/** What one case of the contract works with. Names are its own; what it opened is closed when it ends. */
export interface ContractWorld {
  readonly driver: Driver
  readonly runtime: Runtime
  /** What the machine may add to bounded times, in ms. */
  readonly slackMs: number
  readonly holdsRefusedCommits: boolean
  /** An ability that the case listed in `needs`. */
  use<Name extends ContractAbility>(ability: Name): ContractAbilities[Name]
  name(what: string): string
  /** Creates a topic of its own name. */
  topic(partitions?: number, configs?: HostTopic['configs']): Promise<string>
  /** Of an idempotent producer with a name of its own, unless given otherwise. */
  producerSettings(settings?: Partial<ProducerSettings>): ProducerSettings
  /** Connected. */
  producer(settings?: Partial<ProducerSettings>): Promise<DriverProducer>
  /** Not started; a group of its own unless given. */
  consumer(topics: string | readonly string[], settings?: Partial<ConsumerSettings>): RecordingConsumer
  /** Started, without a group, from the earliest offset. */
  reader(topics: string | readonly string[], settings?: Partial<ConsumerSettings>): Promise<RecordingConsumer>
  /** Starts a consumer and waits until it holds so many partitions: a start resolves with the first of them. */
  startHolding(consumer: RecordingConsumer, partitions: number): Promise<void>
  admin(): DriverAdmin
  /** Hands over one batch; resolves to its fate. */
  produce(
    producer: DriverProducer,
    topic: string,
    partition: number,
    records: readonly (OutgoingRecord | string)[],
    withinMs?: number,
  ): Promise<BatchOutcome>
  /** Stores one batch and gives its base offset; fails the case when it is not stored. */
  store(
    producer: DriverProducer,
    topic: string,
    partition: number,
    records: readonly (OutgoingRecord | string)[],
  ): Promise<number>
  /** Stores one batch by a producer of the world's own. */
  write(topic: string, partition: number, records: readonly (OutgoingRecord | string)[]): Promise<number>
  /** For waits and deadlines. */
  now(): number
  /** For timestamps. */
  wallTime(): number
  deadline(withinMs?: number): number
  sleep(ms: number): Promise<void>
  /** Fails the case, naming `what`, when the predicate does not hold in time. */
  until(what: string, predicate: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>
}

/** A record with what is not given left empty. */
export function record(value: string | Buffer | null, rest: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return {
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: noHeaders,
    timestamp: 0,
    ...rest,
  }
}

/** Values that tell their place. */
export function numbers(count: number, prefix = ''): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

const patienceMs = 15_000
const pollMs = 5

export class CaseWorld implements ContractWorld {
  readonly driver: Driver
  readonly runtime: Runtime
  readonly slackMs: number
  /** As the host says. */
  readonly holdsRefusedCommits: boolean
  readonly #host: ContractHost
  readonly #label: string
  readonly #closings: (() => Promise<void>)[] = []
  #names = 0
  #writer: Promise<DriverProducer> | null = null
  #adminClient: DriverAdmin | null = null

  constructor(host: ContractHost) {
    this.driver = host.driver
    this.runtime = host.driver.runtime
    this.slackMs = host.slackMs
    this.holdsRefusedCommits = host.holdsRefusedCommits ?? false
    this.#host = host
    this.#label = this.runtime.random.uuid().slice(0, 8)
  }

  use<Name extends ContractAbility>(ability: Name): ContractAbilities[Name] {
    const offered = this.#host.abilities[ability]
    if (offered === undefined)
      throw new AssertionError({ message: `the case uses ${ability} but does not list it in needs` })
    return offered
  }

  name(what: string): string {
    this.#names += 1
    return `${what}-${this.#label}-${this.#names}`
  }

  async topic(partitions = 1, configs: HostTopic['configs'] = {}): Promise<string> {
    const name = this.name('topic')
    await this.#host.createTopic(name, { partitions, configs })
    return name
  }

  producerSettings(settings: Partial<ProducerSettings> = {}): ProducerSettings {
    return {
      clientId: this.name('producer'),
      logger: silentLogger,
      metrics: noMetrics,
      acks: -1,
      idempotent: true,
      retryInDoubt: true,
      compression: 'none',
      maxRequestBytes: 4 * 1024 * 1024,
      requestTimeoutMs: 5_000,
      metadataMaxAgeMs: 60_000,
      ...settings,
    }
  }

  async producer(settings: Partial<ProducerSettings> = {}): Promise<DriverProducer> {
    const producer = this.driver.createProducer(this.producerSettings(settings))
    this.#closings.push(() => producer.close())
    await producer.connect(this.deadline())
    return producer
  }

  consumer(topics: string | readonly string[], settings: Partial<ConsumerSettings> = {}): RecordingConsumer {
    const consumer = new RecordingConsumer(this.driver, {
      clientId: this.name('consumer'),
      logger: silentLogger,
      metrics: noMetrics,
      groupId: this.name('group'),
      groupInstanceId: null,
      topics: typeof topics === 'string' ? [topics] : topics,
      assignors: ['range'],
      sessionTimeoutMs: 6_000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 300,
      requestTimeoutMs: 5_000,
      isolation: 'read-committed',
      from: 'earliest',
      onOutOfRange: 'stop',
      fetch: { maxWaitMs: 250, minBytes: 1, maxBytes: 8 * 1024 * 1024, partitionMaxBytes: 1024 * 1024 },
      metadataMaxAgeMs: 60_000,
      ...settings,
    })
    this.#closings.push(() => consumer.stop())
    return consumer
  }

  async reader(
    topics: string | readonly string[],
    settings: Partial<ConsumerSettings> = {},
  ): Promise<RecordingConsumer> {
    const consumer = this.consumer(topics, { groupId: null, ...settings })
    await consumer.start()
    return consumer
  }

  async startHolding(consumer: RecordingConsumer, partitions: number): Promise<void> {
    await consumer.start()
    await this.until(`it holds ${partitions} partitions`, () => consumer.held().length === partitions)
  }

  admin(): DriverAdmin {
    if (this.#adminClient === null) {
      const admin = this.driver.createAdmin({ clientId: this.name('admin'), logger: silentLogger, metrics: noMetrics })
      this.#closings.push(() => admin.close())
      this.#adminClient = admin
    }
    return this.#adminClient
  }

  produce(
    producer: DriverProducer,
    topic: string,
    partition: number,
    records: readonly (OutgoingRecord | string)[],
    withinMs = patienceMs,
  ): Promise<BatchOutcome> {
    return producer.produce(batchOf(topic, partition, records, this.wallTime()), this.deadline(withinMs))
  }

  async store(
    producer: DriverProducer,
    topic: string,
    partition: number,
    records: readonly (OutgoingRecord | string)[],
  ): Promise<number> {
    const fate = await this.produce(producer, topic, partition, records)
    if (fate.outcome !== 'stored') {
      throw new AssertionError({
        message: `a batch of ${topic}-${partition} is ${fate.outcome}: ${fate.error.message}`,
      })
    }
    return fate.baseOffset ?? -1
  }

  async write(topic: string, partition: number, records: readonly (OutgoingRecord | string)[]): Promise<number> {
    this.#writer ??= this.producer()
    return this.store(await this.#writer, topic, partition, records)
  }

  now(): number {
    return this.runtime.clock.now()
  }

  wallTime(): number {
    return this.runtime.clock.wallTime()
  }

  deadline(withinMs = patienceMs): number {
    return this.now() + withinMs
  }

  sleep(ms: number): Promise<void> {
    return this.runtime.clock.sleep(ms)
  }

  async until(
    what: string,
    predicate: () => boolean | Promise<boolean>,
    withinMs = patienceMs + 5 * this.slackMs,
  ): Promise<void> {
    const giveUpAt = this.deadline(withinMs)
    while (!(await predicate())) {
      if (this.now() >= giveUpAt) throw new AssertionError({ message: `${what}: not within ${withinMs} ms` })
      await this.sleep(pollMs)
    }
  }

  /** Closes everything that the case opened, the last first. */
  async end(): Promise<void> {
    await Promise.all(this.#closings.reverse().map((close) => close()))
  }
}

export function batchOf(
  topic: string,
  partition: number,
  given: readonly (OutgoingRecord | string)[],
  now: number,
): OutgoingBatch {
  const records = given.map((each) => (typeof each === 'string' ? record(each, { timestamp: now }) : each))
  const sizeBytes = records.reduce((sum, each) => sum + 40 + (each.key?.length ?? 0) + (each.value?.length ?? 0), 70)
  return { topic, partition, records: heldRecords(records), sizeBytes }
}
