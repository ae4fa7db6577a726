import { brokerCode } from '../../../connection/broker-error.js'
import type { FindCoordinatorAnswer, FindCoordinatorRequest } from '../../../connection/requests/groups.js'
import type { TransactionVersion } from '../../../connection/requests/transactions.js'
import type { Timer } from '../../../runtime/clock.js'
import { setBrokerTimer } from '../cluster/broker-timer.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { CoordinatorPlaces } from '../cluster/coordinator-places.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'
import { judgeAdd, judgeMembership } from './add-participants.js'
import { completed, fencedAndAborted, judgeEnd, type EndRequest } from './end-transaction.js'
import { firstOwner, judgeInit, type InitRequest } from './init-producer-id.js'
import { Markers } from './markers.js'
import { isEnding, type Owner, type Participant, type Transaction, type Verdict } from './transaction.js'

export interface TransactionFacts {
  readonly transactionalId: string
  readonly coordinator: number
  readonly transaction: Transaction
}

/** What a request came to. The transaction is as it stands after it, `null` where there is none. */
export type Told = (errorCode: number, transaction: Transaction | null) => void

/** One transactional id at its coordinator. One write at a time; who comes meanwhile is told to come again. */
interface Entry {
  transaction: Transaction | undefined
  write: { readonly timer: Timer; readonly lost: () => void } | null
  markers: Markers | null
  timeout: Timer | null
}

/**
 * Every transactional id, and which broker coordinates it. What was written outlives coordinators, as the replicated log
 * of transactions does; a write that was on its way when the coordinator moved is lost.
 */
export class TransactionCoordinators {
  readonly #entries = new Map<string, Entry>()
  readonly #places: CoordinatorPlaces

  constructor(
    private readonly cluster: ClusterState,
    private readonly groups: GroupCoordinators,
  ) {
    this.#places = new CoordinatorPlaces(cluster)
  }

  // ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

