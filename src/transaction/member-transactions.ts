import type { CommitOutcome } from '../driver/consumer.js'
import { FencedError, TidemarkError } from '../errors.js'
import type { Joined } from '../consumer/handling/outputs.js'
import { progressOf, type Progress } from '../offsets/progress.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { Work } from '../consumer/partition/work.js'
import { isNews, stateOf } from '../consumer/settling/commit-state.js'
import { Confirmations } from '../consumer/settling/confirmations.js'
import { noCounts, type Ledger, type LedgerParts } from '../consumer/settling/ledger.js'
import { exponential } from '../runtime/backoff.js'
import type { Timer } from '../runtime/clock.js'
import { deferred } from '../runtime/deferred.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import { WorkLoop } from '../runtime/work-loop.js'
import { tell } from '../telemetry/tell.js'
import { Contributions, type Joining, type Waiting } from './contributions.js'
import { endOfTransaction, type ChosenOffset } from './end-of-transaction.js'
import { sendHeld, type HeldRecord } from './held-sends.js'
import type { MemberTransactionsSettings, TransactionalMember } from './member.js'
import { Refusals, type Purpose } from './refusals.js'
import { askGroup, LastOnRecord, type Resolved } from './told-by-group.js'

type State = 'idle' | 'beginning' | 'open' | 'ending' | 'in-doubt' | 'closed'

/** However it is settled, that fits into one commit. */
const mostOpenWhenCrowded = 512

const betweenTransactions = exponential({ initialMs: 100, maxMs: 5_000 })

/**
 * The ledger of a consumer that reads, processes and writes exactly once: what handlers sent for a record, and the place
 * behind the record, become visible in one transaction or not at all. One transaction at a time:
 *
 * | state    | what a finished handler sent | a record without sends | leaves to                                             |
 * |----------|------------------------------|------------------------|-------------------------------------------------------|
 * | idle     | waits                        | is news                | beginning, when there is something                    |
 * | beginning| waits                        | is news                | open · closed (another producer has our id)           |
 * | open     | joins at once                | is news                | ending (by time, number, bytes, or who flushes) |
 * | ending   | waits for the next           | is news, of this or the next | idle (committed, or aborted: then what contributed goes back to what is committed) · in-doubt |
 * | in-doubt | waits for the next           | is news of the next    | idle, as soon as it is known what became of it, by the group's offsets if nobody else knows · closed |
 * | closed   | is late                      | –                      | –                                                     |
 *
 * Rules:
 * 1. What joins is settled before offsets are chosen; else its record would be handled again though its output is visible.
 * 2. A partition that contributed and is not ours any more, or was sought or reset, aborts the transaction: its offset
 *    cannot be in it.
 * 3. Offsets go last, when every record of the transaction is stored, under the generation that we have then.
 * 4. After an abort only the partitions that contributed go back, and only those that are still ours. What was settled
 *    without sends stays settled, unless no commit can tell it all: of such a partition less is open from then on.
 * 5. While it is not known what became of a transaction, none begins.
 */
export class MemberTransactions implements Ledger {
  readonly #settings: MemberTransactionsSettings
  readonly #parts: LedgerParts
  readonly #member: TransactionalMember
  readonly #loop = new WorkLoop(() => this.#transaction())
  readonly #confirmations = new Confirmations()
  readonly #counts: Record<CommitOutcome, number> = { ...noCounts }
  readonly #closed = new AbortController()
  #state: State = 'idle'
  #joining: Waiting[] = []
  #contributions = new Contributions()
  #settledSince = 0
  #wantsEnd = false
  #due: (() => void) | null = null
  #roundEnded = deferred<void>()
  #isUnderWay = false
  /** In a row. */
  #aborts = 0
  /** What they settled was taken back while they were being given up: nothing of them counts any more. */
  readonly #undone = new WeakSet<OwnedPartition>()
  readonly #refusals = new Refusals()
  readonly #onRecord = new LastOnRecord()
  /** More of them is settled than one commit can tell. */
  readonly #crowded = new Set<OwnedPartition>()

