import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import type { TransactionVersion } from '../../connection/requests/transactions.js'
import type { DriverTransactions, TransactionEnd } from '../../driver/transactions.js'
import { DriverError, FencedError, TidemarkError, TimeoutError } from '../../errors.js'
import { StateMachine } from '../../runtime/state-machine.js'
import { pause } from '../../runtime/pause.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'
import { Coordinator, type TransactionContext } from './coordinator.js'
import { askForEnd, closedWhile, markersMs, type EndResult } from './ending.js'
import type { StoredRecord, TransactionalIdentity } from './identity.js'
import { Joining } from './joining.js'
import { fencedBy, Ownership, whereWeStand } from './ownership.js'
import { closedError, timedOut } from './problems.js'
import { lookFor, type Resolved } from './resolving.js'
import { AgreedVersion } from './version.js'

/**
 * Where the transactions of one producer are.
 *
 * | state          | means                                                   | leaves to                                  |
 * |----------------|---------------------------------------------------------|--------------------------------------------|
 * | `unowned`      | the id is not ours yet                                  | ready (taken over)                         |
 * | `ready`        | ours, and nothing is open                               | open                                       |
 * | `open`         | records and offsets may join                            | committing, aborting                       |
 * | `committing`   | the commit is asked for                                 | ready, aborting, doubtful, unresolved      |
 * | `unresolved`   | the commit may have been carried out; asked on          | ready, doubtful                            |
 * | `aborting`     | the abort is asked for; in the background if need be    | ready, doubtful                            |
 * | `doubtful`     | nothing of ours is open; whether we still own the id is not known | ready, fenced                    |
 * | `fenced`       | another producer owns the id                            | –                                          |
 * | `closed`       |                                                         | –                                          |
 *
 * Every state leaves to `closed`. What is asked for in `committing` and `unresolved` is one and the same commit: an abort
 * that followed it unread would be told of what it cannot undo. `doubtful` is left by comparing (`renew`), and by taking over
 * only where we may have left the id as it stands: two producers that take over an id from each other would never end.
 */
const moves = {
  unowned: ['ready', 'closed'],
  ready: ['open', 'doubtful', 'closed'],
  open: ['committing', 'aborting', 'ready', 'closed'],
  committing: ['ready', 'aborting', 'doubtful', 'unresolved', 'closed'],
  unresolved: ['ready', 'doubtful', 'closed'],
  aborting: ['ready', 'doubtful', 'closed'],
  doubtful: ['ready', 'fenced', 'closed'],
  fenced: ['closed'],
  closed: [],
} as const satisfies Record<string, readonly string[]>
type State = keyof typeof moves

export class Transactions implements DriverTransactions {
  readonly #context: TransactionContext
  readonly #identity: TransactionalIdentity
  readonly #coordinator: Coordinator
  readonly #ownership: Ownership
  readonly #agreed: AgreedVersion
  readonly #joining: Joining
  readonly #machine: StateMachine<State>
  readonly #closed = new AbortController()
  #owner: ProducerIdentity | null = null
  #endedAt = -Infinity
  /** What the coordinator was told last. */
  #timeoutMs = 0
  #lastVersion: TransactionVersion | null = null
  /**
   * Under which epoch the next one goes. `renewed`: a batch of this one may still be on its way, so nothing new may go under
   * it. `taken-over`: this one may be another owner's.
   */
  #nextEpoch: 'as-given' | 'renewed' | 'taken-over' = 'as-given'
  /** What goes on in the background; nothing begins before its end. */
  #settling: Promise<unknown> | null = null

  constructor(transactionalId: string, identity: TransactionalIdentity, context: TransactionContext) {
    this.#context = context
    this.#identity = identity
    this.#coordinator = new Coordinator(context, transactionalId, 'transaction', this.#closed.signal)
    this.#ownership = new Ownership(this.#coordinator, context.runtime.clock)
    this.#agreed = new AgreedVersion(this.#coordinator, context.runtime.clock)
    this.#joining = new Joining(this.#coordinator, identity, context, this.#closed.signal)
    this.#machine = new StateMachine<State>(`transactional id "${transactionalId}"`, 'unowned', moves)
    identity.joins = this.#joining
  }

  get failure(): TidemarkError | null {
    return this.#identity.failure
  }

