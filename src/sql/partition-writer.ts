import type { Kysely, Transaction } from 'kysely'
import { Discard, FencedWriter, Unavailable } from '../consumer/handling/fate.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { systemClock } from '../runtime/clock.js'
import { onAbort } from '../runtime/on-abort.js'
import { pause } from '../runtime/pause.js'
import { inTransaction, orLost, transactionLost } from './in-transaction.js'
import type { PositionsTable } from './positions-table.js'

/** What of, and how far: a message, or its place alone. */
export type WrittenPlace = TopicPartition & { readonly offset?: number | undefined }

/** One call of `transaction`. */
export interface Writing<Tables, Result> {
  readonly signal: AbortSignal
  readonly of: WrittenPlace
  readonly next: number | null
  readonly work: (trx: Transaction<Tables>) => Promise<Result>
}

/** A transaction whose commit was sent, and whose answer nobody has heard. */
interface Sent {
  readonly begun: number
  readonly offset: number | null
  readonly next: number | null
  readonly result: unknown
  /** `open` until the database is seen to have it, or not. */
  fate: 'open' | 'done' | 'not-done'
}

/** How far one has come; whatever is thrown means another thing in each. */
interface Course {
  phase: 'beginning' | 'working' | 'ending' | 'committing'
  sent: Sent | null
}

/** When the database is asked what became of a commit; beyond that the partition pauses, and the next transaction sees it. */
const askedAfterMs = [0, 100, 400]

/**
 * Writes for one partition in one epoch, one transaction after another, as the lock on its row would have it anyway; so none
 * that waits has a connection. One whose call counts no more is not waited for: its connection may be one that never answers.
 *
 * A commit whose answer is lost was done or was not. The database is asked (`written` is higher when it was), and whoever called
 * hears what is true. Where it cannot be asked, the next transaction sees it, since it counts on: the same call, when it comes again, gets the
 * result of the first and does not work once more.
 */
export class PartitionWriter<Tables> {
  readonly epoch: number
  readonly #db: Kysely<Tables>
  readonly #table: PositionsTable
  readonly #group: string
  #last: Promise<unknown> = Promise.resolve()
  #sent: readonly Sent[] = []

  constructor(db: Kysely<Tables>, table: PositionsTable, group: string, epoch: number) {
    this.#db = db
    this.#table = table
    this.#group = group
    this.epoch = epoch
  }

  write<Result>(writing: Writing<Tables, Result>): Promise<Result> {
    const written = this.#last.then(() => this.#write(writing))
    const over = new Promise<void>((resolve) => {
      const stop = onAbort(writing.signal, resolve)
      void written.catch(() => undefined).then(() => (stop(), resolve()))
    })
    this.#last = this.#last.then(() => over)
    return written
  }

  async #write<Result>(writing: Writing<Tables, Result>): Promise<Result> {
    writing.signal.throwIfAborted()
    const course: Course = { phase: 'beginning', sent: null }
    let known: Sent | undefined
    const transaction = inTransaction(this.#db, async (trx): Promise<Result> => {
      const begun = await this.#table.begin(trx.withoutPlugins(), writing.of, this.epoch)
      if (begun === null) throw new FencedWriter(this.#group, writing.of)
      this.#judge(begun)
      known = this.#sent.find((one) => isSame(one, writing))
      if (known !== undefined) return known.result as Result
      if (this.#sent.some((one) => hasAllOf(one, writing))) throw isStored()
      return this.#work(trx, writing, begun, course)
    })
    const result = await transaction.catch((error: unknown) => this.#failed(error, writing, course))
    // Of a call that counts no more nobody hears: it may come again.
    if (!writing.signal.aborted) this.#sent = this.#sent.filter((one) => one !== known && one !== course.sent)
    return result as Result
  }

  /** Under the lock: whatever was begun with this count, or a later one, is not there. */
  #judge(begun: number): void {
    for (const one of this.#sent) if (one.fate === 'open') one.fate = one.begun < begun ? 'done' : 'not-done'
    this.#sent = this.#sent.filter(({ fate }) => fate === 'done')
  }

  async #work<Result>(
    trx: Transaction<Tables>,
    { signal, of, next, work }: Writing<Tables, Result>,
    begun: number,
    course: Course,
  ): Promise<Result> {
    course.phase = 'working'
    const result = await work(trx)
    course.phase = 'ending'
    const isWhole = await this.#table.end(trx.withoutPlugins(), of, { epoch: this.epoch, begun, next }).catch(orLost)
    if (!isWhole) throw transactionLost()
    // Whoever has the partition now waits for the lock: what counts no more is not committed.
    signal.throwIfAborted()
    course.phase = 'committing'
    course.sent = { begun, offset: of.offset ?? null, next, result, fate: 'open' }
    this.#sent = [...this.#sent, course.sent]
    return result
  }

  async #failed<Result>(error: unknown, writing: Writing<Tables, Result>, { phase, sent }: Course): Promise<unknown> {
    if (sent !== null) return this.#resolved(error, writing, sent)
    if (phase === 'working') throw error
    const isTold = error instanceof FencedWriter || error instanceof Discard || writing.signal.aborted
    throw isTold || isLost(error) ? error : new Unavailable('the database of the positions is not there', error)
  }

  /** Of a commit that failed: resolves where it was done all the same. */
  async #resolved<Result>(error: unknown, { of, signal }: Writing<Tables, Result>, sent: Sent): Promise<unknown> {
    const counted = sent.fate === 'open' ? await this.#ask(of, signal) : null
    if (sent.fate === 'open' && counted !== null) sent.fate = counted > sent.begun ? 'done' : 'not-done'
    switch (sent.fate) {
      case 'done':
        return sent.result
      case 'not-done':
        this.#sent = this.#sent.filter((one) => one !== sent)
        throw error
      case 'open':
        throw new Unavailable('the commit to the database of the positions was not answered', error)
    }
  }

  /** `null` when it does not answer, or the partition is another's by now. */
  async #ask(of: TopicPartition, signal: AbortSignal): Promise<number | null> {
    for (const ms of askedAfterMs) {
      await pause(systemClock, ms, signal)
      if (signal.aborted) return null
      const asked = inTransaction(this.#db, (trx) => this.#table.counted(trx.withoutPlugins(), of, this.epoch))
      const counted = await asked.catch(() => undefined) // it is asked again
      if (counted !== undefined) return counted
    }
    return null
  }
}

/** The same call once more. Without a message only a place that moves tells one from another. */
function isSame<Tables, Result>(one: Sent, { of, next }: Writing<Tables, Result>): boolean {
  if (of.offset === undefined || one.offset === null) {
    return of.offset === undefined && one.offset === null && next !== null && one.next === next
  }
  return one.offset === of.offset && (one.next === null) === (next === null)
}

/** Some records of a batch that is stored, handed over anew without the rest. */
function hasAllOf<Tables, Result>(one: Sent, { of: { offset }, next }: Writing<Tables, Result>): boolean {
  if (one.offset === null || one.next === null || offset === undefined || next === null) return false
  return one.next > one.offset && next > offset && next <= one.next
}

function isStored(): Discard {
  return new Discard('it is in the database, by a transaction whose commit was not answered')
}

function isLost(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'transaction-lost'
}
