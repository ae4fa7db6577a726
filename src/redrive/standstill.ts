import type { TopicPartition } from '../message/topic-partition.js'
import { placesIn } from '../operations/places.js'
import type { Admin } from '../operations/admin.js'
import type { Clock } from '../runtime/clock.js'

interface StandstillParts {
  readonly admin: Pick<Admin, 'describeTopics'>
  readonly clock: Clock
  /** Topics that letters may go to. */
  readonly targets: readonly string[]
}

const lookEveryMs = 5_000
const lookWithinMs = 5_000
const mostNamed = 3

/**
 * What letters wait for, in words for whoever watches:
 *
 * | it is so | told |
 * |----------|------|
 * | a partition that letters may go to has no leader | that, at once, and until it has one |
 * | nothing moves, and a send has failed | the last one that did |
 * | anything else | nothing |
 */
export class Standstill {
  readonly #parts: StandstillParts
  #leaderless: readonly TopicPartition[]
  #failedSend: string | null = null
  #askedAt: number

  /** @param leaderless as it was when the run was planned */
  constructor(leaderless: readonly TopicPartition[], parts: StandstillParts) {
    this.#parts = parts
    this.#leaderless = leaderless
    this.#askedAt = parts.clock.now()
  }

  get waitsFor(): string | null {
    return this.#leaderless.length > 0 ? leaderOf(this.#leaderless) : this.#failedSend
  }

  /** A letter was not stored, and is tried again. */
  sendFailed(topic: string, code: string): void {
    this.#failedSend = `${topic} to take a letter (${code})`
  }

  /** @param stands nothing has moved for a while */
  look(stands: boolean): void {
    const { clock } = this.#parts
    if (!stands) this.#failedSend = null
    if ((!stands && this.#leaderless.length === 0) || clock.now() - this.#askedAt < lookEveryMs) return
    this.#askedAt = clock.now()
    void this.#ask()
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    const { admin, targets } = this.#parts
    // Nobody answers: what was known stands.
    const topics = await admin.describeTopics(targets, { timeoutMs: lookWithinMs }).catch(() => null)
    if (topics !== null) this.#leaderless = placesIn(topics).unseen
  }
}

/** In words. */
function leaderOf(places: readonly TopicPartition[]): string {
  const named = places.slice(0, mostNamed).map(({ topic, partition }) => `${topic}-${partition}`)
  return `a leader of ${named.join(', ')}${places.length > mostNamed ? `, and of ${places.length - mostNamed} more` : ''}`
}