  constructor(settings: MemberTransactionsSettings, parts: LedgerParts, member: TransactionalMember) {
    this.#settings = settings
    this.#parts = parts
    this.#member = member
  }

  get counts(): typeof noCounts {
    return this.#counts
  }

  get windowMs(): number {
    return this.#settings.everyMs
  }

  // ── What joins ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the handler of this work sent; rejects with what it was refused for before. */
  join({ partition, firstRecord }: Work, held: readonly HeldRecord[], bytes: number): Joined | Promise<Joined> {
    return this.#join({ partition, offset: firstRecord.offset, held, bytes, purpose: 'output' })
  }

  /** A record that goes elsewhere instead of being handled. */
  joinInstead(partition: OwnedPartition, offset: number, held: HeldRecord, purpose: Purpose): Joined | Promise<Joined> {
    return this.#join({ partition, offset, held: [held], bytes: held.sizeBytes, purpose })
  }

  #join(what: Joining): Joined | Promise<Joined> {
    const refusal = this.#refusals.of(what.partition, what.offset, what.purpose, what.held)
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.#state === 'closed' || what.partition.isGone) return 'late'
    if (this.#state === 'open' && !this.#isFull()) return this.#admit(what)
    return new Promise((end) => {
      this.#joining.push({ what, end })
      this.#loop.wake()
    })
  }

