import type { DeliveryFactory, DeliveryParts } from '../consumer/handling/at-least-once.js'
import { atLeastOnce } from '../consumer/handling/at-least-once.js'
import { Unavailable } from '../consumer/handling/fate.js'
import { attemptOf } from '../consumer/handling/handler-call.js'
import type { Delivery } from '../consumer/partition/delivery.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import {
  again,
  duplicate,
  handled,
  isPending,
  late,
  type Part,
  type Settlement,
} from '../consumer/partition/settlement.js'
import type { Work } from '../consumer/partition/work.js'
import { TidemarkError } from '../errors.js'
import { came } from '../input/came.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import { Claims, type Claim } from './claims.js'
import type { DedupeStore } from './dedupe-store.js'
import { GatheredCalls } from './gathered-calls.js'
import { identityOf, type IdentityOf } from './identity.js'

export interface DedupeSettings {
  readonly store: DedupeStore
  /** Whose marks: what another scope has handled is not known here. */
  readonly scope: string
  readonly identity: IdentityOf | undefined
  /** One call of the store. */
  readonly timeoutMs: number
}

/**
 * Drops what was handled already, and marks what is handled now.
 *
 * | a delivery | news                                                | becomes |
 * |------------|-----------------------------------------------------|---------|
 * | new        | another delivery works at one of its records        | waiting, and new when that one has ended; holds nothing |
 * | new        | nobody does, and one comes in it a second time      | parted: the second is new behind the others |
 * | new        | nobody does                                         | asked: it holds its records |
 * | asked      | none has a mark                                     | in the handler; new, when nothing may start any more meanwhile |
 * | asked      | all have one                                        | over: `duplicate` |
 * | asked      | some of a batch have one                            | parted: those are duplicates, the others new |
 * | asked      | the store cannot tell                               | new: `Unavailable`, an outage; nothing is handled |
 * | in the handler | it succeeded, and its transaction has the marks | over: `handled` |
 * | in the handler | it succeeded                                    | handled, unmarked |
 * | in the handler | anything else                                   | over, or new: there is no mark |
 * | handled, unmarked | the marks are kept                           | over: `handled` |
 * | handled, unmarked | the store does not keep them                 | handled, unmarked: an outage; only the marks are tried again |
 *
 * While something is handled and unmarked nothing new is asked: the marks come first, also those of partitions that were
 * given up meanwhile, since their effects are there.
 */
class DedupedDelivery implements Delivery {
  readonly #inner: Delivery
  readonly #settings: DedupeSettings
  readonly #parts: DeliveryParts
  readonly #telemetry: Telemetry
  readonly #claims = new Claims()
  readonly #unmarked = new Map<Work, Claim>()
  /** Partitions whose last delivery failed because the store did not answer. */
  readonly #unanswered = new WeakSet<OwnedPartition>()
  readonly #asks: GatheredCalls<ReadonlySet<string>>
  readonly #marks: GatheredCalls<void>

