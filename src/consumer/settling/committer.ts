import type { CommitOutcome, DriverConsumer, OffsetToCommit } from '../../driver/consumer.js'
import { encodeCommitMetadata } from '../../offsets/commit-metadata.js'
import { commitDelayMs, commitDue } from '../../offsets/commit-policy.js'
import { completedRangesText } from '../../offsets/completed-ranges.js'
import { identitySection } from '../../offsets/log-identity.js'
import type { Progress } from '../../offsets/progress.js'
import { exponential } from '../../runtime/backoff.js'
import type { Timer } from '../../runtime/clock.js'
import { WorkLoop } from '../../runtime/work-loop.js'
import type { Acknowledged, OwnedPartition } from '../partition/owned-partition.js'
import { CommitDoubts } from './commit-doubts.js'
import { noCounts, type LedgerParts } from './ledger.js'

interface PendingCommit {
  readonly partition: OwnedPartition
  readonly state: Acknowledged
}

const commitTimeoutMs = 10_000
/** Least time between two commits by number or time; what it adds to the records a crash repeats is small. */
const restMs = 20
const retryBackoff = exponential({ initialMs: 100, maxMs: 5_000 })
/** Between commits that are repeated because an earlier one may land late. */
const repeatBackoff = exponential({ initialMs: 1_000, maxMs: 60_000 })
/** Under this there is no room for a useful range. */
const leastMetadataBytes = 64

/**
 * Commits what is settled, when the policy says so: one commit at a time, the next one carries the newest. While a commit
 * without an answer may still land, the newest is repeated now and then, and once more when a partition is given up, so
 * that the group does not stay behind.
 */
export class Committer {
  readonly #options: LedgerParts
  readonly #loop: WorkLoop
  #settledSinceCommit = 0
  #timer: Timer | null = null
  #failures = 0
  /** After a failure the timer decides, else every settled record would ask a coordinator that is in trouble. */
  #pace: 'by-policy' | 'backing-off' = 'by-policy'
  #oneAtATime: Promise<void> = Promise.resolve()
  readonly #doubts: CommitDoubts
  #repeatTimer: Timer | null = null
  #repeats = 0
  /** Partitions that the cluster did not have when their last commit was tried. */
  readonly #missing = new WeakSet<OwnedPartition>()
  readonly #closed = new AbortController()
  readonly #counts: Record<CommitOutcome, number> = { ...noCounts }

  constructor(options: LedgerParts) {
    this.#options = options
    this.#loop = new WorkLoop(() => this.#round())
    this.#doubts = new CommitDoubts(() => generationName(options.driver()))
  }

  /** Offsets answered so far, by outcome. */
  get counts(): Readonly<Record<CommitOutcome, number>> {
    return this.#counts
  }

  /** What the next owner of the partition finds done at the least; `null` when that may be nothing. */
  leastProgress(partition: OwnedPartition): Progress | null {
    return this.#doubts.leastProgress(partition)
  }

