import type {
  AssignedPartition,
  CommitOutcome,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  KnownEnd,
  OffsetToCommit,
  PositionReset,
} from '../../../src/driver/consumer.js'
import type { TidemarkError } from '../../../src/errors.js'
import type { ReceivedRecord, RecordBatch } from '../../../src/message/record.js'
import { partitionKey, type TopicPartition } from '../../../src/message/topic-partition.js'
import type { Runtime } from '../../../src/runtime/runtime.js'

export interface CommitCall {
  readonly offsets: readonly OffsetToCommit[]
  readonly at: number
}

/** A driver that does what the test says and notes what it was told. */
export class FakeDriver implements DriverConsumer {
  readonly calls: string[] = []
  readonly commits: CommitCall[] = []
  /** Outcomes of the coming commits; `committed` when empty. */
  readonly outcomes: CommitOutcome[] = []
  /** How long a commit takes. */
  commitMs = 0
  startError: TidemarkError | null = null
  /** Where the logs end, by partition. */
  readonly ends = new Map<string, KnownEnd>()
  lastFetchAt: number | null = null
  hasAssignment = true
  startless: readonly TopicPartition[] = []
  deleted: readonly string[] = []
  listener!: ConsumerListener
  settings!: ConsumerSettings
  readonly #owned = new Map<string, AssignedPartition>()
  #epoch = 0
  #stopped = false

  constructor(readonly runtime: Runtime) {}

  createConsumer = (settings: ConsumerSettings, listener: ConsumerListener): DriverConsumer => {
    this.settings = settings
    this.listener = listener
    return this
  }

  // ── What a test does ────────────────────────────────────────────────────────────────────────────────────────────

  async assign(
    topic: string,
    partition: number,
    start: Partial<Pick<AssignedPartition, 'position' | 'committed'>> = {},
  ): Promise<AssignedPartition> {
    this.#epoch += 1
    const position = start.position ?? start.committed?.offset ?? 0
    const assigned = {
      topic,
      partition,
      epoch: this.#epoch,
      position,
      committed: start.committed ?? null,
      partitionsAtFirst: null,
      log: null,
      leaderEpochs: () => [],
    }
    this.#owned.set(partitionKey(topic, partition), assigned)
    await this.listener.assigned([assigned])
    return assigned
  }

  deliver(assigned: AssignedPartition, records: readonly ReceivedRecord[], nextOffset?: number): void {
    const end = nextOffset ?? (records.at(-1)?.offset ?? assigned.position - 1) + 1
    this.lastFetchAt = this.runtime.clock.now()
    this.ends.set(partitionKey(assigned.topic, assigned.partition), { offset: end, at: this.lastFetchAt })
    this.deliverBatches(assigned, [{ count: records.length, decode: () => records }], end)
  }

  /** An answer of 100 bytes for each record. */
  deliverBatches(assigned: AssignedPartition, batches: readonly RecordBatch[], end: number): void {
    this.listener.records({
      ...assigned,
      batches,
      nextOffset: end,
      highWatermark: end,
      lastStableOffset: end,
      sizeBytes: batches.reduce((sum, { count }) => sum + count * 100, 0),
    })
  }

  revoke(assigned: AssignedPartition, withinMs: number): Promise<void> {
    return this.listener.revoked([assigned], this.runtime.clock.now() + withinMs).then(() => this.#forget(assigned))
  }

  /** It goes on at a lower offset, as after an unclean election. */
  reset(former: AssignedPartition, to: number, reason: PositionReset['reason'] = 'out-of-range'): AssignedPartition {
    this.#epoch += 1
    const assigned = { ...former, epoch: this.#epoch, position: to, committed: null }
    this.#owned.set(partitionKey(former.topic, former.partition), assigned)
    const from = former.committed?.offset ?? former.position
    this.listener.reset(former, assigned, { from, to, keptTo: null, reason })
    return assigned
  }

  lose(assigned: AssignedPartition): void {
    this.#forget(assigned)
    this.listener.lost([assigned])
  }

  /** The last offset committed for a partition. */
  committed(topic: string, partition: number): OffsetToCommit | undefined {
    return this.commits
      .flatMap(({ offsets }) => offsets)
      .filter((offset) => offset.topic === topic && offset.partition === partition)
      .at(-1)
  }

  // ── DriverConsumer ──────────────────────────────────────────────────────────────────────────────────────────────

  start(): Promise<void> {
    return this.startError === null ? Promise.resolve() : Promise.reject(this.startError)
  }

  async commit(offsets: readonly OffsetToCommit[]): Promise<readonly CommitOutcome[]> {
    this.commits.push({ offsets, at: this.runtime.clock.now() })
    const outcomes = offsets.map(() => this.outcomes.shift() ?? 'committed')
    if (this.commitMs > 0) await this.runtime.clock.sleep(this.commitMs)
    return outcomes
  }

  pause(partition: TopicPartition): void {
    this.calls.push(`pause ${partitionKey(partition.topic, partition.partition)}`)
  }

  resume(partition: TopicPartition): void {
    this.calls.push(`resume ${partitionKey(partition.topic, partition.partition)}`)
  }

  seek(partition: TopicPartition, offset: number): void {
    this.calls.push(`seek ${partitionKey(partition.topic, partition.partition)} ${offset}`)
  }

  assignment(): readonly AssignedPartition[] {
    return [...this.#owned.values()]
  }

  endOf({ topic, partition }: TopicPartition): KnownEnd | null {
    return this.ends.get(partitionKey(topic, partition)) ?? null
  }

  facts() {
    return {
      state: 'fake',
      memberId: null,
      generationId: 1,
      lastHeartbeatAt: null,
      lastFetchAt: this.lastFetchAt,
      hasAssignment: this.hasAssignment,
      startless: this.startless,
      unavailableTopics: this.deleted.map((topic) => ({ topic, why: 'deleted' as const })),
    }
  }

  async stop(deadline: number): Promise<void> {
    this.calls.push('stop')
    if (this.#stopped) return
    this.#stopped = true
    await this.listener.revoked(this.assignment(), deadline)
    this.calls.push('left')
  }

  #forget({ topic, partition }: AssignedPartition): void {
    this.#owned.delete(partitionKey(topic, partition))
  }
}

export function record(offset: number, key: string | null = null, value = `v${offset}`): ReceivedRecord {
  return {
    offset,
    timestamp: 1_700_000_000_000 + offset,
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    headers: [],
  }
}

export function records(from: number, to: number, key: (offset: number) => string | null = () => null) {
  return Array.from({ length: to - from }, (_, index) => record(from + index, key(from + index)))
}
