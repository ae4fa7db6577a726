import { TimeoutError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { deferred } from '../runtime/deferred.js'
import { withinDeadline } from '../runtime/within-deadline.js'

export interface GatheredCallsParts<Answer> {
  readonly call: (identities: readonly string[]) => Promise<Answer>
  readonly clock: Clock
  /** One call that takes longer has failed. */
  readonly timeoutMs: number
  /** For messages: what is called. */
  readonly what: string
}

/** Most identities of one call. */
const atOnce = 1_000

interface Waiting<Answer> {
  readonly identities: readonly string[]
  readonly end: (answer: Promise<Answer>) => void
}

/**
 * One call at a time, for many who ask: what comes while one is under way goes together with the next, so a store that is
 * slow is asked for more at once and not more often. All that is asked together succeeds or fails together.
 */
export class GatheredCalls<Answer> {
  readonly #parts: GatheredCallsParts<Answer>
  #waiting: Waiting<Answer>[] = []
  #state: 'idle' | 'calling' = 'idle'

  constructor(parts: GatheredCallsParts<Answer>) {
    this.#parts = parts
  }

  add(identities: readonly string[]): Promise<Answer> {
    const { promise, resolve } = deferred<Promise<Answer>>()
    this.#waiting.push({ identities, end: resolve })
    if (this.#state === 'idle') void this.#work() // never rejects
    return promise.then((answer) => answer)
  }

  async #work(): Promise<void> {
    this.#state = 'calling'
    // Deliveries begin several at a time, and all of them ask.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const together = this.#next()
      const answer = this.#call(together.flatMap(({ identities }) => identities))
      for (const { end } of together) end(answer)
      await answer.catch(() => undefined) // whoever asked is told
    }
    this.#state = 'idle'
  }

  #next(): readonly Waiting<Answer>[] {
    let count = 0
    const past = this.#waiting.findIndex(({ identities }) => {
      count += identities.length
      return count > atOnce
    })
    // Whoever asks for more than that asks alone.
    return this.#waiting.splice(0, past === -1 ? this.#waiting.length : Math.max(1, past))
  }

  async #call(identities: readonly string[]): Promise<Answer> {
    const { call, clock, timeoutMs, what } = this.#parts
    const onLate = () => {
      throw new TimeoutError('store-timeout', `${what} did not answer within ${timeoutMs} ms; look at its database`, {
        retriable: true,
      })
    }
    return withinDeadline(call(identities), { clock, deadline: clock.now() + timeoutMs, onLate })
  }
}
