import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import type { TidemarkError } from '../../../errors.js'
import { deferred } from '../../../runtime/deferred.js'

/** Why membership in a generation ended before it was given up in good order. */
export type GenerationEnd =
  | { readonly kind: 'lost'; readonly forgetMemberId: boolean; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: TidemarkError }

/** One generation of the group, from our side: who we are in it, and the news about it. */
export class Generation {
  readonly identity: GroupMemberIdentity
  readonly #rebalance = deferred<{ readonly kind: 'rebalance' }>()
  readonly #ended = deferred<GenerationEnd>()
  readonly #over = new AbortController()

  constructor(identity: GroupMemberIdentity) {
    this.identity = identity
  }

  /** Resolves when the group wants everyone to join again. We are still a member. */
  get rebalance(): Promise<{ readonly kind: 'rebalance' }> {
    return this.#rebalance.promise
  }

  /** Resolves when we are a member no more. */
  get ended(): Promise<GenerationEnd> {
    return this.#ended.promise
  }

  /** Aborts when the generation is left, for whatever reason. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  wantRebalance(): void {
    this.#rebalance.resolve({ kind: 'rebalance' })
  }

  end(end: GenerationEnd): void {
    this.#ended.resolve(end)
  }

  leave(): void {
    this.#over.abort(new Error('the generation is over'))
  }
}
