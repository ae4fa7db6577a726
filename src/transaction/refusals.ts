import { SendError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { ofRecordCodes, tooLargeCodes } from '../producer/refusal.js'
import type { HeldRecord } from './held-sends.js'

/** Said of a record itself, or of its topic: the same again would be met at every attempt. */
const ofRecord: ReadonlySet<string> = new Set([
  ...tooLargeCodes,
  ...ofRecordCodes,
  ...['invalid-partition', 'topic-authorization-failed'],
  ...['unsupported-compression-type', 'unsupported-version', 'not-durable'],
])

/** What handlers send for a record; the letter, or the retry, that it becomes instead. */
export type Purpose = 'output' | 'letter' | 'retry'
const purposes: readonly Purpose[] = ['output', 'letter', 'retry']

interface Refusal {
  readonly topic: string
  readonly sizeBytes: number
  readonly error: SendError
}

/**
 * What no transaction takes. A record that a broker refuses aborts all of its transaction, and would abort every one after it;
 * so when the record that it was made of comes again, that one fails alone. What goes to another topic, or is smaller than
 * what was too large, may go. What is refused with a batch in doubt says nothing of its records.
 */
export class Refusals {
  /** By partition, then by offset and purpose. */
  readonly #refusals = new Map<string, Map<string, Refusal>>()

  note(place: TopicPartition, offset: number, purpose: Purpose, held: HeldRecord, error: unknown): void {
    if (!(error instanceof SendError) || error.outcome !== 'not-stored' || !ofRecord.has(error.code)) return
    let ofPlace = this.#refusals.get(nameOf(place))
    if (ofPlace === undefined) this.#refusals.set(nameOf(place), (ofPlace = new Map<string, Refusal>()))
    ofPlace.set(keyOf(offset, purpose), { topic: held.topic.name, sizeBytes: held.sizeBytes, error })
  }

  of(place: TopicPartition, offset: number, purpose: Purpose, held: readonly HeldRecord[]): SendError | undefined {
    if (this.#refusals.size === 0) return undefined
    const refusal = this.#refusals.get(nameOf(place))?.get(keyOf(offset, purpose))
    return refusal !== undefined && held.some((one) => meets(one, refusal)) ? refusal.error : undefined
  }

  /** Its fate is decided. */
  forget(place: TopicPartition, offset: number): void {
    if (this.#refusals.size === 0) return
    const ofPlace = this.#refusals.get(nameOf(place))
    for (const purpose of purposes) ofPlace?.delete(keyOf(offset, purpose))
    if (ofPlace?.size === 0) this.#refusals.delete(nameOf(place))
  }

  /** Somebody has the partition go on anew, so what stood in its way may be mended. */
  forgetAll(place: TopicPartition): void {
    this.#refusals.delete(nameOf(place))
  }
}

function meets(held: HeldRecord, { topic, sizeBytes, error }: Refusal): boolean {
  return held.topic.name === topic && (held.sizeBytes >= sizeBytes || !tooLargeCodes.includes(error.code))
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function keyOf(offset: number, purpose: Purpose): string {
  return `${purpose}@${offset}`
}
