import type { FetchAnswer } from '../../connection/requests/fetch.js'
import { partitionKey } from '../../message/topic-partition.js'
import type { Asked } from './fetch-cursor.js'

/**
 * What a broker left out of its answer in a session because nothing of it has changed: nearly all that it was asked for, at
 * each answer, at rest.
 */
export class LeftOut {
  /** The same object as long as the same is asked. */
  readonly asked: ReadonlyMap<string, Asked>
  readonly #told: ReadonlySet<string>

  constructor(asked: ReadonlyMap<string, Asked>, { partitions }: Pick<FetchAnswer, 'partitions'>) {
    this.asked = asked
    this.#told = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)))
  }

  /** Everything that was asked for. */
  get isAll(): boolean {
    return this.#told.size === 0
  }

  /** Of leaders alone: what a follower has not copied it cannot tell. */
  has(key: string): boolean {
    const question = this.asked.get(key)
    return question !== undefined && question.node === question.leader.leader && !this.#told.has(key)
  }
}

/** `null`: an answer outside a session tells all that it has, and a broker that throttles has not looked. */
export function leftOutOf(
  asked: ReadonlyMap<string, Asked>,
  answer: Pick<FetchAnswer, 'partitions' | 'sessionId' | 'throttleTimeMs'>,
): LeftOut | null {
  const { partitions, sessionId = 0, throttleTimeMs } = answer
  if (sessionId === 0 || throttleTimeMs > 0 || partitions.length === asked.size) return null
  return new LeftOut(asked, answer)
}