  constructor(inner: Delivery, parts: DeliveryParts, settings: DedupeSettings, telemetry: Telemetry) {
    this.#inner = inner
    this.#parts = parts
    this.#settings = settings
    this.#telemetry = telemetry
    const { store, scope, timeoutMs } = settings
    const { clock } = parts
    this.#asks = new GatheredCalls({
      call: async (identities) => asAnswer(await store.known(scope, identities)),
      what: 'the dedupe store, asked what is handled,',
      clock,
      timeoutMs,
    })
    this.#marks = new GatheredCalls({
      call: async (identities) => store.mark(scope, identities),
      what: 'the dedupe store, told what is handled,',
      clock,
      timeoutMs,
    })
  }

  deliver(work: Work): Settlement | PromiseLike<Settlement> {
    if (work.failure !== null) return this.#inner.deliver(work)
    if (this.#unmarked.size > 0) return this.#afterMarks(work)
    return this.#begin(work)
  }

  async #afterMarks(work: Work): Promise<Settlement> {
    const isHandled = this.#unmarked.has(work)
    const unmarked = [...this.#unmarked]
    try {
      await this.#marks.add(unmarked.flatMap(([, { identities }]) => identities))
    } catch (error) {
      return this.#unavailable(work, notKept(error))
    }
    for (const [one, claim] of unmarked) {
      this.#unmarked.delete(one)
      this.#claims.release(claim)
    }
    if (!isHandled) return this.#begin(work)
    this.#answered(work.partition)
    return handled
  }

  #begin(work: Work): Settlement | PromiseLike<Settlement> {
    const { partition } = work
    if (partition.cancelled) return late
    let identities: readonly string[]
    try {
      identities = identitiesOf(work, this.#settings.identity)
    } catch (error) {
      return this.#parts.ladder.end(work, { attempt: attemptOf(work) }, error)
    }
    // A batch waits as a whole, else what follows such a record in it would be handled before it.
    const busy = this.#busyOf(identities)
    if (busy !== undefined) return this.#whenFree(work, busy)
    const repeated = repeatsIn(identities)
    if (repeated.length > 0) {
      const [others, first] = work.divide(repeated)
      return { kind: 'parted', parts: [toDeliver(first), toDeliver(others)] }
    }
    return this.#ask(work, this.#claims.take(identities))
  }

  #busyOf(identities: readonly string[]): string | undefined {
    for (const identity of identities) if (!this.#claims.isFree(identity)) return identity
    return undefined
  }

  /** Without a place: whoever works at it may have none either, and take its time. */
  async #whenFree({ partition: { lanes }, inLane }: Work, identity: string): Promise<Settlement> {
    const { clock } = this.#parts
    lanes.giveBack(inLane)
    const free = this.#claims.whenFree(identity)
    const wait = { clock, deadline: Infinity, signal: lanes.closing, onLate: () => undefined }
    await withinDeadline(free, wait).catch(() => undefined) // closed: there is no other attempt then
    return again
  }

  #ask(work: Work, claim: Claim): Settlement | PromiseLike<Settlement> {
    const { store, scope } = this.#settings
    if (store.isImmediate !== true) return this.#whenAnswered(work, claim, this.#asks.add(claim.identities))
    let known: ReadonlySet<string>
    try {
      known = asAnswer(store.known(scope, claim.identities))
    } catch (error) {
      return this.#notAnswered(work, claim, error)
    }
    return this.#look(work, claim, known)
  }

  async #whenAnswered(work: Work, claim: Claim, asked: Promise<ReadonlySet<string>>): Promise<Settlement> {
    let known: ReadonlySet<string>
    try {
      known = await asked
    } catch (error) {
      return this.#notAnswered(work, claim, error)
    }
    return this.#look(work, claim, known)
  }

  #notAnswered(work: Work, claim: Claim, error: unknown): Settlement | PromiseLike<Settlement> {
    this.#claims.release(claim)
    return this.#unavailable(work, notAsked(error))
  }

  #look(work: Work, claim: Claim, known: ReadonlySet<string>): Settlement | PromiseLike<Settlement> {
    const { partition } = work
    const { identities } = claim
    if (partition.lanes.closing.aborted) {
      this.#claims.release(claim)
      return late
    }
    // What was asked together is answered together, so some of it may be of others.
    const at = known.size === 0 ? noIndexes : identities.flatMap((one, index) => (known.has(one) ? [index] : []))
    if (at.length === 0 && !partition.lanes.isHeld) return this.#handle(work, claim)
    this.#claims.release(claim)
    // Paused while the store was asked: no handler begins, and what is handled then is asked anew.
    if (at.length === 0) return again
    if (at.length < identities.length) {
      const [marked, fresh] = work.divide(at)
      this.#tellDropped(marked)
      return { kind: 'parted', parts: [{ work: marked, end: duplicate }, toDeliver(fresh)] }
    }
    this.#answered(partition)
    this.#tellDropped(work)
    return duplicate
  }

  #handle(work: Work, claim: Claim): Settlement | PromiseLike<Settlement> {
    const { store, scope } = this.#settings
    const { identities } = claim
    let isKept = false
    const open: OpenTransactions = new Map()
    store.begins?.(work, { scope, identities, kept: () => (isKept = true), runs: (...one) => keepOpen(open, ...one) })
    const ended = this.#inner.deliver(work)
    const end = (settlement: Settlement) => this.#end(work, claim, settlement, isKept)
    const whenEnded = (settlement: Settlement) =>
      open.size > 0 && settlement.kind === 'handled'
        ? this.#whenNoneIsOpen(work, open, settlement).then(end)
        : end(settlement)
    return isPending(ended) ? ended.then(whenEnded) : whenEnded(ended)
  }

  /** The handler did not wait for a transaction of its own: marked now, the record would be done and its effects not yet. */
  async #whenNoneIsOpen(work: Work, open: OpenTransactions, end: Settlement): Promise<Settlement> {
    const { partition, firstRecord } = work
    const { topic, partition: number } = partition
    this.#telemetry.logger.warn(
      { topic, partition: number, offset: firstRecord.offset },
      'a handler ended before its transaction, which is waited for: await it, or return it',
    )
    const { clock } = this.#parts
    for (const taken of open.values()) taken()
    const onLate = () => {
      throw new Unavailable('a transaction that the handler did not wait for does not end')
    }
    try {
      const all = Promise.all(open.keys())
      await withinDeadline(all, { clock, deadline: clock.now() + this.#settings.timeoutMs, onLate })
      return end
    } catch (error) {
      return this.#parts.ladder.end(work, { attempt: attemptOf(work) }, error)
    }
  }

  #end(work: Work, claim: Claim, settlement: Settlement, isKept: boolean): Settlement | PromiseLike<Settlement> {
    if (isKept) {
      this.#claims.release(claim)
      if (settlement.kind !== 'handled' && settlement.kind !== 'late') this.#tellKeptAndFailed(work)
      return settlement
    }
    switch (settlement.kind) {
      case 'handled':
        return this.#mark(work, claim, settlement)
      case 'parted':
        return this.#markParts(claim, settlement.parts)
      default:
        this.#claims.release(claim)
        return settlement
    }
  }

  /** Of a batch that failed at one of its records, those before it are done. */
  #markParts(claim: Claim, parts: readonly Part[]): Settlement | PromiseLike<Settlement> {
    const [first, ...rest] = parts
    this.#claims.release(claim)
    if (first?.end?.kind !== 'handled') return { kind: 'parted', parts }
    const own = this.#claims.take(claim.identities.slice(0, first.work.count))
    const inParts = (end: Settlement): Settlement => ({ kind: 'parted', parts: [{ work: first.work, end }, ...rest] })
    const end = this.#mark(first.work, own, first.end)
    return isPending(end) ? end.then(inParts) : inParts(end)
  }

  #mark(work: Work, claim: Claim, end: Settlement): Settlement | PromiseLike<Settlement> {
    const { store, scope } = this.#settings
    if (store.isImmediate !== true) return this.#whenMarked(work, claim, end)
    try {
      void store.mark(scope, claim.identities) // has ended
    } catch (error) {
      return this.#notMarked(work, claim, error)
    }
    this.#claims.release(claim)
    return end
  }

  async #whenMarked(work: Work, claim: Claim, end: Settlement): Promise<Settlement> {
    try {
      await this.#marks.add(claim.identities)
    } catch (error) {
      return this.#notMarked(work, claim, error)
    }
    this.#claims.release(claim)
    return end
  }

  #notMarked(work: Work, claim: Claim, error: unknown): Settlement | PromiseLike<Settlement> {
    this.#unmarked.set(work, claim)
    return this.#unavailable(work, notKept(error))
  }

  #unavailable(work: Work, error: Unavailable): Settlement | PromiseLike<Settlement> {
    this.#unanswered.add(work.partition)
    return this.#parts.ladder.end(work, { attempt: attemptOf(work) }, error)
  }

  /** The store answers again, which ends the outage that it was, though no handler has succeeded. */
  #answered(partition: OwnedPartition): void {
    if (this.#unanswered.delete(partition)) this.#parts.outages.endedBy(partition)
  }

  #tellDropped({ partition: { topic, partition }, firstRecord: { offset }, count }: Work): void {
    tell(this.#telemetry, { kind: 'duplicates-dropped', topic, partition, offset, records: count })
  }

  #tellKeptAndFailed({ partition: { topic, partition }, firstRecord: { offset } }: Work): void {
    this.#telemetry.logger.warn(
      { topic, partition, offset },
      'a handler failed after the transaction that marks its records as handled was committed: they are not handled again; ' +
        'end the handler with that transaction, and send by an outbox',
    )
  }
}

