import type { CommitOutcome, DriverConsumer, OffsetToCommit } from '../driver/consumer.js'
import { encodeCommitMetadata } from '../offsets/commit-metadata.js'
import { commitDelayMs, commitDue, type CommitPolicy } from '../offsets/commit-policy.js'
import { completedRangesText } from '../offsets/completed-ranges.js'
import { exponential } from '../runtime/backoff.js'
import type { Timer } from '../runtime/clock.js'
import type { Runtime } from '../runtime/runtime.js'
import { WorkLoop } from '../runtime/work-loop.js'
import type { Logger } from '../telemetry/logger.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { Acknowledged, OwnedPartition } from './owned-partition.js'

export interface CommitterOptions {
  readonly policy: CommitPolicy
  /** Partitions that may have something to commit. */
  readonly partitions: () => readonly OwnedPartition[]
  readonly driver: () => Pick<DriverConsumer, 'commit'>
  readonly runtime: Runtime
  readonly logger: Logger
  readonly metrics: Metrics
  /** The group says that the partition has another owner, or that this member is none. */
  readonly onLost: (partition: OwnedPartition) => void
  readonly onDefect: (error: unknown) => void
}

interface PendingCommit {
  readonly partition: OwnedPartition
  readonly state: Acknowledged
}

const commitTimeoutMs = 10_000
const retryBackoff = exponential({ initialMs: 100, maxMs: 5_000 })
/** Under this there is no room for a useful range. */
const leastMetadataBytes = 64

