import { brokerCode } from '../../../connection/broker-error.js'

/** A stored batch, as far as telling repeats needs it. */
export interface LedgerBatch {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
}

interface ProducerState {
  epoch: number
  /** Latest last; never empty but right after a transaction marker raised the epoch. */
  batches: RememberedBatch[]
}

export type SequenceVerdict =
  | { readonly verdict: 'append' }
  | { readonly verdict: 'duplicate'; readonly baseOffset: number }
  | { readonly verdict: 'refuse'; readonly errorCode: number }

const rememberedBatches = 5
const sequenceModulus = 2 ** 31
const append: SequenceVerdict = { verdict: 'append' }

/** What one partition's leader knows of each idempotent producer: its epoch and its last five batches. */
export class ProducerLedger {
  readonly #producers = new Map<number, ProducerState>()

  /**
   * The rules, first that applies:
   * 1. same epoch and the exact first and last sequence of a remembered batch: a repeat, stored already;
   * 2. an older epoch: INVALID_PRODUCER_EPOCH;
   * 3. nothing known of the producer (new log, or its state expired): any sequence starts it, but with transactions whose
   *    end raises the epoch only 0 does, since each begins there;
   * 4. a newer epoch starts at 0, else OUT_OF_ORDER_SEQUENCE_NUMBER;
   * 5. the same epoch continues with the next sequence (0 after 2^31 - 1), else OUT_OF_ORDER_SEQUENCE_NUMBER.
   */
  judge(batch: LedgerBatch, beginsAtZero = false): SequenceVerdict {
    const state = this.#producers.get(batch.producerId)
    if (state === undefined) {
      const begins = !beginsAtZero || batch.baseSequence === 0
      return begins ? append : refuse(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    }
    if (batch.producerEpoch === state.epoch) {
      const last = lastSequenceOf(batch)
      const repeat = state.batches.find(
        (stored) => stored.firstSequence === batch.baseSequence && stored.lastSequence === last,
      )
      if (repeat !== undefined) return { verdict: 'duplicate', baseOffset: repeat.baseOffset }
    }
    if (batch.producerEpoch < state.epoch) return refuse(brokerCode.INVALID_PRODUCER_EPOCH)
    const expected = batch.producerEpoch > state.epoch ? 0 : nextSequence(state)
    return batch.baseSequence === expected ? append : refuse(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  }

  /** The sequence with which a batch of the producer's present epoch continues; 0 when nothing is known of it. */
  nextSequenceOf(producerId: number): number {
    const state = this.#producers.get(producerId)
    return state === undefined ? 0 : nextSequence(state)
  }

  /** -1 when nothing is known of the producer. */
  epochOf(producerId: number): number {
    return this.#producers.get(producerId)?.epoch ?? -1
  }

  /** Every producer that is known, with the sequence of its last record; -1 before its first in this epoch. */
  producers(): readonly {
    readonly producerId: number
    readonly producerEpoch: number
    readonly lastSequence: number
  }[] {
    return [...this.#producers].map(([producerId, { epoch, batches }]) => ({
      producerId,
      producerEpoch: epoch,
      lastSequence: batches.at(-1)?.lastSequence ?? -1,
    }))
  }

  /** Takes in a batch that was appended. */
  note(batch: LedgerBatch, baseOffset: number): void {
    const state = this.#stateOf(batch.producerId, batch.producerEpoch)
    if (state.batches.length === rememberedBatches) state.batches.shift()
    state.batches.push({ firstSequence: batch.baseSequence, lastSequence: lastSequenceOf(batch), baseOffset })
  }

  /** Takes in a transaction marker: it carries an epoch and no sequence. */
  noteMarker(producerId: number, producerEpoch: number): void {
    this.#stateOf(producerId, producerEpoch)
  }

  clear(): void {
    this.#producers.clear()
  }

  #stateOf(producerId: number, epoch: number): ProducerState {
    let state = this.#producers.get(producerId)
    if (state === undefined) {
      state = { epoch, batches: [] }
      this.#producers.set(producerId, state)
    } else if (state.epoch !== epoch) {
      state.epoch = epoch
      state.batches = []
    }
    return state
  }
}

function lastSequenceOf(batch: LedgerBatch): number {
  return (batch.baseSequence + batch.recordCount - 1) % sequenceModulus
}

function nextSequence(state: ProducerState): number {
  const last = state.batches.at(-1)
  return last === undefined ? 0 : (last.lastSequence + 1) % sequenceModulus
}

function refuse(errorCode: number): SequenceVerdict {
  return { verdict: 'refuse', errorCode }
}
