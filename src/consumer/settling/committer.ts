import type { CommitOutcome, DriverConsumer, OffsetToCommit } from '../../driver/consumer.js'
import { commitDue } from '../../offsets/commit-policy.js'
import type { Progress } from '../../offsets/progress.js'
import { exponential } from '../../runtime/backoff.js'
import type { Timer } from '../../runtime/clock.js'
import { tell } from '../../telemetry/tell.js'
import type { TracedCommit } from '../../telemetry/tracing.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import { WorkLoop } from '../../runtime/work-loop.js'
import type { Acknowledged, OwnedPartition } from '../partition/owned-partition.js'
import { CommitDoubts } from './commit-doubts.js'
import { CommitPace } from './commit-pace.js'
import { Confirmations } from './confirmations.js'
import { isNews, stateOf } from './commit-state.js'
import { noCounts, type LedgerParts } from './ledger.js'

interface PendingCommit {
  readonly partition: OwnedPartition
  readonly state: Acknowledged
  readonly choice: number
}

/** `untroubled` leaves out what failed and waits to be tried again. */
type Which = 'all' | 'untroubled'

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
  /** News that come while a commit is out wait for its answer, and then for the pace. */
  #round: 'none' | 'out' | 'out-with-news' = 'none'
  readonly #pace: CommitPace
  /** More at once were too large for the broker. */
  #mostOffsets = Infinity
  /**
   * Partitions whose commit was not stored. They are tried again together after a while: a coordinator in trouble is not
   * asked with every settled record, and the others go on meanwhile.
   */
  readonly #troubled = new Set<OwnedPartition>()
  #failures = 0
  #retryTimer: Timer | null = null
  #oneAtATime: Promise<unknown> = Promise.resolve()
  readonly #doubts: CommitDoubts
  readonly #confirmations = new Confirmations()
  #repeatTimer: Timer | null = null
  #repeats = 0
  /** Partitions that the cluster did not have when their last commit was tried. */
  readonly #missing = new WeakSet<OwnedPartition>()
  readonly #closed = new AbortController()
  readonly #counts: Record<CommitOutcome, number> = { ...noCounts }

  constructor(options: LedgerParts) {
    this.#options = options
    this.#loop = new WorkLoop(() => this.#commitNews())
    this.#doubts = new CommitDoubts(() => generationName(options.driver()))
    this.#pace = new CommitPace(options.policy)
  }

  /** How long progress stays uncommitted at the most, while commits are answered at once. */
  get windowMs(): number {
    return this.#pace.windowMs
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
    if (commitDue(this.#options.policy, this.#settledSinceCommit)) this.#loop.wake()
    else this.#inTime()
  }

  /** The offset to commit may have moved without a record: holes and control records were passed. */
  moved(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#inTime()
  }

  /** Commits the partition's position without waiting for the policy. */
  commitSoon(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#loop.wake()
  }

  /** Commits what the partition has settled by now; resolves to whether that was confirmed before it was given up. */
  confirmed(partition: OwnedPartition): Promise<boolean> {
    this.commitSoon(partition)
    return this.#confirmations.wait(partition)
  }

  /** As `confirmed`. A partition that the cluster does not have any more is not waited for: nobody will repeat anything of it. */
  async confirmedWhileThere(partition: OwnedPartition): Promise<void> {
    this.commitSoon(partition)
    if (!this.#missing.has(partition)) await this.#confirmations.wait(partition, 'while-there')
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
      await this.#exclusively(() => this.#commit(partitions, deadline, 'all'), deadline)
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
    this.#confirmations.close()
    this.#timer?.cancel()
    this.#timer = null
    this.#retryTimer?.cancel()
    this.#retryTimer = null
    this.#repeatTimer?.cancel()
    this.#repeatTimer = null
  }

  #isWorthATry(partition: OwnedPartition): boolean {
    return partition.uncommitted && !partition.isGone && !this.#missing.has(partition)
  }

  /** Called for every settled record. */
  #inTime(): void {
    if (this.#timer !== null || this.#closed.signal.aborted) return
    if (this.#round !== 'none') {
      this.#round = 'out-with-news'
      return
    }
    const { clock } = this.#options.runtime
    this.#timer = clock.setTimer(this.#pace.delayMs(clock.now()), () => {
      this.#timer = null
      this.#loop.wake()
    })
  }

  async #commitNews(): Promise<void> {
    this.#round = 'out'
    const deadline = this.#options.runtime.clock.now() + commitTimeoutMs
    try {
      const all = () => this.#commit(this.#options.partitions(), deadline, 'untroubled')
      const end = await this.#exclusively(all, deadline)
      if (end === 'late') this.#round = 'out-with-news'
    } catch (error) {
      this.#options.onDefect(error)
    }
    this.#roundEnded()
    await this.#rest()
  }

  #roundEnded(): void {
    const hasNews = this.#round === 'out-with-news'
    this.#round = 'none'
    if (hasNews) this.#inTime()
  }

  /** At a hundred thousand records a second the number alone would ask for a commit as soon as the last is answered. */
  async #rest(): Promise<void> {
    const { policy, runtime } = this.#options
    if (typeof policy === 'string') return
    await runtime.clock.sleep(restMs, this.#closed.signal).catch(() => undefined) // closed: nothing is left to pace
  }

  /** Waits for the commit that is out, but not longer than until `deadline`; `late`: what was to run may not have run. */
  #exclusively(run: () => Promise<void>, deadline: number): Promise<'ran' | 'late'> {
    const { clock } = this.#options.runtime
    const turn = this.#oneAtATime.then(async () => {
      if (clock.now() >= deadline) return 'late'
      await run()
      return 'ran'
    })
    this.#oneAtATime = turn.catch(() => undefined)
    return withinDeadline(turn, { clock, deadline, onLate: () => 'late' })
  }

  /** Choosing and sending are one step, so nothing is sent for a partition that went away in between. */
  async #commit(partitions: readonly OwnedPartition[], deadline: number, which: Which): Promise<void> {
    if (this.#closed.signal.aborted) return
    const pending = this.#choose(partitions, which)
    if (pending.length === 0) return
    this.#pace.sent(pending.length, this.#options.runtime.clock.now())
    this.#options.telemetry.metrics.gauge('tidemark_consumer_commit_window_seconds', {}, this.#pace.windowMs / 1_000)
    const tooLarge = await this.#commitInParts(pending, deadline)
    this.#repeatLater(pending)
    if (tooLarge) await this.#commit(partitions, deadline, which)
  }

  /** As many at once as the broker takes. Resolves to whether metadata was too large and has to go with less. */
  async #commitInParts(pending: readonly PendingCommit[], deadline: number): Promise<boolean> {
    let tooLarge = false
    for (let at = 0; at < pending.length && !this.#closed.signal.aborted;) {
      const most = this.#mostOffsets
      const part = pending.slice(at, at + most).filter(({ partition }) => !partition.isGone)
      const outcomes = part.length === 0 ? [] : await this.#commitPart(part, deadline)
      tooLarge ||= outcomes.includes('metadata-too-large')
      if (outcomes.includes('commit-too-large')) this.#mostOffsets = Math.ceil(part.length / 2)
      else at += most
    }
    return tooLarge
  }

  async #commitPart(part: readonly PendingCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const wasTroubled = part.some(({ partition }) => this.#troubled.has(partition))
    const outcomes = await this.#send(part, deadline)
    for (const [index, commit] of part.entries()) {
      const outcome = outcomes[index] as CommitOutcome
      this.#count(outcome)
      this.#apply(commit, outcome)
    }
    this.#retryLater(wasTroubled)
    return outcomes
  }

  /** From here on, until the answer, each of these may be what the group has. */
  async #send(pending: readonly PendingCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const { clock } = this.#options.runtime
    const sentAt = clock.now()
    this.#doubts.sent(pending)
    let outcomes: readonly CommitOutcome[] = []
    const span = this.#options.telemetry.tracing?.settle(tracedCommit(pending))
    try {
      outcomes = await this.#options.driver().commit(pending.map(toOffset), deadline)
    } finally {
      outcomes = pending.map(({ state }, index) => outcomeOf(outcomes[index], state, pending.length === 1))
      this.#doubts.ended(pending, outcomes, sentAt, clock.now())
      span?.end({ outcome: outcomes.find((one) => one !== 'committed') ?? 'committed' })
    }
    return outcomes
  }

  #choose(partitions: readonly OwnedPartition[], which: Which): PendingCommit[] {
    this.#settledSinceCommit = 0
    const pending: PendingCommit[] = []
    const choice = this.#confirmations.choose()
    const isWaiting = which === 'untroubled' && this.#retryTimer !== null
    for (const partition of partitions) {
      if (!partition.uncommitted || partition.isGone) continue
      if (isWaiting && this.#troubled.has(partition)) continue
      partition.uncommitted = false
      const state = stateOf(partition)
      // Nobody could tell where the partition starts: what the group has may lie anywhere.
      if (state.offset < 0) continue
      const isWorthIt = isNews(partition.acknowledged, state) || this.#doubts.isOpen(partition)
      if (isWorthIt) pending.push({ partition, state, choice })
      else this.#confirmations.onRecord(partition, choice)
    }
    return pending
  }

  #apply({ partition, state, choice }: PendingCommit, outcome: CommitOutcome): void {
    if (outcome === 'no-partition') {
      this.#missing.add(partition)
      this.#confirmations.notThere(partition)
    } else this.#missing.delete(partition)
    switch (outcome) {
      case 'committed':
        partition.acknowledged = state
        this.#troubled.delete(partition)
        this.#confirmations.onRecord(partition, choice)
        return
      case 'pending':
      case 'in-doubt':
      case 'no-partition':
        partition.uncommitted = true
        this.#troubled.add(partition)
        return
      case 'commit-too-large':
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

  /** @param wasTried what was in trouble before was part of the commit that was answered */
  #retryLater(wasTried: boolean): void {
    for (const partition of this.#troubled) if (partition.isGone) this.#troubled.delete(partition)
    if (this.#troubled.size === 0) {
      const wasDelayed = this.#failures > 0
      this.#failures = 0
      this.#retryTimer?.cancel()
      this.#retryTimer = null
      if (wasDelayed) tell(this.#options.telemetry, { kind: 'commit-caught-up' })
      return
    }
    if (this.#closed.signal.aborted || (this.#retryTimer !== null && !wasTried)) return
    this.#failures += 1
    this.#retryTimer?.cancel()
    const { clock, random } = this.#options.runtime
    this.#retryTimer = clock.setTimer(retryBackoff(this.#failures, random), () => {
      this.#retryTimer = null
      this.#loop.wake()
    })
    if (this.#failures > 1) return
    tell(this.#options.telemetry, { kind: 'commit-delayed', partitions: this.#troubled.size })
  }

  #repeatLater(committed: readonly PendingCommit[]): void {
    if (this.#closed.signal.aborted || !committed.some(({ partition }) => this.#doubts.isOpen(partition))) return
    if (committed.some(({ partition }) => this.#troubled.has(partition))) this.#repeats = 0
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
    this.#loop.wake()
  }

  #count(outcome: CommitOutcome): void {
    this.#counts[outcome] += 1
    this.#options.telemetry.metrics.count('tidemark_consumer_commits_total', { outcome })
  }
}

/** No word is no answer; one offset that is too large is so by its metadata; and what is bare cannot be tried with less. */
function outcomeOf(answer: CommitOutcome | undefined, { metadata }: Acknowledged, isAlone: boolean): CommitOutcome {
  if (answer === undefined) return 'in-doubt'
  const told = isAlone && answer === 'commit-too-large' ? 'metadata-too-large' : answer
  return told === 'metadata-too-large' && metadata === '' ? 'pending' : told
}

function generationName(driver: Pick<DriverConsumer, 'facts'>): string {
  const { memberId, generationId, commitsAs } = driver.facts()
  if (commitsAs !== undefined) return commitsAs
  return generationId < 0 ? '' : `${memberId}/${generationId}`
}

function toOffset({ partition, state }: PendingCommit): OffsetToCommit {
  const { topic, partition: number, epoch } = partition
  return { topic, partition: number, epoch, nextOffset: state.offset, metadata: state.metadata }
}

function smaller(bytes: number): number {
  const half = Math.floor(bytes / 2)
  return half < leastMetadataBytes ? 0 : half
}

function tracedCommit(pending: readonly PendingCommit[]): TracedCommit {
  const topics = new Set(pending.map(({ partition }) => partition.topic))
  const [first = null] = topics
  return { topic: topics.size === 1 ? first : null, partitions: pending.length }
}
