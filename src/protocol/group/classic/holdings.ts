import { partitionKey, type TopicPartition } from '../../../message/topic-partition.js'
import type { Claims } from './assignors/assignor.js'

/** What a division changes for a member. */
interface Difference {
  readonly added: readonly TopicPartition[]
  /** Ours yet, and not in the division: to be given up. */
  readonly removed: readonly TopicPartition[]
  /** The division heeded claims of ours that are void: the group is to be told. */
  readonly hasVoidClaims: boolean
}

/** The partitions of one member, and what it tells the group's leader of them with its next join. */
export class Holdings implements Claims {
  #now: readonly TopicPartition[] = []
  #last: readonly TopicPartition[] = []
  /** As the group was told with the join. */
  #claimed: readonly TopicPartition[] = []
  #generationId = -1
  #nowGenerationId = -1

  /** Ours. */
  get now(): readonly TopicPartition[] {
    return this.#now
  }

  /** What the last division gave us, whether we hold it yet or not. */
  get last(): readonly TopicPartition[] {
    return this.#last
  }

  /** Who holds nothing has no generation: that of a group which began anew since would be lower, and others' claims old. */
  get nowGenerationId(): number {
    return this.#now.length === 0 ? -1 : this.#nowGenerationId
  }

  /** Of the last division. */
  get generationId(): number {
    return this.#generationId
  }

  /** The group is told what is ours. */
  claim(): void {
    this.#claimed = this.#now
  }

  /** A generation began whose leader knows what is ours, and gives it to nobody else. */
  kept(generationId: number): void {
    this.#nowGenerationId = generationId
  }

  divided(partitions: readonly TopicPartition[], generationId: number): Difference {
    const added = without(partitions, this.#now)
    const removed = without(this.#now, partitions)
    const hasVoidClaims = without(without(this.#claimed, this.#now), partitions).length > 0
    this.#now = [...this.#now, ...added]
    this.#last = partitions
    this.#generationId = generationId
    this.#nowGenerationId = generationId
    return { added, removed, hasVoidClaims }
  }

  gaveUp(partitions: readonly TopicPartition[]): void {
    this.#now = without(this.#now, partitions)
  }

  gaveUpAll(): void {
    this.#now = []
  }
}

function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): readonly TopicPartition[] {
  if (others.length === 0) return partitions
  const keys = new Set(others.map(({ topic, partition }) => partitionKey(topic, partition)))
  return partitions.filter(({ topic, partition }) => !keys.has(partitionKey(topic, partition)))
}