  async begin(timeoutMs: number, deadline: number): Promise<void> {
    await this.#settled(deadline)
    if (this.#machine.is('doubtful')) await this.#reclaim(deadline)
    if (this.#machine.is('fenced')) throw fencedBy(this.#coordinator.key, null)
    this.#machine.require('a transaction', 'unowned', 'ready')
    const owner = await this.#owned(timeoutMs, deadline)
    await this.#restAfterEnd()
    this.#machine.require('a transaction', 'ready')
    this.#machine.to('open')
    this.#identity.begin(owner, this.#lastVersion ?? 1)
  }

  async commitOffsets(
    member: GroupMemberIdentity,
    offsets: readonly CommittedPartition[],
    deadline: number,
  ): Promise<void> {
    this.#machine.require('committing offsets', 'open')
    await this.#joining.offsets(member, offsets, deadline)
  }

  fail(reason: TidemarkError): void {
    this.#identity.fail(reason)
  }

  async commit(deadline: number): Promise<TransactionEnd> {
    this.#machine.require('a commit', 'open')
    const { failure } = this.#identity
    if (failure !== null) {
      return { outcome: 'aborted', error: (await this.abort(deadline)) ?? failure }
    }
    await this.#joining.settled()
    if (!this.#machine.is('open')) return closedWhile(false, closedError())
    const stored = this.#identity.finish()
    if (!this.#identity.hasStarted) {
      this.#machine.to('ready')
      return { outcome: 'committed' }
    }
    this.#machine.to('committing')
    const result = await this.#askForEnd(true, deadline)
    return this.#afterCommit(result, stored, deadline)
  }

  async abort(deadline: number): Promise<TidemarkError | null> {
    if (!this.#machine.is('open')) return null
    const { failure } = this.#identity
    this.#identity.fail(new DriverError('transaction-aborted', 'the transaction is being aborted'))
    await this.#joining.settled()
    this.#identity.finish()
    if (failure !== null) {
      this.#nextEpoch = 'renewed'
      this.#agreed.doubt()
    }
    if (!this.#machine.is('open')) return null // closed meanwhile
    if (!this.#identity.hasStarted) {
      this.#machine.to('ready')
      return null
    }
    this.#machine.to('aborting')
    await this.#settle(this.#abort(), deadline)
    return this.#machine.is('doubtful') ? this.#whyFenced(deadline) : null
  }

  /** Aborts what is open, if that is soon done. Never rejects. */
  async close(deadline: number): Promise<void> {
    const { clock } = this.#context.runtime
    await withinDeadline(this.abort(deadline), { clock, deadline, onLate: () => null })
    if (this.#machine.is('closed')) return
    this.#machine.to('closed')
    this.#identity.close()
    this.#closed.abort(closedError())
  }

  // ── Before a transaction ────────────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when what went on in the background has ended. */
  async #settled(deadline: number): Promise<void> {
    if (this.#settling === null) return
    const { key } = this.#coordinator
    await withinDeadline(this.#settling, {
      clock: this.#context.runtime.clock,
      deadline,
      onLate: () => {
        const message = `the former transaction of "${key}" has not ended: its coordinator does not answer, or a partition cannot take the end`
        throw new TimeoutError('transaction-unresolved', message, { retriable: true })
      },
    })
  }

  async #restAfterEnd(): Promise<void> {
    const { clock } = this.#context.runtime
    const restMs = this.#lastVersion === 2 ? this.#endedAt + markersMs - clock.now() : 0
    if (restMs > 0) await pause(clock, restMs, this.#closed.signal)
  }

  /** The id and epoch for the next transaction, under what the cluster has agreed on now. */
  async #owned(timeoutMs: number, deadline: number): Promise<ProducerIdentity> {
    if (this.#owner === null) {
      await this.#takeOver(timeoutMs, deadline)
      this.#machine.to('ready')
    }
    const version = await this.#agreed.current(deadline)
    // Under version 2 every end raises the epoch, so it has to be raised once when it becomes the version.
    const rises = version === 2 && this.#lastVersion === 1
    const isRenewed = this.#nextEpoch === 'renewed' || rises || timeoutMs !== this.#timeoutMs
    if (this.#nextEpoch === 'taken-over') await this.#takeOver(timeoutMs, deadline)
    else if (isRenewed) await this.#renew(timeoutMs, deadline)
    this.#lastVersion = version
    return this.#owner as ProducerIdentity
  }

  async #takeOver(timeoutMs: number, deadline: number): Promise<void> {
    this.#owner = await this.#ownership.takeOver(timeoutMs, deadline)
    this.#timeoutMs = timeoutMs
    this.#nextEpoch = 'as-given'
  }

  async #renew(timeoutMs: number, deadline: number): Promise<void> {
    try {
      this.#owner = await this.#ownership.renew(this.#owner as ProducerIdentity, timeoutMs, deadline)
      this.#timeoutMs = timeoutMs
      this.#nextEpoch = 'as-given'
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
      // It may be our own transaction that timed out.
      this.#machine.to('doubtful')
      await this.#reclaim(deadline)
    }
  }

  // ── After its end was asked for ─────────────────────────────────────────────────────────────────────────────────────

  async #askForEnd(committed: boolean, deadline: number, doubtedBefore = false): Promise<EndResult> {
    const { owner, version } = this.#identity
    const result = await askForEnd(this.#coordinator, { owner, version, committed }, deadline, doubtedBefore)
    if (result.kind === 'ended') this.#identity.ended('told')
    else if (result.inDoubt) this.#identity.ended('in-doubt')
    return result
  }

  async #afterCommit(result: EndResult, stored: StoredRecord | null, deadline: number): Promise<TransactionEnd> {
    if (this.#machine.is('closed') && result.kind !== 'ended') return closedWhile(result.inDoubt, result.problem)
    switch (result.kind) {
      case 'ended':
        this.#adopt(result)
        return { outcome: 'committed' }
      case 'not-open':
        return this.#abortedBecause(timedOut(), deadline)
      case 'abortable':
        return this.#abortedBecause(result.problem, deadline)
      case 'fenced':
      case 'refused':
      case 'undecided':
        if (result.inDoubt) return this.#unresolved(result, stored, deadline)
        if (result.kind !== 'fenced') return this.#abortedBecause(result.problem, deadline)
        this.#machine.to('doubtful')
        return { outcome: 'aborted', error: (await this.#whyFenced(deadline)) ?? result.problem }
    }
  }

  /** The commit was certainly not carried out, so what is left may be aborted. */
  async #abortedBecause(error: TidemarkError, deadline: number): Promise<TransactionEnd> {
    this.#nextEpoch = 'renewed'
    this.#agreed.doubt()
    this.#machine.to('aborting')
    await this.#settle(this.#abort(), deadline)
    return { outcome: 'aborted', error }
  }

  async #unresolved(
    result: Exclude<EndResult, { kind: 'ended' }>,
    stored: StoredRecord | null,
    deadline: number,
  ): Promise<TransactionEnd> {
    this.#machine.to('unresolved')
    const resolved = this.#resolve(result, stored)
    const soon = await this.#settle(resolved, deadline)
    if (soon === 'committed') return { outcome: 'committed' }
    if (soon === 'aborted') return { outcome: 'aborted', error: timedOut() }
    const { key } = this.#coordinator
    const message = `whether the transaction of "${key}" was committed is not known: ${result.problem.message}`
    const error = new DriverError('commit-unknown', message, { cause: result.problem })
    return { outcome: 'unknown', error, resolved }
  }

  /** Never rejects. Waits until the deadline, and leaves the rest to the background. */
  async #settle<Value>(work: Promise<Value>, deadline: number): Promise<Value | 'late'> {
    const settling = work.finally(() => {
      if (this.#settling === settling) this.#settling = null
    })
    this.#settling = settling
    const { clock } = this.#context.runtime
    return withinDeadline(settling, { clock, deadline, onLate: () => 'late' as const })
  }

  /** Never rejects; ends in `ready`, `doubtful` or `closed`. */
  async #abort(): Promise<void> {
    const result = await this.#askForEnd(false, Infinity)
    if (this.#machine.is('closed')) return
    if (result.kind === 'ended') this.#adopt(result)
    // Nothing had joined it, as far as its coordinator knows; what is under way must not join the next one.
    else if (result.kind === 'not-open' && this.#identity.version === 1) {
      this.#nextEpoch = 'renewed'
      this.#machine.to('ready')
    } else this.#machine.to('doubtful')
  }

  /** Asks for the same commit on and on; where that says nothing any more, looks at what is there. */
  async #resolve(first: Exclude<EndResult, { kind: 'ended' }>, stored: StoredRecord | null): Promise<Resolved> {
    const result = first.kind === 'undecided' ? await this.#askForEnd(true, Infinity, true) : first
    if (result.kind === 'ended') {
      if (!this.#machine.is('closed')) this.#adopt(result)
      return 'committed'
    }
    if (this.#machine.is('closed')) return 'unknown'
    const { owner, version } = this.#identity
    const resolved =
      result.kind === 'not-open' || result.kind === 'abortable'
        ? 'aborted'
        : await lookFor(this.#context, this.#ownership, { owner, version, stored }, this.#closed.signal)
    if (!this.#machine.is('closed')) this.#machine.to('doubtful')
    return resolved
  }

  // ── Whose is it? ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Ended as asked for. Where the epoch stays the same, a late repeat of that request, or of another one of it, would end or
   * change the next transaction; so that goes under another epoch.
   */
  #adopt({ next, inDoubt }: EndResult & { kind: 'ended' }): void {
    const { version, isTakenIn, mayHaveStragglers } = this.#identity
    this.#owner = next
    this.#endedAt = this.#context.runtime.clock.now()
    if (this.#machine.is('closed')) return
    const isNew = !this.#identity.isUnder(next)
    // A rival that took the id over and aborted one under version 1 stands where the end of ours would have come to.
    if (version === 2 && !isTakenIn) this.#nextEpoch = 'taken-over'
    else if (isNew) this.#nextEpoch = 'as-given'
    else if (inDoubt || mayHaveStragglers) this.#nextEpoch = 'renewed'
    this.#machine.to('ready')
  }

  /** `null`: nobody told in time. */
  async #whyFenced(deadline: number): Promise<TidemarkError | null> {
    try {
      await this.#reclaim(deadline)
      return timedOut()
    } catch (error) {
      return error instanceof FencedError ? error : null
    }
  }

  /**
   * Our epoch was left behind. When the coordinator did that itself, because the transaction took too long, the id is still
   * ours: it stands aborted one epoch further on, and whoever compares with that gets the next. Anything else is the work
   * of another producer.
   *
   * @throws FencedError which is final; what says that nobody told before the deadline
   */
  async #reclaim(deadline: number): Promise<void> {
    const owner = this.#owner as ProducerIdentity
    const version = this.#lastVersion ?? 1
    // What was under another epoch says nothing of this one.
    const open = this.#identity.isUnder(owner) ? this.#identity.openAsTold : 'not-open'
    if (version === 2 && open !== 'not-open') {
      const result = await askForEnd(this.#coordinator, { owner, version, committed: false }, deadline)
      if (result.kind === 'ended') return this.#adopt(result)
      if (result.kind === 'undecided') throw result.problem
    }
    for (let attempt = 1; ; attempt += 1) {
      const description = await this.#ownership.describe(deadline).catch((error: unknown) => this.#cannotTell(error))
      // Nothing is known of the id: it is to be had, and whoever had it meanwhile keeps it.
      if (description === null) return this.#renewFrom(owner, deadline)
      const { lateAttempts } = this.#ownership
      const known = whereWeStand(description, owner, version, { open, lateAttempts })
      if (known === 'taken') throw this.#fence()
      if (known !== 'being-ended') return this.#renewFrom(known, deadline)
      if (!(await this.#coordinator.rest(attempt, deadline))) {
        throw new TimeoutError('transaction-unresolved', 'the former transaction is still being ended', {
          retriable: true,
        })
      }
    }
  }

  async #renewFrom(known: ProducerIdentity | 'cannot-be-told', deadline: number): Promise<void> {
    try {
      this.#owner =
        known === 'cannot-be-told'
          ? await this.#ownership.takeOverAgain(this.#timeoutMs, deadline)
          : await this.#ownership.renew(known, this.#timeoutMs, deadline)
    } catch (error) {
      if (error instanceof FencedError) throw this.#fence()
      throw error
    }
    this.#nextEpoch = 'as-given'
    this.#machine.to('ready')
  }

  /** Brokers before Kafka 3.0 do not tell who owns the id. */
  #cannotTell(error: unknown): never {
    if (!(error instanceof TidemarkError) || error.retriable) throw error
    throw this.#fence()
  }

  #fence(): FencedError {
    if (this.#machine.is('doubtful')) this.#machine.to('fenced')
    return fencedBy(this.#coordinator.key, null)
  }
}
