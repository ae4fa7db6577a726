import { TidemarkError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'

export interface Token {
  readonly value: string
  /** `null` when nobody told: it is asked for anew each time. */
  readonly lifetimeMs: number | null
}

export interface TokenQuestion {
  /** `late` aborts when nobody waits for the answer any more. */
  ask(late: AbortSignal): Promise<Token>
  readonly timeoutMs: number
  /** Completes "… did not answer within 8000 ms". */
  readonly whom: string
}

/** Part of a token's life after which another is asked for. */
const freshShare = 0.8
/** How long a token that is good still is given on, after another could not be had. */
const restMs = 10_000

/**
 * One token for all who need one.
 *
 * | the token we have      | who asks                     | when asking for another fails             |
 * |------------------------|------------------------------|-------------------------------------------|
 * | none, or its life is over | waits for another         | is told why                               |
 * | below 80 % of its life | is given it                  | –                                         |
 * | above                  | waits for another            | is given this one, for 10 s without asking |
 *
 * One question is out at a time, for `timeoutMs` at the most; whoever comes meanwhile waits for its answer. A life is over by
 * whichever clock says so first: one of them stands still while the machine sleeps, the other one may be set.
 */
export class TokenSource {
  readonly #question: TokenQuestion
  readonly #clock: Clock
  #held: { readonly value: string; freshUntil: Moment; readonly goodUntil: Moment } | null = null
  #asking: Promise<string> | null = null

  constructor(question: TokenQuestion, clock: Clock) {
    this.#question = question
    this.#clock = clock
  }

  async get(): Promise<string> {
    const held = this.#held
    if (held !== null && this.#isBefore(held.freshUntil)) return held.value
    this.#asking ??= this.#another().finally(() => (this.#asking = null))
    try {
      return await this.#asking
    } catch (failure) {
      if (held === null || !this.#isBefore(held.goodUntil)) throw failure
      held.freshUntil = earlier(this.#in(restMs), held.goodUntil)
      return held.value
    }
  }

  async #another(): Promise<string> {
    const { ask, timeoutMs, whom } = this.#question
    const late = new AbortController()
    // Of its life what the answer takes on its way is over.
    const askedAt = this.#in(0)
    const { value, lifetimeMs } = await withinDeadline(ask(late.signal), {
      clock: this.#clock,
      deadline: this.#clock.now() + timeoutMs,
      onLate: () => {
        late.abort()
        throw noToken(`${whom} did not answer within ${timeoutMs} ms`)
      },
    })
    const lifeMs = lifetimeMs ?? 0
    this.#held = { value, freshUntil: later(askedAt, lifeMs * freshShare), goodUntil: later(askedAt, lifeMs) }
    return value
  }

  #in(ms: number): Moment {
    return later({ now: this.#clock.now(), wallTime: this.#clock.wallTime() }, ms)
  }

  #isBefore({ now, wallTime }: Moment): boolean {
    return this.#clock.now() < now && this.#clock.wallTime() < wallTime
  }
}

/** By both readings of a clock. */
interface Moment {
  readonly now: number
  readonly wallTime: number
}

function later({ now, wallTime }: Moment, ms: number): Moment {
  return { now: now + ms, wallTime: wallTime + ms }
}

function earlier(one: Moment, other: Moment): Moment {
  return { now: Math.min(one.now, other.now), wallTime: Math.min(one.wallTime, other.wallTime) }
}

export function noToken(message: string, cause?: unknown): TidemarkError {
  return new TidemarkError('no-token', message, { retriable: true, cause })
}