  /** A commit of the partition that got no answer may still be carried out. */
  isInDoubt(partition: OwnedPartition): boolean {
    return this.#doubts.isOpen(partition)
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
   * Commits what these partitions have settled and tries again while that is pending, until `deadline` (by `clock.now()`). A
   * partition that the cluster does not have any more is not waited for. What could not be committed stays as it was.
   */
  async flush(partitions: readonly OwnedPartition[], deadline: number): Promise<void> {
    const { clock, random } = this.#options.runtime
    if (this.#closed.signal.aborted) return
    for (const partition of partitions) partition.uncommitted = true
    for (let attempt = 1; ; attempt++) {
      await this.#exclusively(() => this.#commit(partitions, deadline), deadline)
      const open = partitions.filter((partition) => this.#isWorthATry(partition))
      const delayMs = retryBackoff(attempt, random)
      if (open.length === 0 || clock.now() + delayMs >= deadline) return
      const someGone = AbortSignal.any(open.map(({ signal }) => signal))
      await clock.sleep(delayMs, someGone).catch(() => undefined) // the next round leaves out what is gone
    }
  }

  /** No further commit is sent. */
  close(): void {
    this.#closed.abort()
    this.#timer?.cancel()
    this.#timer = null
    this.#repeatTimer?.cancel()
    this.#repeatTimer = null
  }

  #isWorthATry(partition: OwnedPartition): boolean {
    return partition.uncommitted && !partition.isGone && !this.#missing.has(partition)
  }

  #request(): void {
    if (this.#pace === 'by-policy') this.#loop.wake()
  }

  #armTimer(delayMs: number): void {
    if (this.#timer !== null || this.#closed.signal.aborted) return
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
    await this.#rest()
  }

  /** At a hundred thousand records a second the number alone would ask for a commit as soon as the last is answered. */
  async #rest(): Promise<void> {
    const { policy, runtime } = this.#options
    if (policy === 'each') return
    await runtime.clock.sleep(restMs, this.#closed.signal).catch(() => undefined) // closed: nothing is left to pace
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
    if (this.#closed.signal.aborted) return
    const pending = this.#choose(partitions)
    if (pending.length === 0) return
    const outcomes = await this.#send(pending, deadline)
    let failed = false
    let again = false
    for (const [index, commit] of pending.entries()) {
      const outcome = outcomes[index] as CommitOutcome
      this.#count(outcome)
      this.#apply(commit, outcome)
      failed ||= outcome === 'pending' || outcome === 'in-doubt' || outcome === 'no-partition'
      again ||= outcome === 'metadata-too-large'
    }
    this.#failures = failed ? this.#failures + 1 : 0
    if (failed) this.#retryLater()
    this.#repeatLater(pending)
    if (again) await this.#commit(partitions, deadline)
  }

  /** From here on, until the answer, each of these may be what the group has. */
  async #send(pending: readonly PendingCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const { clock } = this.#options.runtime
    const sentAt = clock.now()
    for (const { partition, state } of pending) this.#doubts.sent(partition, state)
    let outcomes: readonly CommitOutcome[] = []
    try {
      outcomes = await this.#options.driver().commit(pending.map(toOffset), deadline)
    } finally {
      outcomes = pending.map(({ state }, index) => outcomeOf(outcomes[index], state))
      for (const [index, { partition }] of pending.entries()) {
        this.#doubts.ended(partition, outcomes[index] as CommitOutcome, sentAt, clock.now())
      }
    }
    return outcomes
  }

  #choose(partitions: readonly OwnedPartition[]): PendingCommit[] {
    this.#settledSinceCommit = 0
    const pending: PendingCommit[] = []
    for (const partition of partitions) {
      if (!partition.uncommitted || partition.isGone) continue
      partition.uncommitted = false
      const state = stateOf(partition)
      // Nobody could tell where the partition starts: what the group has may lie anywhere.
      if (state.offset < 0) continue
      if (isNews(partition.acknowledged, state) || this.#doubts.isOpen(partition)) pending.push({ partition, state })
    }
    return pending
  }

  #apply({ partition, state }: PendingCommit, outcome: CommitOutcome): void {
    if (outcome === 'no-partition') this.#missing.add(partition)
    else this.#missing.delete(partition)
    switch (outcome) {
      case 'committed':
        partition.acknowledged = state
        return
      case 'pending':
      case 'in-doubt':
      case 'no-partition':
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

  #repeatLater(committed: readonly PendingCommit[]): void {
    if (this.#closed.signal.aborted || !committed.some(({ partition }) => this.#doubts.isOpen(partition))) return
    if (this.#failures > 0) this.#repeats = 0
    if (this.#repeatTimer !== null) return
    const { clock, random } = this.#options.runtime
    this.#repeats += 1
    this.#repeatTimer = clock.setTimer(repeatBackoff(this.#repeats, random), () => this.#repeat())
  }

  #repeat(): void {
    this.#repeatTimer = null
    for (const partition of this.#options.partitions()) {
      if (this.#doubts.isOpen(partition)) partition.uncommitted = true
    }
    this.#request()
  }

  #count(outcome: CommitOutcome): void {
    this.#counts[outcome] += 1
    this.#options.metrics.count('tidemark_consumer_commits_total', { outcome })
  }
}

function stateOf(partition: OwnedPartition): Acknowledged {
  const offset = partition.tracker.committable
  const completed = partition.tracker.completedRanges()
  if (partition.metadataMaxBytes === 0) return { offset, metadata: '' }
  const sections = [identitySection(partition.assigned.log), completedRangesText(offset, completed)]
  return { offset, metadata: encodeCommitMetadata(sections, partition.metadataMaxBytes) }
}

/** After a position was reset or sought, lower than what the group has is news too. */
function isNews(acknowledged: Acknowledged | null, { offset, metadata }: Acknowledged): boolean {
  return acknowledged === null || offset !== acknowledged.offset || metadata !== acknowledged.metadata
}

/** No word is no answer; and a commit that is bare already cannot be tried with less. */
function outcomeOf(told: CommitOutcome | undefined, { metadata }: Acknowledged): CommitOutcome {
  if (told === undefined) return 'in-doubt'
  return told === 'metadata-too-large' && metadata === '' ? 'pending' : told
}

function generationName(driver: Pick<DriverConsumer, 'facts'>): string {
  const { memberId, generationId } = driver.facts()
  return `${memberId}/${generationId}`
}

function toOffset({ partition, state }: PendingCommit): OffsetToCommit {
  const { topic, partition: number, epoch } = partition
  return { topic, partition: number, epoch, nextOffset: state.offset, metadata: state.metadata }
}

function smaller(bytes: number): number {
  const half = Math.floor(bytes / 2)
  return half < leastMetadataBytes ? 0 : half
}
