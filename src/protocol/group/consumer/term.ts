import type { PartitionById } from '../../../connection/requests/consumer-groups.js'
import type { TidemarkError } from '../../../errors.js'
import type { Clock } from '../../../runtime/clock.js'
import { deferred } from '../../../runtime/deferred.js'
import { pause } from '../../../runtime/pause.js'
import { PartitionsById, withoutDuplicates } from './owned-by-id.js'

/** Why membership ended before everything was given up in good order. */
export type TermEnd =
  { readonly kind: 'lost'; readonly reason: string } | { readonly kind: 'failed'; readonly error: TidemarkError }

/**
 * From joining until the group knows us no more: what the coordinator told us last, and what it must be told next. Another
 * term begins with nothing.
 */
export class Term {
  readonly owned = new PartitionsById()
  readonly #ended = deferred<TermEnd>()
  readonly #over = new AbortController()
  /** Aborted when there is something to tell at once. */
  #haste = new AbortController()
  #epoch: number
  #target: readonly PartitionById[] = []
  #retold = new AbortController()
  /** After a request without a good answer the coordinator may have moved on unseen: only a request with everything is safe. */
  #next: 'changes' | 'owned' | 'everything' = 'changes'

  constructor(epoch: number) {
    this.#epoch = epoch
  }

  get epoch(): number {
    return this.#epoch
  }

  /** What is meant for us. */
  get target(): readonly PartitionById[] {
    return this.#target
  }

  /** Aborts when what is meant for us is told anew. */
  get retold(): AbortSignal {
    return this.#retold.signal
  }

  /** Resolves when we are a member no more. */
  get ended(): Promise<TermEnd> {
    return this.#ended.promise
  }

  /** Aborts when the term is over, for whatever reason. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  end(end: TermEnd): void {
    this.#ended.resolve(end)
  }

  leave(): void {
    this.#over.abort(new Error('the membership is over'))
  }

  /** Epoch and target in one step: a commit under the new epoch must know what is not ours any more. */
  told(epoch: number, assignment: readonly PartitionById[] | null): void {
    this.#epoch = epoch
    if (assignment === null) return
    this.#target = withoutDuplicates(assignment)
    this.#retold.abort()
    this.#retold = new AbortController()
  }

  /** The coordinator is to hear at once what is ours now. */
  acknowledge(): void {
    if (this.#next === 'changes') this.#next = 'owned'
    this.#haste.abort()
  }

  /** What we know of our standing is in doubt, or what we read is other than was told: say everything at once. */
  doubt(): void {
    this.#next = 'everything'
    this.#haste.abort()
  }

  noteUnanswered(): void {
    this.#next = 'everything'
  }

  /** What the next heartbeat says of what is ours, and whether it says all the rest too. */
  takeNext(): { readonly isFull: boolean; readonly partitions: readonly PartitionById[] | null } {
    const next = this.#next
    this.#next = 'changes'
    // Who owns nothing always says so: unsaid, it would pass for what was told last.
    const saysOwned = next !== 'changes' || this.owned.size === 0
    return { isFull: next === 'everything', partitions: saysOwned ? this.owned.ids() : null }
  }

  async rest(clock: Clock, ms: number): Promise<void> {
    await pause(clock, ms, AbortSignal.any([this.over, this.#haste.signal]))
    this.#haste = new AbortController()
  }
}
