import type { Consumer } from '../consumer/consumer.js'
import type { Admin } from '../operations/admin.js'
import type { Clock } from '../runtime/clock.js'
import { hasWork, type RedrivePart } from './redrive-plan.js'

export interface WatchParts {
  readonly consumer: Pick<Consumer, 'facts'>
  readonly admin: Pick<Admin, 'committedOffsets'>
  /** `null` in a dry run: all is ours. */
  readonly group: string | null
  readonly clock: Clock
}

const askEveryMs = 1_000
const askWithinMs = 5_000

/**
 * Knows how far each part has come. Of a part that is ours the reader tells; of others the group's commits do: another run
 * of the same redrive, or a member that was killed and whose session still lasts, may hold them. A run is done when all
 * parts are, whoever did them: else one that came beside a dead member would end with the rest undone.
 */
export class RunWatch {
  readonly #parts: readonly RedrivePart[]
  readonly #watched: WatchParts
  /** Next offsets that the group has committed, of parts that are not ours, by partition. */
  readonly #committed = new Map<number, number>()
  #askedAt = -Infinity
  #wasDone = false
  /** Set at the end: with the reader nobody knows any more what was ours. */
  #leftAtEnd: number | null = null

  constructor(parts: readonly RedrivePart[], watched: WatchParts) {
    this.#parts = parts.filter(hasWork)
    this.#watched = watched
  }

  get wasDone(): boolean {
    return this.#wasDone
  }

  async isDone(): Promise<boolean> {
    const { ours } = this.#look()
    await this.#ask(this.#parts.filter(({ partition }) => !ours.has(partition)))
    this.#wasDone = this.left() === 0
    return this.#wasDone
  }

  /** All of this part is done. */
  isReached(partition: number): boolean {
    return this.#look().behind.every((part) => part.partition !== partition)
  }

  /** Offsets that are not done. */
  left(): number {
    return this.#leftAtEnd ?? this.#look().behind.reduce((left, { end, reached }) => left + end - reached, 0)
  }

  /** The reader is about to end. */
  end(): void {
    this.#leftAtEnd ??= this.left()
  }

  /** In words, for whoever waits too long. */
  waitsFor(): string {
    const { behind } = this.#look()
    const named = behind
      .slice(0, 3)
      .map(({ partition, end, reached }) => `partition ${partition} is at ${reached} of ${end}`)
    return `${named.join(', ')}${behind.length > 3 ? ', …' : ''}`
  }

  #look() {
    const { partitions } = this.#watched.consumer.facts()
    const ours = new Map(partitions.map(({ partition, settled }) => [partition, settled] as const))
    const behind = this.#parts
      .map(({ partition, start, end }) => {
        // What we settled of a part that went away again says nothing: its next owner begins at the commit.
        const reached = ours.get(partition) ?? this.#committed.get(partition) ?? start
        return { partition, end, reached: Math.max(reached, start) }
      })
      .filter(({ end, reached }) => reached < end)
    return { ours, behind }
  }

  async #ask(parts: readonly RedrivePart[]): Promise<void> {
    const { admin, group, clock } = this.#watched
    if (group === null || parts.length === 0 || clock.now() - this.#askedAt < askEveryMs) return
    this.#askedAt = clock.now()
    const places = parts.map(({ topic, partition }) => ({ topic, partition }))
    // Nobody answers: it is asked again, and the run ends as stalled if that lasts.
    const commits = await admin.committedOffsets(group, places, { timeoutMs: askWithinMs }).catch(() => [])
    for (const { partition, offset } of commits) this.#committed.set(partition, offset)
  }
}
