import { TidemarkError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'

export interface Token {
  readonly value: string
  /** `null` when nobody told: it is asked for anew each time. */
  readonly lifetimeMs: number | null
}

/** Part of a token's life after which another is asked for. */
const freshShare = 0.8

/**
 * One token for all who need one.
 *
 * | the token we have      | who asks                     | when asking for another fails |
 * |------------------------|------------------------------|-------------------------------|
 * | none, or its life is over | waits for another         | is told why                   |
 * | below 80 % of its life | is given it                  | –                             |
 * | above                  | waits for another            | is given this one             |
 *
 * One question is out at a time; whoever comes meanwhile waits for its answer.
 */
export class TokenSource {
  readonly #ask: () => Promise<Token>
  readonly #clock: Clock
  #held: { readonly value: string; readonly freshUntil: number; readonly goodUntil: number } | null = null
  #asking: Promise<string> | null = null

  constructor(ask: () => Promise<Token>, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  async get(): Promise<string> {
    const held = this.#held
    if (held !== null && this.#clock.now() < held.freshUntil) return held.value
    this.#asking ??= this.#another().finally(() => (this.#asking = null))
    try {
      return await this.#asking
    } catch (failure) {
      if (held !== null && this.#clock.now() < held.goodUntil) return held.value
      throw failure
    }
  }

  async #another(): Promise<string> {
    const askedAt = this.#clock.now()
    const { value, lifetimeMs } = await this.#ask()
    const lifeMs = lifetimeMs ?? 0
    this.#held = { value, freshUntil: askedAt + lifeMs * freshShare, goodUntil: askedAt + lifeMs }
    return value
  }
}

export function noToken(message: string, cause?: unknown): TidemarkError {
  return new TidemarkError('no-token', message, { retriable: true, cause })
}