/** How deliveries go through their handler when repeats are dropped. */
export function dedupedBy(settings: DedupeSettings, telemetry: Telemetry): DeliveryFactory {
  return (parts) => new DedupedDelivery(atLeastOnce(parts), parts, settings, telemetry)
}

type OpenTransactions = Map<Promise<unknown>, () => void>

function keepOpen(open: OpenTransactions, transaction: Promise<unknown>, taken: () => void): void {
  open.set(transaction, taken)
  const ended = () => void open.delete(transaction)
  transaction.then(ended, ended)
}

const noIndexes: readonly number[] = []

/** Which records come in their delivery for the second time. */
function repeatsIn(identities: readonly string[]): readonly number[] {
  if (identities.length === 1) return noIndexes
  const seen = new Set<string>()
  const repeats: number[] = []
  for (const [index, identity] of identities.entries()) {
    if (seen.has(identity)) repeats.push(index)
    seen.add(identity)
  }
  return repeats
}

function identitiesOf({ messages, records }: Work, chosen: IdentityOf | undefined): readonly string[] {
  if (!Array.isArray(messages)) return [identityOf(messages as Message, records as ReceivedRecord, chosen)]
  return (messages as readonly Message[]).map((message, index) =>
    identityOf(message, (records as readonly ReceivedRecord[])[index] as ReceivedRecord, chosen),
  )
}

function toDeliver(work: Work): Part {
  return { work, end: null }
}

/** Nothing is guessed from what is no answer: a list, for one, would pass for "none". */
function asAnswer(answer: unknown): ReadonlySet<string> {
  const { has, size } = (answer ?? {}) as Partial<ReadonlySet<string>>
  if (typeof has === 'function' && typeof size === 'number') return answer as ReadonlySet<string>
  throw new TidemarkError(
    'invalid-answer',
    `the answer of known of the dedupe store ${came(answer)}; answer a Set of those identities that have a mark`,
  )
}

function notAsked(cause: unknown): Unavailable {
  return new Unavailable('the dedupe store does not tell what is handled, so nothing is handled', cause)
}

function notKept(cause: unknown): Unavailable {
  return new Unavailable(
    'the dedupe store does not keep what is handled; it is told again before anything else is handled',
    cause,
  )
}
