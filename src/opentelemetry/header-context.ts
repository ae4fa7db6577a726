import {
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  isValidSpanId,
  isValidTraceId,
  trace,
  type Context,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { tdHeader, textHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import type { Header } from '../message/record.js'

export type Propagator = Pick<TextMapPropagator, 'inject' | 'extract' | 'fields'>

const getter: TextMapGetter<readonly Header[]> = {
  get: (headers, name) => headerText(headers, name),
  keys: (headers) => headers.map(([name]) => name),
}

const setter: TextMapSetter<Header[]> = {
  set(headers, name, value) {
    if (typeof value === 'string' && !headers.some(([known]) => known === name)) headers.push(textHeader(name, value))
  },
}

/** Contexts in headers of records, as a propagator reads and writes them. */
export class HeaderContexts {
  readonly #propagator: Propagator
  #fields: ReadonlySet<string> = new Set()

  constructor(propagator: Propagator) {
    this.#propagator = propagator
  }

  /** The context in these headers on top of `base`, which comes back where there is none. */
  extract(base: Context, headers: readonly Header[]): Context {
    return this.#carries(headers) ? this.#propagator.extract(base, headers, getter) : base
  }

  /**
   * A copy of the headers with this context. What is there of another context goes; a header that its sender wrote and that
   * belongs to none (a baggage of theirs) stays.
   *
   * @param isReplaced whether a context that is to go is there
   */
  inject(context: Context, headers: readonly Header[], isReplaced: boolean): Header[] {
    const stays = ([name]: Header) => !this.#names.has(name) || (name === 'baggage' && !isReplaced)
    const carrier = headers.length === 0 ? [] : headers.filter(stays)
    this.#propagator.inject(context, carrier, setter)
    return carrier
  }

  #carries(headers: readonly Header[]): boolean {
    if (headers.length === 0) return false
    const names = this.#names
    for (const [name] of headers) if (names.has(name)) return true
    return false
  }

  /** A global propagator may be registered late. */
  get #names(): ReadonlySet<string> {
    if (this.#fields.size === 0) this.#fields = new Set(this.#propagator.fields())
    return this.#fields
  }
}

export function spanIn(context: Context): SpanContext | undefined {
  const span = trace.getSpanContext(context)
  return span !== undefined && isSpanContextValid(span) ? span : undefined
}

/** Where a record was sent first, of one that was moved since: names it for whoever reads it later. */
export function originHeader({ traceId, spanId, traceFlags }: SpanContext): Header {
  return textHeader(tdHeader.originTrace, `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`)
}

export function originIn(headers: readonly Header[]): SpanContext | undefined {
  if (headers.length === 0) return undefined
  const [, traceId = '', spanId = '', flags = ''] = (headerText(headers, tdHeader.originTrace) ?? '').split('-')
  if (!isValidTraceId(traceId) || !isValidSpanId(spanId)) return undefined
  return { ...INVALID_SPAN_CONTEXT, traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}
