import type { Random } from '../runtime/random.js'

/** What a partition may be chosen by. */
export interface PartitionInput {
  readonly key: Buffer | null
  /** The value before encoding. */
  readonly value: unknown
  readonly partitionCount: number
  /** Encoded size of the record, for partitioners that fill one partition before the next. */
  readonly sizeBytes: number
}

/** Chooses once per record; state (round robin, stickiness) belongs to one producer. Must return an integer in [0, partitionCount). */
export type ChoosePartition = (input: PartitionInput) => number

export interface Partitioner {
  readonly name: string
  /** A fresh chooser for one producer and one topic. */
  create(random: Random): ChoosePartition
}
