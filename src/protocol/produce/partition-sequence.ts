import type { Stamp } from './identity.js'

/** Who we are to the brokers: an id the cluster gave, and an epoch of it. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** Sequences are 31 bits wide and wrap to 0. */
const sequenceCount = 2 ** 31
const lastEpoch = 32_767
/**
 * From here on an id is given up as soon as a batch is stored, while nothing is in doubt: under a new id no straggler of
 * the old one would be refused. The epochs behind it are for a partition that meets one doubt after the other.
 */
export const lastEpochToStartAt = lastEpoch - 1_000

/**
 * What we believe a broker remembers of our writes to one partition. One batch of the partition is out at a time, so
 * there is one next sequence, and it moves only when that batch is known to be stored.
 *
 * A batch whose fate stays in doubt ends the epoch: the next batch carries the same id, the epoch raised by one, and
 * sequence 0. Once a broker has stored that, it refuses every straggler of the older epoch. The epoch is kept per
 * partition, so the others go on undisturbed, and nobody has to be asked.
 */
export class PartitionSequence {
  #identity: ProducerIdentity | null = null
  #nextSequence = 0

  /** `null` until an id was adopted, and again when it is used up. */
  get identity(): ProducerIdentity | null {
    return this.#identity
  }

  adopt(identity: ProducerIdentity): void {
    this.#identity = identity
    this.#nextSequence = 0
  }

  /** For the batch that goes out next. Taking a stamp uses up nothing: a batch that is certainly not stored gives it back. */
  stamp(): Stamp {
    if (this.#identity === null) throw new Error('a partition without a producer id cannot stamp a batch')
    const { producerId, producerEpoch } = this.#identity
    return { producerId, producerEpoch, baseSequence: this.#nextSequence }
  }

  stored(recordCount: number): void {
    this.#nextSequence = (this.#nextSequence + recordCount) % sequenceCount
    if (this.#identity !== null && this.#identity.producerEpoch > lastEpochToStartAt) this.dropIdentity()
  }

  /** Ends the epoch. When it was the last one of its id, a new id has to be adopted. */
  raiseEpoch(): void {
    if (this.#identity === null) return
    const { producerId, producerEpoch } = this.#identity
    this.#identity = producerEpoch < lastEpoch ? { producerId, producerEpoch: producerEpoch + 1 } : null
    this.#nextSequence = 0
  }

  dropIdentity(): void {
    this.#identity = null
  }
}
