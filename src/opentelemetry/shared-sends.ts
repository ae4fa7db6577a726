import type { Span as ApiSpan } from '@opentelemetry/api'
import type { Header } from '../message/record.js'
import type { SendSpan, SpanEnd } from '../telemetry/tracing.js'
import { attribute } from './attributes.js'
import { EndedOnce } from './spans.js'

/** As many as a span of a batch is linked to at most. */
const mostRecords = 128

/** Of what ended, the worst is told. */
const worse = ['stored', 'not-stored', 'unknown']

/**
 * One span of sends to one topic that begin a trace, without a pause between them: to ask for one costs more than to send a
 * record.
 *
 * | the span | takes up sends | ends |
 * |----------|----------------|------|
 * | open     | until the task is over that began it, 128 at most | – |
 * | closed   | no more        | with the last of them |
 */
export class SharedSends {
  readonly #span: ApiSpan
  /** What goes with a record that has no headers of its own. */
  readonly #carrier: readonly Header[]
  readonly #isRecorded: boolean
  /** Nobody sees it, so one will do for all. */
  readonly #unseen: SendSpan
  #records = 0
  #unended = 0
  #isOpen = true
  #end: SpanEnd | null = null

  constructor(span: ApiSpan, carrier: readonly Header[]) {
    this.#span = span
    this.#carrier = carrier
    this.#isRecorded = span.isRecording()
    this.#unseen = unseenSend(carrier)
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#records < mostRecords
  }

  /** @param headers in which there is no context */
  add(headers: readonly Header[]): SendSpan {
    this.#records += 1
    if (!this.#isRecorded) return headers.length === 0 ? this.#unseen : unseenSend([...headers, ...this.#carrier])
    this.#unended += 1
    const whole = headers.length === 0 ? this.#carrier : [...headers, ...this.#carrier]
    return { headers: whole, end: (end) => this.#ended(end) }
  }

  close(): void {
    this.#isOpen = false
    this.#endIfAll()
  }

  #ended(end: SpanEnd): void {
    this.#unended -= 1
    if (this.#end === null || worse.indexOf(end.outcome) > worse.indexOf(this.#end.outcome)) this.#end = end
    this.#endIfAll()
  }

  #endIfAll(): void {
    if (this.isOpen || this.#unended > 0 || this.#end === null) return
    const { outcome, error } = this.#end
    if (this.#records > 1) this.#span.setAttribute(attribute.batchCount, this.#records)
    new EndedOnce(this.#span).end(this.#records > 1 ? { outcome, error } : this.#end)
    this.#end = null
  }
}

const nothing = () => undefined

/** A send of which no span is made, or one that nobody will see. */
export function unseenSend(headers: readonly Header[]): SendSpan {
  return { headers, isRecorded: false, end: nothing }
}
