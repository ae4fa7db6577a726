import type {
  AssignedPartition,
  CommitOutcome,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  FetchedRecords,
  PositionReset,
} from '../../driver/consumer.js'
import type { Driver } from '../../driver/driver.js'
import type { TidemarkError } from '../../errors.js'
import type { ReceivedRecord } from '../../message/record.js'
import { partitionKey } from '../../message/topic-partition.js'

export type NewsBody =
  | {
      readonly kind: 'assigned' | 'revoked' | 'released' | 'lost'
      readonly partitions: readonly AssignedPartition[]
    }
  | { readonly kind: 'reset'; readonly partitions: readonly AssignedPartition[]; readonly reset: PositionReset }
  | { readonly kind: 'partition-failed'; readonly partition: AssignedPartition; readonly error: TidemarkError }
  | { readonly kind: 'failed'; readonly error: TidemarkError }

/** One call of the listener; `released` = the promise of `revoked` has resolved. */
export type News = NewsBody & { readonly at: number }

/** A consumer that keeps everything its driver told it. What it does beyond that is in the `when…` fields. */
export class RecordingConsumer implements ConsumerListener {
  readonly news: News[] = []
  readonly fetched: FetchedRecords[] = []
  whenAssigned: (partitions: readonly AssignedPartition[]) => Promise<void> = async () => undefined
  whenRevoked: (partitions: readonly AssignedPartition[], deadline: number) => Promise<void> = async () => undefined
  whenRecords: (fetched: FetchedRecords) => void = () => undefined
  readonly driver: DriverConsumer
  readonly #now: () => number

  constructor(
    driver: Driver,
    readonly settings: ConsumerSettings,
  ) {
    this.#now = () => driver.runtime.clock.now()
    this.driver = driver.createConsumer(settings, this)
  }

  get clientId(): string {
    return this.settings.clientId
  }

  async start(withinMs = 20_000): Promise<void> {
    await this.driver.start(this.#now() + withinMs)
  }

  async stop(withinMs = 5_000): Promise<void> {
    await this.driver.stop(this.#now() + withinMs)
  }

  /** The partition's present assignment. */
  assignmentOf(topic: string, partition: number): AssignedPartition {
    const found = this.driver.assignment().find((held) => held.topic === topic && held.partition === partition)
    if (found === undefined) throw new Error(`${partitionKey(topic, partition)} is not assigned to ${this.clientId}`)
    return found
  }

  /** What is assigned now, as `topic-partition`, sorted. */
  held(): readonly string[] {
    return this.driver
      .assignment()
      .map(({ topic, partition }) => partitionKey(topic, partition))
      .sort()
  }

  /** Commits under the present assignment. */
  async commit(
    topic: string,
    partition: number,
    nextOffset: number,
    metadata = '',
    withinMs = 5_000,
  ): Promise<CommitOutcome> {
    return this.commitAs(this.assignmentOf(topic, partition), nextOffset, metadata, withinMs)
  }

  /** Commits under the assignment given. */
  async commitAs(
    { topic, partition, epoch }: AssignedPartition,
    nextOffset: number,
    metadata = '',
    withinMs = 5_000,
  ): Promise<CommitOutcome> {
    const [outcome] = await this.driver.commit(
      [{ topic, partition, epoch, nextOffset, metadata }],
      this.#now() + withinMs,
    )
    if (outcome === undefined) throw new Error('commit gave no outcome for its offset')
    return outcome
  }

  records(fetched: FetchedRecords): void {
    this.fetched.push(fetched)
    this.whenRecords(fetched)
  }

  /** Records in the order they came, of one partition or of all. */
  received(topic?: string, partition?: number): readonly ReceivedRecord[] {
    return this.fetched
      .filter((part) => topic === undefined || (part.topic === topic && part.partition === (partition ?? 0)))
      .flatMap(({ batches }) => batches.flatMap((batch) => batch.decode()))
  }

  values(topic?: string, partition?: number): readonly string[] {
    return this.received(topic, partition).map(({ value }) => String(value))
  }

  offsets(topic?: string, partition?: number): readonly number[] {
    return this.received(topic, partition).map(({ offset }) => offset)
  }

  count(): number {
    return this.received().length
  }

  newsOf(...kinds: readonly News['kind'][]): readonly News[] {
    return this.news.filter(({ kind }) => kinds.includes(kind))
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    this.#note({ kind: 'assigned', partitions })
    await this.whenAssigned(partitions)
  }

  async revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    this.#note({ kind: 'revoked', partitions })
    await this.whenRevoked(partitions, deadline)
    this.#note({ kind: 'released', partitions })
  }

  reset(former: AssignedPartition, assigned: AssignedPartition, reset: PositionReset): void {
    this.#note({ kind: 'reset', partitions: [former, assigned], reset })
  }

  lost(partitions: readonly AssignedPartition[]): void {
    this.#note({ kind: 'lost', partitions })
  }

  partitionFailed(partition: AssignedPartition, error: TidemarkError): void {
    this.#note({ kind: 'partition-failed', partition, error })
  }

  failed(error: TidemarkError): void {
    this.#note({ kind: 'failed', error })
  }

  #note(body: NewsBody): void {
    this.news.push({ ...body, at: this.#now() })
  }
}
