import type { Connection } from '../../connection/connection.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { LeaderHint, PartitionMetadata } from '../../connection/requests/metadata.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'

/** Whom a broker that does not lead a partition named as its leader. */
export interface HintedLeader extends TopicPartition, LeaderHint {}

/** Metadata answers that may contradict a hint before it is given up: one of them may come from a broker that lags. */
const mostContradictions = 2

interface Hint extends LeaderHint {
  readonly topicId: string | null
  contradictions: number
}

/**
 * Leaders that were told by the way, in answers to other requests. They stand before what metadata told, and only for a
 * while: a broker that lags may speak of a former topic of the name, whose epochs were higher than those of the present one.
 *
 * | of a hinted partition comes             | then                                                |
 * |-----------------------------------------|-----------------------------------------------------|
 * | a hint of no higher epoch than is known | it is ignored                                       |
 * | a hint of a higher epoch                | that leader is the one to ask                       |
 * | metadata with the epoch of the hint, or a higher one | the hint is forgotten                  |
 * | metadata with another topic id          | the hint is forgotten                               |
 * | metadata with a lower epoch             | the second time the hint is forgotten               |
 */
export class LeaderHints {
  readonly #hints = new Map<string, Hint>()

  /** True when this is news. `known` as by `over`. */
  take({ topic, partition, leader, leaderEpoch }: HintedLeader, topicId: string | null, known: LeaderHint): boolean {
    if (leaderEpoch <= known.leaderEpoch) return false
    this.#hints.set(partitionKey(topic, partition), { topicId, leader, leaderEpoch, contradictions: 0 })
    return true
  }

  /** What metadata told, with what was hinted since. */
  over(topic: string, known: PartitionMetadata): PartitionMetadata {
    if (this.#hints.size === 0) return known
    const hint = this.#hints.get(partitionKey(topic, known.partition))
    return hint === undefined ? known : { ...known, leader: hint.leader, leaderEpoch: hint.leaderEpoch }
  }

  /** Is one of them not confirmed by metadata yet? */
  concern(topic: string, partitions: readonly PartitionMetadata[]): boolean {
    return this.#hints.size > 0 && partitions.some(({ partition }) => this.#hints.has(partitionKey(topic, partition)))
  }

  metadataTold(topic: string, topicId: string | null, partitions: readonly PartitionMetadata[]): void {
    if (this.#hints.size === 0) return
    for (const { partition, leaderEpoch } of partitions) {
      const key = partitionKey(topic, partition)
      const hint = this.#hints.get(key)
      if (hint === undefined) continue
      if (leaderEpoch < hint.leaderEpoch) hint.contradictions += 1
      const isOver = leaderEpoch >= hint.leaderEpoch || hint.contradictions >= mostContradictions
      if (isOver || hint.topicId !== topicId) this.#hints.delete(key)
    }
  }
}

/** The same connection, which tells what answers say by the way of leaders, before whoever asked hears of the answer. */
export function withLeaderHints(connection: Connection, hinted: (hints: readonly HintedLeader[]) => void): Connection {
  return {
    request(node, lane, request, deadline, signal, onTaken) {
      const answer = connection.request(node, lane, request, deadline, signal, onTaken)
      if (request.api === 'produce' || request.api === 'fetch') {
        const take = (told: unknown) => {
          const hints = hintsIn(told as AnswerTo<Extract<Request, { api: 'produce' | 'fetch' }>>)
          if (hints.length > 0) hinted(hints)
        }
        // A failure, and an answer that is none, are met by whoever asked.
        answer.then(take).catch(() => undefined)
      }
      return answer
    },
    lastSign: (node, lane) => connection.lastSign(node, lane),
    close: () => connection.close(),
  }
}

const none: readonly HintedLeader[] = []

function hintsIn({ partitions }: AnswerTo<Extract<Request, { api: 'produce' | 'fetch' }>>): readonly HintedLeader[] {
  let hints: HintedLeader[] | null = null
  for (const { topic, partition, currentLeader } of partitions) {
    if (currentLeader !== undefined) (hints ??= []).push({ topic, partition, ...currentLeader })
  }
  return hints ?? none
}