  find({ key }: FindCoordinatorRequest): FindCoordinatorAnswer {
    if (this.#places.addressOf(key) === undefined) this.move(key)
    const address = this.#places.addressOf(key)
    const errorCode = address === undefined ? brokerCode.COORDINATOR_NOT_AVAILABLE : brokerCode.NONE
    return { throttleTimeMs: 0, errorCode, nodeId: -1, host: '', port: -1, ...address }
  }

  /** Why the broker `node` does not answer for the id. */
  problemAt(node: number, transactionalId: string): number {
    if (transactionalId === '') return brokerCode.INVALID_REQUEST
    return this.coordinatorOf(transactionalId) === node ? brokerCode.NONE : brokerCode.NOT_COORDINATOR
  }

  init(transactionalId: string, request: InitRequest, told: Told): void {
    const { maxTransactionTimeoutMs, firstProducerEpoch } = this.cluster.settings
    const { timeoutMs, owner } = request
    if (owner.producerId < 0 !== owner.epoch < 0) {
      told(brokerCode.INVALID_REQUEST, null)
      return
    }
    if (timeoutMs <= 0 || timeoutMs > maxTransactionTimeoutMs) {
      told(brokerCode.INVALID_TRANSACTION_TIMEOUT, null)
      return
    }
    const entry = this.#entryOf(transactionalId)
    const verdict: Verdict =
      entry.transaction !== undefined
        ? judgeInit(entry.transaction, entry.write !== null, request, this.#version, () =>
            this.cluster.takeProducerId(),
          )
        : entry.write !== null
          ? { kind: 'refused', errorCode: brokerCode.CONCURRENT_TRANSACTIONS }
          : { kind: 'write', next: firstOwner(this.cluster.takeProducerId(), firstProducerEpoch, timeoutMs) }
    this.#carryOut(transactionalId, entry, verdict, told)
  }

  add(transactionalId: string, owner: Owner, participants: readonly Participant[], told: Told): void {
    const entry = this.#entryOf(transactionalId)
    const now = this.cluster.runtime.clock.now()
    const verdict = judgeAdd(entry.transaction, entry.write !== null, owner, participants, now)
    this.#carryOut(transactionalId, entry, verdict, told)
  }

  end(transactionalId: string, request: EndRequest, told: Told): void {
    const entry = this.#entryOf(transactionalId)
    const now = this.cluster.runtime.clock.now()
    const verdict = judgeEnd(entry.transaction, entry.write !== null, request, now, () => this.cluster.takeProducerId())
    this.#carryOut(transactionalId, entry, verdict, told)
  }

  /** What the leader of a partition, or a group's coordinator, learns when it asks whether the participant is in. */
  membership(transactionalId: string, owner: Owner, participant: Participant): number {
    return judgeMembership(this.#entries.get(transactionalId)?.transaction, owner, participant)
  }

  // ── The cluster ───────────────────────────────────────────────────────────────────────────────────────────────────

  coordinatorOf(transactionalId: string): number {
    return this.#places.of(transactionalId)
  }

  /** Gives an id to another broker: to `node`, else to the next that is up. It goes on with what was decided. */
  move(transactionalId: string, node?: number): void {
    if (!this.#places.move(transactionalId, node)) return
    const entry = this.#entries.get(transactionalId)
    if (entry === undefined) return
    entry.write?.timer.cancel()
    const lost = entry.write?.lost
    entry.write = null
    entry.markers?.cancel()
    entry.markers = null
    this.#follow(transactionalId, entry)
    lost?.()
  }

  /** Ids that a dead broker coordinated go to others. */
  leaveBroker(node: number): void {
    for (const id of this.#entries.keys()) if (this.coordinatorOf(id) === node) this.move(id)
  }

  /** Forgets an id that was not used for long, as a coordinator does; false while its transaction is open. */
  expire(transactionalId: string): boolean {
    const entry = this.#entries.get(transactionalId)
    if (entry?.transaction === undefined || entry.write !== null) return false
    if (entry.transaction.state === 'Ongoing' || isEnding(entry.transaction)) return false
    this.#entries.delete(transactionalId)
    return true
  }

  facts(transactionalId: string): TransactionFacts | undefined {
    const transaction = this.#entries.get(transactionalId)?.transaction
    if (transaction === undefined) return undefined
    return { transactionalId, coordinator: this.coordinatorOf(transactionalId), transaction }
  }

  all(): readonly TransactionFacts[] {
    return [...this.#entries.keys()].map((id) => this.facts(id)).filter((facts) => facts !== undefined)
  }

  /** Cancels every timer. Nothing works afterwards. */
  close(): void {
    for (const { write, markers, timeout } of this.#entries.values()) {
      write?.timer.cancel()
      markers?.cancel()
      timeout?.cancel()
    }
    this.#entries.clear()
  }

  get #version(): TransactionVersion {
    return this.cluster.transactionVersion >= 2 ? 2 : 1
  }

  #entryOf(transactionalId: string): Entry {
    let entry = this.#entries.get(transactionalId)
    if (entry === undefined) {
      entry = { transaction: undefined, write: null, markers: null, timeout: null }
      this.#entries.set(transactionalId, entry)
    }
    return entry
  }

  #carryOut(transactionalId: string, entry: Entry, verdict: Verdict, told: Told): void {
    const present = () => entry.transaction ?? null
    if (verdict.kind === 'refused') told(verdict.errorCode, present())
    else if (verdict.kind === 'known') told(brokerCode.NONE, present())
    else {
      const code = verdict.kind === 'fence' ? brokerCode.CONCURRENT_TRANSACTIONS : brokerCode.NONE
      this.#write(
        transactionalId,
        entry,
        verdict.next,
        () => told(code, present()),
        () => told(brokerCode.NOT_COORDINATOR, present()),
      )
    }
  }

  /** What is written counts when the followers of the coordinator's log have it. */
  #write(transactionalId: string, entry: Entry, next: Transaction, written: () => void, lost: () => void): void {
    const { replicationDelayMs } = this.cluster.settings
    const store = () => {
      entry.write = null
      entry.transaction = next
      written()
      this.#follow(transactionalId, entry)
    }
    if (replicationDelayMs === 0) store()
    else entry.write = { timer: setBrokerTimer(this.cluster.runtime.clock, replicationDelayMs, store), lost }
  }

  /** What the coordinator has to do in this state: end the transaction in time, or write its markers. */
  #follow(transactionalId: string, entry: Entry): void {
    const { transaction } = entry
    entry.timeout?.cancel()
    entry.timeout = null
    if (transaction === undefined) return
    if (transaction.state === 'Ongoing') this.#watchTime(transactionalId, entry, transaction)
    if (!isEnding(transaction) || entry.markers !== null) return
    const { cluster, groups } = this
    const isUp = () => cluster.isUp(this.coordinatorOf(transactionalId))
    entry.markers = new Markers(cluster, groups, transaction, cluster.settings.markerDelayMs, isUp, () => {
      entry.markers = null
      this.#write(transactionalId, entry, completed(transaction), nothing, nothing)
    })
  }

  /** Transactions are looked at from time to time, so one that takes too long goes on for a little longer. */
  #watchTime(transactionalId: string, entry: Entry, { startedAt, timeoutMs }: Transaction): void {
    const { clock } = this.cluster.runtime
    const { transactionCheckMs } = this.cluster.settings
    const dueAt = Math.ceil((startedAt + timeoutMs) / transactionCheckMs) * transactionCheckMs
    const delayMs = Math.max(dueAt - clock.now(), transactionCheckMs - (clock.now() % transactionCheckMs))
    entry.timeout = setBrokerTimer(clock, delayMs, () => {
      entry.timeout = null
      const { transaction, write } = entry
      if (transaction?.state !== 'Ongoing') return
      if (write !== null || !this.cluster.isUp(this.coordinatorOf(transactionalId))) {
        this.#watchTime(transactionalId, entry, transaction)
        return
      }
      this.#write(transactionalId, entry, fencedAndAborted(transaction, this.#version), nothing, nothing)
    })
  }
}

function nothing(): void {
  // Nobody asked for it.
}
