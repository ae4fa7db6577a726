import type { Connection } from '../../../../src/connection/connection.js'
import type {
  AssignedPartition,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  FetchedRecords,
} from '../../../../src/driver/consumer.js'
import type { TidemarkError } from '../../../../src/errors.js'
import { partitionKey } from '../../../../src/message/topic-partition.js'
import { createProtocolConsumer } from '../../../../src/protocol/consume/consumer.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { noMetrics } from '../../../../src/telemetry/metrics.js'
import { Troubles } from '../../../../src/telemetry/troubles.js'
import type { VirtualClock } from '../../../../src/testing/time/virtual-clock.js'

export const consumerDefaults: ConsumerSettings = {
  clientId: 'test',
  logger: silentLogger,
  metrics: noMetrics,
  groupId: 'g',
  groupInstanceId: null,
  topics: ['t'],
  assignors: ['range'],
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 20_000,
  heartbeatIntervalMs: 1_000,
  requestTimeoutMs: 5_000,
  isolation: 'read-committed',
  from: 'earliest',
  onOutOfRange: 'stop',
  fetch: { maxWaitMs: 250, minBytes: 1, maxBytes: 1_000_000, partitionMaxBytes: 1_000_000 },
  metadataMaxAgeMs: 60_000,
}

type News =
  | { readonly kind: 'assigned' | 'revoked' | 'lost' | 'reset'; readonly partitions: readonly AssignedPartition[] }
  | { readonly kind: 'partitionFailed'; readonly partition: AssignedPartition; readonly error: TidemarkError }
  | { readonly kind: 'failed'; readonly error: TidemarkError }

/** A consumer and everything its listener was told. */
export class ConsumerHarness implements ConsumerListener {
  readonly news: News[] = []
  readonly fetched: FetchedRecords[] = []
  readonly consumer: DriverConsumer
  /** What the listener does beyond taking notes. */
  whenRevoked: (partitions: readonly AssignedPartition[], deadline: number) => Promise<void> = async () => undefined
  whenAssigned: (partitions: readonly AssignedPartition[]) => Promise<void> = async () => undefined
  whenRecords: (fetched: FetchedRecords) => void = () => undefined
  readonly #clock: VirtualClock

  constructor(connection: Connection, clock: VirtualClock, settings: Partial<ConsumerSettings> = {}, seed = 1) {
    this.#clock = clock
    const runtime = { clock, random: seededRandom(seed) }
    const own = { ...consumerDefaults, troubles: new Troubles(clock), ...settings }
    this.consumer = createProtocolConsumer(connection, runtime, own, this)
  }

  async start(withinMs = 30_000): Promise<void> {
    await this.#clock.runUntil(this.consumer.start(this.#clock.now() + withinMs))
  }

  async stop(withinMs = 10_000): Promise<void> {
    await this.#clock.runUntil(this.consumer.stop(this.#clock.now() + withinMs))
  }

  kinds(): string[] {
    return this.news.map(({ kind }) => kind)
  }

  /** Partitions of the latest piece of news of that kind. */
  last(kind: 'assigned' | 'revoked' | 'lost' | 'reset'): readonly AssignedPartition[] {
    const found = this.news.findLast((news) => news.kind === kind)
    return found !== undefined && 'partitions' in found ? found.partitions : []
  }

  offsets(topic = 't', partition = 0): number[] {
    return this.fetched
      .filter((part) => part.topic === topic && part.partition === partition)
      .flatMap(({ batches }) => batches.flatMap((batch) => batch.decode()))
      .map(({ offset }) => offset)
  }

  held(): string[] {
    return this.consumer.assignment().map(({ topic, partition }) => partitionKey(topic, partition))
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    this.news.push({ kind: 'assigned', partitions })
    await this.whenAssigned(partitions)
  }

  records(fetched: FetchedRecords): void {
    this.fetched.push(fetched)
    this.whenRecords(fetched)
  }

  async revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    this.news.push({ kind: 'revoked', partitions })
    await this.whenRevoked(partitions, deadline)
  }

  reset(former: AssignedPartition, assigned: AssignedPartition): void {
    this.news.push({ kind: 'reset', partitions: [former, assigned] })
  }

  lost(partitions: readonly AssignedPartition[]): void {
    this.news.push({ kind: 'lost', partitions })
  }

  partitionFailed(partition: AssignedPartition, error: TidemarkError): void {
    this.news.push({ kind: 'partitionFailed', partition, error })
  }

  failed(error: TidemarkError): void {
    this.news.push({ kind: 'failed', error })
  }
}
