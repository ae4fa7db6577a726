import type { SendError } from '../errors.js'
import type { Header, OutgoingRecord } from '../message/record.js'
import type { SendSpan, SpanEnd, Tracing } from '../telemetry/tracing.js'
import { recordBound } from '../wire/growing-records.js'
import type { EndWatch, Receipt, SingleSend } from './receipt.js'
import { batchOverheadBytes } from './record-size.js'

/** Spans of what one producer sends: one for each send, and one for all records of a `sendMany`. */
export class TracedSends {
  readonly #tracing: Tracing
  readonly #maxRequestBytes: number
  #bounded: readonly Header[] | null = null
  #bound = 0
  #ended: { readonly span: SendSpan; readonly end: SpanEnd }[] = []

  constructor(tracing: Tracing, maxRequestBytes: number) {
    this.#tracing = tracing
    this.#maxRequestBytes = maxRequestBytes
  }

  /** @returns the record as it goes */
  beginOne(topic: string, record: OutgoingRecord, partition: number | undefined, sending: SingleSend): OutgoingRecord {
    const { key, value, headers } = record
    const isTombstone = value === null && key !== null
    const span = this.#tracing.send({ topic, count: 1, headers, partition, key, isTombstone })
    if (span.isRecorded !== false) sending.watch = new SpanOfOne(span, this)
    return this.withTrace(record, span.headers)
  }

  beginMany(topic: string, count: number, headers: readonly Header[], partition: number | undefined): SendSpan {
    return this.#tracing.send({ topic, count, headers, partition, key: null, isTombstone: false })
  }

  /** The record with these headers, unless it would be refused for the room that its trace takes. */
  withTrace(record: OutgoingRecord, headers: readonly Header[]): OutgoingRecord {
    if (headers === record.headers) return record
    const { key, value, timestamp } = record
    const bytes = this.#boundWithout(headers) + (key?.length ?? 0) + (value?.length ?? 0)
    return bytes + batchOverheadBytes > this.#maxRequestBytes ? record : { key, value, headers, timestamp }
  }

  /** Of a record without key and value. Many follow each other with the same headers. */
  #boundWithout(headers: readonly Header[]): number {
    if (headers !== this.#bounded) {
      this.#bounded = headers
      this.#bound = recordBound({ key: null, value: null, headers, timestamp: 0 })
    }
    return this.#bound
  }

  /** A little later: a tracer is foreign code, and its record may end in the middle of a change. */
  end(span: SendSpan, end: SpanEnd): void {
    this.#ended.push({ span, end })
    if (this.#ended.length === 1) queueMicrotask(this.#tell)
  }

  readonly #tell = (): void => {
    const all = this.#ended
    this.#ended = []
    for (const { span, end } of all) span.end(end)
  }
}

/** Ends the span of one record with it. */
class SpanOfOne implements EndWatch {
  readonly #span: SendSpan
  readonly #sends: TracedSends

  constructor(span: SendSpan, sends: TracedSends) {
    this.#span = span
    this.#sends = sends
  }

  stored(receipt: Receipt): void {
    this.#sends.end(this.#span, storedAt(receipt))
  }

  failed(error: SendError): void {
    this.#sends.end(this.#span, { outcome: error.outcome, error })
  }
}

function storedAt({ partition, offset }: Receipt): SpanEnd {
  return { outcome: 'stored', partition, offset }
}
