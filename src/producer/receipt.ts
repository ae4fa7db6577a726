import type { SendError } from '../errors.js'
import { toldToCaller, type Caller } from './caller.js'

/** Where a record was stored. */
export interface Receipt {
  readonly topic: string
  readonly partition: number
  /**
   * `null` when it is stored but the broker did not tell where: with acks=0, and when it knew the batch only as a repeat
   * of one whose answer was lost.
   */
  readonly offset: number | null
  /** Milliseconds since the Unix epoch, as stored: the broker's time when the topic uses LogAppendTime. */
  readonly timestamp: number
}

/** Who is told how a record's send ended; `slot` is the number the record was given with. Called exactly once a record. */
export interface ReceiptSink {
  stored(slot: number, receipt: Receipt): void
  failed(slot: number, error: SendError): void
  /** The record came to another place. Missing: nobody will want it back. */
  joined?(slot: number, place: RecordPlace): void
}

/**
 * What became of a record that was taken back: `left`, it is sent nowhere; `leaving`, its outcome comes soon; `sent`, the
 * broker may have it.
 */
export type TakenBack = 'left' | 'leaving' | 'sent'

/** Where a record waits. */
export interface RecordPlace {
  takeBack(): TakenBack
}

/** Counts of records whose send failed, shared by all sends of one producer. */
export interface FailureCounts {
  notStored: number
  unknown: number
}

export function countFailure(counts: FailureCounts, error: SendError): void {
  if (error.outcome === 'unknown') counts.unknown += 1
  else counts.notStored += 1
}

/** Told of the end of one record, before its promise. */
export interface EndWatch {
  stored(receipt: Receipt): void
  failed(error: SendError): void
}

/** The promise of one send. */
export class SingleSend implements ReceiptSink {
  readonly promise: Promise<Receipt>
  /** `null`: nobody asked, as it was refused before, or nothing is told of it. */
  watch: EndWatch | null = null
  readonly #failures: FailureCounts
  readonly #caller: Caller | null
  #resolve!: (receipt: Receipt) => void
  #reject!: (error: SendError) => void

  constructor(failures: FailureCounts, caller: Caller | null) {
    this.#failures = failures
    this.#caller = caller
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  stored(_slot: number, receipt: Receipt): void {
    this.watch?.stored(receipt)
    this.#resolve(receipt)
  }

  failed(_slot: number, error: SendError): void {
    countFailure(this.#failures, error)
    this.watch?.failed(error)
    this.#reject(this.#caller === null ? error : toldToCaller(error, this.#caller))
  }
}