/** Commits what is settled, when the policy says so: one commit at a time, the next one carries the newest. */
export class Committer {
  readonly #options: CommitterOptions
  readonly #loop: WorkLoop
  #settledSinceCommit = 0
  #timer: Timer | null = null
  #failures = 0
  /** After a failure the timer decides, else every settled record would ask a coordinator that is in trouble. */
  #pace: 'by-policy' | 'backing-off' = 'by-policy'
  #oneAtATime: Promise<void> = Promise.resolve()
  #state: 'open' | 'closed' = 'open'
  readonly #counts: Record<CommitOutcome, number> = { committed: 0, lost: 0, pending: 0, 'metadata-too-large': 0 }

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#loop = new WorkLoop(() => this.#round())
  }

  /** Offsets answered so far, by outcome. */
  get counts(): Readonly<Record<CommitOutcome, number>> {
    return this.#counts
  }

  /** Records of the partition were settled. */
  settled(partition: OwnedPartition, records: number): void {
    partition.uncommitted = true
    this.#settledSinceCommit += records
    if (commitDue(this.#options.policy, this.#settledSinceCommit)) this.#request()
    else this.#armTimer(commitDelayMs(this.#options.policy))
  }

  /** The offset to commit may have moved without a record: holes and control records were passed. */
  moved(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#armTimer(commitDelayMs(this.#options.policy))
  }

  /** Commits the partition's position without waiting for the policy. */
  commitSoon(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#request()
  }

  /**
   * Commits what these partitions have settled and tries again while that is pending, until `deadline` (absolute ms).
   * What could not be committed stays as it was.
   */
  async flush(partitions: readonly OwnedPartition[], deadline: number): Promise<void> {
    const { clock, random } = this.#options.runtime
    if (this.#state === 'closed') return
    for (const partition of partitions) partition.uncommitted = true
    for (let attempt = 1; ; attempt++) {
      await this.#exclusively(() => this.#commit(partitions, deadline), deadline)
      const open = partitions.filter((partition) => partition.uncommitted && !partition.isGone)
      const delayMs = retryBackoff(attempt, random)
      if (open.length === 0 || clock.now() + delayMs >= deadline) return
      const someGone = AbortSignal.any(open.map(({ signal }) => signal))
      await clock.sleep(delayMs, someGone).catch(() => undefined) // the next round leaves out what is gone
    }
  }

  /** No further commit is sent. */
  close(): void {
    this.#state = 'closed'
    this.#timer?.cancel()
    this.#timer = null
  }

  #request(): void {
    if (this.#pace === 'by-policy') this.#loop.wake()
  }

  #armTimer(delayMs: number): void {
    if (this.#timer !== null || this.#state === 'closed') return
    this.#timer = this.#options.runtime.clock.setTimer(delayMs, () => {
      this.#timer = null
      this.#pace = 'by-policy'
      this.#loop.wake()
    })
  }

  async #round(): Promise<void> {
    // A wake may have come while the commit that failed was out.
    if (this.#pace === 'backing-off') return
    const deadline = this.#options.runtime.clock.now() + commitTimeoutMs
    try {
      await this.#exclusively(() => this.#commit(this.#options.partitions(), deadline), deadline)
    } catch (error) {
      this.#options.onDefect(error)
    }
  }

  /** Waits for the commit that is out, but not longer than until `deadline`. */
  #exclusively(run: () => Promise<void>, deadline: number): Promise<void> {
    const { clock } = this.#options.runtime
    const turn = this.#oneAtATime.then(() => (clock.now() < deadline ? run() : undefined))
    this.#oneAtATime = turn.catch(() => undefined)
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(Math.max(0, deadline - clock.now()), resolve)
      void turn.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  /** Choosing and sending are one step, so nothing is sent for a partition that went away in between. */
  async #commit(partitions: readonly OwnedPartition[], deadline: number): Promise<void> {
    if (this.#state === 'closed') return
    const pending = this.#choose(partitions)
    if (pending.length === 0) return
    const outcomes = await this.#options.driver().commit(pending.map(toOffset), deadline)
    let failed = false
    let again = false
    for (const [index, commit] of pending.entries()) {
      const outcome = outcomes[index] ?? 'pending'
      this.#count(outcome)
      this.#apply(commit, outcome)
      failed ||= outcome === 'pending'
      again ||= outcome === 'metadata-too-large'
    }
    this.#failures = failed ? this.#failures + 1 : 0
    if (failed) this.#retryLater()
    if (again) await this.#commit(partitions, deadline)
  }

  #choose(partitions: readonly OwnedPartition[]): PendingCommit[] {
    this.#settledSinceCommit = 0
    const pending: PendingCommit[] = []
    for (const partition of partitions) {
      if (!partition.uncommitted || partition.isGone) continue
      partition.uncommitted = false
      const state = stateOf(partition)
      if (isNews(partition.acknowledged, state)) pending.push({ partition, state })
    }
    return pending
  }

  #apply({ partition, state }: PendingCommit, outcome: CommitOutcome): void {
    switch (outcome) {
      case 'committed':
        partition.acknowledged = state
        return
      case 'pending':
        partition.uncommitted = true
        return
      case 'metadata-too-large':
        partition.uncommitted = true
        partition.metadataMaxBytes = smaller(Buffer.byteLength(state.metadata))
        return
      case 'lost':
        this.#options.onLost(partition)
    }
  }

  #retryLater(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#pace = 'backing-off'
    this.#armTimer(retryBackoff(this.#failures, this.#options.runtime.random))
    if (this.#failures === 1) this.#options.logger.info({}, 'commit is pending and will be tried again')
  }

  #count(outcome: CommitOutcome): void {
    this.#counts[outcome] += 1
    this.#options.metrics.count('tidemark_consumer_commits_total', { outcome })
  }
}

function stateOf(partition: OwnedPartition): Acknowledged {
  const offset = partition.tracker.committable
  const completed = partition.tracker.completedRanges()
  if (completed.length === 0 || partition.metadataMaxBytes === 0) return { offset, metadata: '' }
  const metadata = encodeCommitMetadata([completedRangesText(offset, completed)], partition.metadataMaxBytes)
  return { offset, metadata }
}

function isNews(acknowledged: Acknowledged | null, { offset, metadata }: Acknowledged): boolean {
  if (acknowledged === null) return true
  return offset > acknowledged.offset || (offset === acknowledged.offset && metadata !== acknowledged.metadata)
}

function toOffset({ partition, state }: PendingCommit): OffsetToCommit {
  const { topic, partition: number, epoch } = partition
  return { topic, partition: number, epoch, nextOffset: state.offset, metadata: state.metadata }
}

function smaller(bytes: number): number {
  const half = Math.floor(bytes / 2)
  return half < leastMetadataBytes ? 0 : half
}
