import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import type { TidemarkError } from '../../../errors.js'
import { deferred } from '../../../runtime/deferred.js'

/** Why a stay ended before everything was given up in good order. */
export type StayEnd =
  | { readonly kind: 'lost'; readonly forgetMemberId: boolean; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: TidemarkError }

type Rebalance = { readonly kind: 'rebalance' }

/**
 * From a division of the partitions on until all is given up or we are out: one generation of the group, or under the
 * cooperative protocol as many as follow each other with us. Who we are in it, and the news about it.
 *
 * What the group says of a generation may come late, after the next began:
 *
 * | it says of                     | the generation is gone        | rebalance     |
 * |--------------------------------|-------------------------------|---------------|
 * | an earlier generation          | nothing new                   | nothing new   |
 * | this one, we ask for the next  | the next began: its answer tells whether with us | nothing new |
 * | this one                       | we are out                    | we join again |
 */
export class Stay {
  #identity: GroupMemberIdentity
  #rebalance = deferred<Rebalance>()
  #generationOver = new AbortController()
  #place: 'in' | 'asks-for-next' = 'in'
  readonly #ended = deferred<StayEnd>()
  readonly #over = new AbortController()

  #mayEndSoon: boolean

  /** @param mayEndSoon this division may be the first of two rounds */
  constructor(identity: GroupMemberIdentity, mayEndSoon: boolean) {
    this.#identity = identity
    this.#mayEndSoon = mayEndSoon
  }

  get identity(): GroupMemberIdentity {
    return this.#identity
  }

  get mayEndSoon(): boolean {
    return this.#mayEndSoon
  }

  /** Resolves when the group wants everyone to join again. We are still a member. */
  get rebalance(): Promise<Rebalance> {
    return this.#rebalance.promise
  }

  /** Resolves when we are a member no more. */
  get ended(): Promise<StayEnd> {
    return this.#ended.promise
  }

  /** Aborts when the stay is over, for whatever reason. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Aborts when this generation is, with or without another after it. */
  get generationOver(): AbortSignal {
    return this.#generationOver.signal
  }

  /** May the group have gone on, with us, to a generation that we have not heard of? */
  mayHaveGoneOn(generationId: number): boolean {
    return this.#place === 'asks-for-next' || generationId !== this.#identity.generationId
  }

  asksForNext(): void {
    this.#place = 'asks-for-next'
  }

  /** The next generation begins with us. */
  goesOn(identity: GroupMemberIdentity, mayEndSoon: boolean): void {
    this.#identity = identity
    this.#mayEndSoon = mayEndSoon
    this.#place = 'in'
    this.#rebalance = deferred<Rebalance>()
    this.#generationOver.abort(new Error('the generation is over'))
    this.#generationOver = new AbortController()
  }

  wantRebalance(generationId: number): void {
    if (generationId === this.#identity.generationId) this.#rebalance.resolve({ kind: 'rebalance' })
  }

  end(end: StayEnd): void {
    this.#ended.resolve(end)
  }

  leave(): void {
    this.#generationOver.abort(new Error('the generation is over'))
    this.#over.abort(new Error('the stay in the group is over'))
  }
}
