import type { MessageHeaders } from '../message/message.js'
import type { Random } from '../runtime/random.js'

/** What a partition may be chosen by. */
export interface PartitionInput {
  /** Name of the topic. */
  readonly topic: string
  readonly key: Buffer | null
  readonly headers: MessageHeaders
  /** The value before encoding. */
  readonly value: unknown
  readonly partitionCount: number
  /** Encoded size of the record, for partitioners that fill one partition before the next. */
  readonly sizeBytes: number
  /**
   * Whether a partition has a leader, as far as brokers told. A record of a partition without one waits for it. What must
   * stay together (a key) may not heed it: the answer changes.
   */
  readonly isAvailable: (partition: number) => boolean
}

/** Chooses once per record; state (round robin, stickiness) belongs to one producer. Must return an integer in [0, partitionCount). */
export type ChoosePartition = (input: PartitionInput) => number

/** Chooses partitions: `murmur2()`, `roundRobin()`, `spread(…)`, or one of yours. */
export interface Partitioner {
  readonly name: string
  /** A fresh chooser for one producer and one topic. */
  create(random: Random): ChoosePartition
}
