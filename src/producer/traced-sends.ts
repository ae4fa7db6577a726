import type { SendError } from '../errors.js'
import type { Header, OutgoingRecord } from '../message/record.js'
import type { SendSpan, SpanEnd, Tracing } from '../telemetry/tracing.js'
import { recordBound } from '../wire/growing-records.js'
import type { Receipt, ReceiptSink } from './receipt.js'
import { batchOverheadBytes } from './record-size.js'

/** Spans of what one producer sends: one for each send, and one for all records of a `sendMany`. */
export class TracedSends {
  readonly #tracing: Tracing
  readonly #maxRequestBytes: number
  #ended: { readonly span: SendSpan; readonly end: SpanEnd }[] = []

  constructor(tracing: Tracing, maxRequestBytes: number) {
    this.#tracing = tracing
    this.#maxRequestBytes = maxRequestBytes
  }

  /** Who is told of the end of one record, before its span begins. */
  sinkOf(sink: ReceiptSink): TracedSink {
    return new TracedSink(sink, this)
  }

  beginOne(topic: string, record: OutgoingRecord, partition: number | undefined): SendSpan {
    const { key, value, headers } = record
    const isTombstone = value === null && key !== null
    return this.#tracing.send({ topic, count: 1, headers, partition, key, isTombstone })
  }

  beginMany(topic: string, count: number, headers: readonly Header[], partition: number | undefined): SendSpan {
    return this.#tracing.send({ topic, count, headers, partition, key: null, isTombstone: false })
  }

  /** No record is refused for the room that its trace takes. */
  fitted(record: OutgoingRecord, given: readonly Header[]): OutgoingRecord {
    const isTooLarge = recordBound(record) + batchOverheadBytes > this.#maxRequestBytes
    return isTooLarge && record.headers !== given ? { ...record, headers: given } : record
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
class TracedSink implements ReceiptSink {
  readonly #sink: ReceiptSink
  readonly #sends: TracedSends
  /** `null`: it was refused before it began. */
  #span: SendSpan | null = null

  constructor(sink: ReceiptSink, sends: TracedSends) {
    this.#sink = sink
    this.#sends = sends
  }

  /** @returns the record as it goes */
  begin(topic: string, record: OutgoingRecord, partition: number | undefined): OutgoingRecord {
    const span = this.#sends.beginOne(topic, record, partition)
    this.#span = span
    return this.#sends.fitted({ ...record, headers: span.headers }, record.headers)
  }

  stored(slot: number, receipt: Receipt): void {
    if (this.#span !== null) this.#sends.end(this.#span, storedAt(receipt))
    this.#sink.stored(slot, receipt)
  }

  failed(slot: number, error: SendError): void {
    if (this.#span !== null) this.#sends.end(this.#span, { outcome: error.outcome, error })
    this.#sink.failed(slot, error)
  }
}

function storedAt({ partition, offset }: Receipt): SpanEnd {
  return { outcome: 'stored', partition, offset }
}