  #admit({ partition, offset, held, bytes, purpose }: Joining): Joined {
    if (partition.isGone || this.#undone.has(partition)) return 'late'
    this.#contributions.add(partition, offset, bytes)
    for (const one of held) {
      this.#contributions.sent(sendHeld(this.#member.producer, one), (error) => {
        this.#refusals.note(partition, offset, purpose, one, error)
        // Nothing can be taken back, so all of it is aborted.
        this.#due?.()
      })
    }
    if (this.#isFull()) this.#due?.()
    return 'joined'
  }

  // ── Ledger ────────────────────────────────────────────────────────────────────────────────────────────────────────

  begins(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#endSoon()
  }

  started(): void {
    // What has begun and sent nothing yet is nobody's matter.
  }

  settled({ partition, count, firstRecord }: Work): void {
    partition.uncommitted = true
    this.#settledSince += count
    this.#contributions.settled(partition, firstRecord.offset)
    this.#refusals.forget(partition, firstRecord.offset)
    if (this.#isFull()) this.#due?.()
    this.#loop.wake()
  }

  moved(partition: OwnedPartition): void {
    partition.uncommitted = true
    this.#loop.wake()
  }

  async flush(partitions: readonly OwnedPartition[], deadline: number): Promise<void> {
    const { clock } = this.#parts.runtime
    for (const partition of partitions) partition.uncommitted = true
    while (partitions.some((partition) => this.#hasMore(partition)) && clock.now() < deadline) {
      this.#endSoon()
      await withinDeadline(this.#roundEnded.promise, { clock, deadline, onLate: () => undefined })
    }
  }

  /** While nobody can tell what became of what it contributed, no place is right: that is waited for, however long. */
  async beforeMove(partition: OwnedPartition): Promise<void> {
    this.#refusals.forgetAll(partition)
    const { clock } = this.#parts.runtime
    const until = { clock, deadline: Infinity, signal: partition.signal, onLate: () => undefined }
    while (this.#contributions.has(partition) && !partition.isGone && !this.#is('closed')) {
      this.#endSoon()
      await withinDeadline(this.#roundEnded.promise, until).catch(() => undefined) // gone: it moves nowhere
    }
  }

  confirmed(partition: OwnedPartition): Promise<boolean> {
    partition.uncommitted = true
    const confirmed = this.#confirmations.wait(partition)
    this.#endSoon()
    return confirmed
  }

  leastProgress({ acknowledged }: OwnedPartition): Progress | null {
    return acknowledged === null ? null : progressOf(acknowledged)
  }

  mayFallBack(): boolean {
    return false
  }

  /** Resolves when no transaction is being begun or ended. */
  async whenIdle(): Promise<void> {
    while (this.#isUnderWay) await this.#roundEnded.promise
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#closed.abort()
    this.#confirmations.close()
    for (const { end } of this.#joining.splice(0)) end('late')
    this.#due?.()
    this.#endRound()
  }

  #hasMore(partition: OwnedPartition): boolean {
    if (this.#state === 'closed' || partition.isGone || this.#undone.has(partition)) return false
    if (this.#contributions.has(partition)) return true
    const state = stateOf(partition)
    return partition.uncommitted && state.offset >= 0 && isNews(partition.acknowledged, state)
  }

  #endSoon(): void {
    this.#wantsEnd = true
    this.#due?.()
    this.#loop.wake()
  }

  #isFull(): boolean {
    const { everyMessages, maxBytes } = this.#settings
    return this.#settledSince >= everyMessages || this.#contributions.bytes >= maxBytes
  }

  // ── One transaction ───────────────────────────────────────────────────────────────────────────────────────────────

  async #transaction(): Promise<void> {
    if (this.#state !== 'idle' || !this.#isWanted()) return
    this.#isUnderWay = true
    try {
      this.#state = 'beginning'
      if (await this.#begin()) {
        this.#state = 'open'
        for (const { what, end } of this.#joining.splice(0)) end(this.#admit(what))
        await this.#untilDue()
        await this.#end()
      }
    } catch (error) {
      this.#parts.onDefect(error)
    }
    if (!this.#is('closed')) this.#state = 'idle'
    this.#isUnderWay = false
    this.#endRound()
    if (this.#isWanted()) this.#loop.wake()
  }

  #isWanted(): boolean {
    if (this.#is('closed')) return false
    return this.#joining.length > 0 || this.#parts.partitions().some((partition) => this.#mayHaveNews(partition))
  }

  #mayHaveNews(partition: OwnedPartition): boolean {
    return partition.uncommitted && !partition.isGone && !this.#undone.has(partition)
  }

  /** False when there will be none. */
  async #begin(): Promise<boolean> {
    const { clock, random } = this.#parts.runtime
    if (this.#aborts > 1) await this.#rest(betweenTransactions(this.#aborts - 1, random))
    for (let attempt = 1; !this.#closed.signal.aborted; attempt += 1) {
      try {
        await this.#member.begin(clock.now() + this.#settings.timeoutMs)
        if (attempt > 1) tell(this.#parts.telemetry, { kind: 'commit-caught-up' })
        return !this.#closed.signal.aborted
      } catch (error) {
        if (error instanceof FencedError || (error instanceof TidemarkError && !error.retriable)) {
          this.#fail(error)
          return false
        }
        const { length } = this.#parts.partitions()
        if (attempt === 1) tell(this.#parts.telemetry, { kind: 'commit-delayed', partitions: length })
        await this.#rest(betweenTransactions(attempt, random))
      }
    }
    return false
  }

  async #rest(delayMs: number): Promise<void> {
    await this.#parts.runtime.clock.sleep(delayMs, this.#closed.signal).catch(() => undefined) // closed: there is none then
  }

  /** Until it is time to end it: by its age, its size, whoever waits for its end, or because it cannot go on. */
  async #untilDue(): Promise<void> {
    if (this.#wantsEnd || this.#isFull() || this.#contributions.failure !== null || this.#is('closed')) return
    const { promise, resolve } = deferred<void>()
    this.#due = resolve
    const timer: Timer = this.#parts.runtime.clock.setTimer(this.#settings.everyMs, resolve)
    await promise
    timer.cancel()
    this.#due = null
  }

  async #end(): Promise<void> {
    if (!this.#is('closed')) this.#state = 'ending'
    this.#wantsEnd = false
    this.#settledSince = 0
    const { group, groupInstanceId, timeoutMs } = this.#settings
    const { producer, transactions } = this.#member
    const choice = this.#confirmations.choose()
    const parts = {
      ...{ group, groupInstanceId, producer, transactions },
      contributions: this.#contributions,
      ledger: this.#parts,
      closed: this.#closed.signal,
      isUndone: (partition: OwnedPartition) => this.#undone.has(partition),
      onRecord: (partition: OwnedPartition) => this.#confirmations.onRecord(partition, choice),
      onCrowded: (partition: OwnedPartition) => this.#crowded.add(partition),
    }
    const ended = await endOfTransaction(parts, this.#parts.runtime.clock.now() + timeoutMs)
    if (ended.kind === 'empty') return
    this.#member.ended()
    if (ended.kind === 'aborted') {
      if (ended.graver instanceof FencedError) this.#fail(ended.graver)
      this.#rewind(ended.error)
    } else if (ended.end.outcome === 'committed') this.#committed(ended.chosen, choice)
    else if (ended.end.outcome === 'aborted') this.#rewind(ended.end.error)
    else await this.#untilKnown(ended.end, ended.chosen, choice)
  }

  // ── What became of it ─────────────────────────────────────────────────────────────────────────────────────────────

  #committed(chosen: readonly ChosenOffset[], choice: number): void {
    for (const { partition, state } of chosen) {
      partition.acknowledged = state
      this.#onRecord.note(partition, state)
      this.#confirmations.onRecord(partition, choice)
      this.#count('committed')
    }
    this.#contributions = new Contributions()
    this.#aborts = 0
  }

  async #untilKnown(
    { error, resolved }: { readonly error: TidemarkError; readonly resolved: Promise<Resolved> },
    chosen: readonly ChosenOffset[],
    choice: number,
  ): Promise<void> {
    if (!this.#is('closed')) this.#state = 'in-doubt'
    tell(this.#parts.telemetry, { kind: 'commit-delayed', partitions: chosen.length })
    const { runtime } = this.#parts
    const ask = () => askGroup(chosen, this.#onRecord, this.#member, runtime, this.#closed.signal)
    const told = resolved.then((outcome) => (outcome === 'unknown' ? ask() : outcome))
    const until = { ...runtime, deadline: Infinity, signal: this.#closed.signal, onLate: () => 'unknown' as const }
    const outcome = await withinDeadline(told, until).catch(() => 'closed')
    if (outcome === 'committed') this.#committed(chosen, choice)
    else if (outcome === 'aborted') this.#rewind(error)
    else if (outcome === 'unknown') this.#fail(error)
    if (outcome !== 'closed') tell(this.#parts.telemetry, { kind: 'commit-caught-up' })
  }

  /** What contributed goes on at what is committed, where it is still ours. */
  #rewind(error: unknown): void {
    const takenBack = new Set([...this.#contributions.partitions(), ...this.#crowded])
    this.#contributions = new Contributions()
    this.#aborts += 1
    let back = 0
    for (const partition of takenBack) {
      this.#count('pending')
      if (partition.isGone) continue
      // Another owner, or the next process, goes on at what is committed.
      if (partition.state.is('draining') || this.#is('closed')) this.#undone.add(partition)
      else {
        back += 1
        this.#parts.rewind(partition)
        if (this.#crowded.has(partition) && partition.successor !== null)
          partition.successor.mostOpen = mostOpenWhenCrowded
      }
    }
    this.#crowded.clear()
    for (const partition of this.#parts.partitions()) {
      if (!partition.isGone && isNews(partition.acknowledged, stateOf(partition))) partition.uncommitted = true
    }
    tell(this.#parts.telemetry, { kind: 'transaction-aborted', partitions: back, error })
  }

  #fail(error: TidemarkError): void {
    this.close()
    this.#parts.onFailed(error)
  }

  #endRound(): void {
    const ended = this.#roundEnded
    this.#roundEnded = deferred<void>()
    ended.resolve()
  }

  /** The state changes wherever something is awaited. */
  #is(state: State): boolean {
    return this.#state === state
  }

  #count(outcome: CommitOutcome): void {
    this.#counts[outcome] += 1
    this.#parts.telemetry.metrics.count('tidemark_consumer_commits_total', { outcome })
  }
}
