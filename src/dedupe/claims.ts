import { deferred } from '../runtime/deferred.js'

/** The identities that one delivery works at. */
export interface Claim {
  readonly identities: readonly string[]
}

interface OpenClaim extends Claim {
  ended: { readonly promise: Promise<void>; readonly resolve: () => void } | null
}

/**
 * Who works at what now. A store knows only what is done, so without this two copies of a record that arrive together would
 * both be handled. Nobody holds one claim while waiting for another, so none wait for each other.
 */
export class Claims {
  readonly #holders = new Map<string, OpenClaim>()

  isFree(identity: string): boolean {
    return !this.#holders.has(identity)
  }

  /** Each of them must be free. */
  take(identities: readonly string[]): Claim {
    const claim: OpenClaim = { identities, ended: null }
    for (const identity of identities) this.#holders.set(identity, claim)
    return claim
  }

  release(claim: Claim): void {
    for (const identity of claim.identities) {
      if (this.#holders.get(identity) === claim) this.#holders.delete(identity)
    }
    ;(claim as OpenClaim).ended?.resolve()
  }

  /** Resolves when whoever works at it has ended. */
  whenFree(identity: string): Promise<void> {
    const holder = this.#holders.get(identity)
    if (holder === undefined) return Promise.resolve()
    holder.ended ??= deferred<void>()
    return holder.ended.promise
  }
}
