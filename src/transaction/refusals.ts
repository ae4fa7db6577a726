import { SendError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'

/** Said of a record itself, or of its topic: the same again would be met at every attempt. */
const ofRecord: ReadonlySet<string> = new Set([
  ...['record-too-large', 'message-too-large', 'record-list-too-large', 'invalid-record', 'invalid-timestamp'],
  ...['invalid-partition', 'invalid-topic-exception', 'policy-violation', 'topic-authorization-failed'],
  ...['unsupported-for-message-format', 'unsupported-compression-type', 'unsupported-version', 'not-durable'],
])

export type Purpose = 'output' | 'letter'

/**
 * What no transaction takes. A record that a broker refuses aborts all of its transaction, and would abort every one after it;
 * so when the record that it was made of comes again, that one fails alone.
 */
export class Refusals {
  readonly #errors = new Map<string, SendError>()

  note(place: TopicPartition, offset: number, purpose: Purpose, error: unknown): void {
    if (error instanceof SendError && ofRecord.has(error.code)) this.#errors.set(nameOf(place, offset, purpose), error)
  }

  of(place: TopicPartition, offset: number, purpose: Purpose): SendError | undefined {
    return this.#errors.size === 0 ? undefined : this.#errors.get(nameOf(place, offset, purpose))
  }

  /** Its fate is decided. */
  forget(place: TopicPartition, offset: number): void {
    if (this.#errors.size === 0) return
    this.#errors.delete(nameOf(place, offset, 'output'))
    this.#errors.delete(nameOf(place, offset, 'letter'))
  }
}

function nameOf({ topic, partition }: TopicPartition, offset: number, purpose: Purpose): string {
  return `${purpose} of ${topic}-${partition}@${offset}`
}
