import {
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  isValidSpanId,
  isValidTraceId,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { tdHeader, textHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import type { Header } from '../message/record.js'
import { ContextOfHeaders } from './context-of-headers.js'
import { besideTraceParent, isUnsampledParent, traceParent } from './trace-parent.js'

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

/** Small buffers lie together in blocks of so much at most. */
const blockBytes = 16_384

/** Its bytes are no part of something large. */
function isOwn([, value]: Header): boolean {
  return value === null || value.buffer.byteLength <= blockBytes
}

function ownBytes(header: Header): Header {
  const [name, value] = header
  return value === null || isOwn(header) ? header : [name, Buffer.from(value)]
}

/** Contexts in headers of records, as a propagator reads and writes them. */
export class HeaderContexts {
  readonly #propagator: Propagator
  #fields: ReadonlySet<string> = new Set()
  /** It is among them. Asked of every record. */
  #hasTraceParent = false
  /** What goes with a record without headers of its own that is sent in a context. */
  readonly #carriers = new WeakMap<Context, readonly Header[]>()

  constructor(propagator: Propagator) {
    this.#propagator = propagator
  }

  /** The context in these headers on top of `base`, which comes back where there is none. */
  extract(base: Context, headers: readonly Header[]): Context {
    return this.carry(headers) ? this.#propagator.extract(base, headers, getter) : base
  }

  /**
   * The same on top of none, read when somebody asks for what is in it. What a handler leaves behind may keep it for ever, so
   * its bytes are its own and not a part of all that was fetched.
   */
  extractLater(headers: readonly Header[]): Context {
    const [first] = headers
    if (headers.length === 1 && first !== undefined && isOwn(first)) return new ContextOfHeaders(this, headers)
    const own = headers.filter(([name]) => this.#names.has(name))
    return new ContextOfHeaders(this, own.map(ownBytes))
  }

  /** As `extract` on top of none. */
  read(headers: readonly Header[]): Context {
    return this.extract(ROOT_CONTEXT, headers)
  }

  /** The `traceparent` of these headers, if it alone tells their context and that is of a trace that is not sampled. */
  unsampledIn(headers: readonly Header[]): Buffer | null {
    const names = this.#names
    let parent: Buffer | null = null
    for (const [name, value] of headers) {
      if (name === traceParent && this.#hasTraceParent) parent = value
      else if (!besideTraceParent.has(name) && names.has(name)) return null
    }
    return parent !== null && isUnsampledParent(parent) ? parent : null
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

  /** As `inject` on no headers; the same array again for the same context. */
  carrierOf(context: Context): readonly Header[] {
    let carrier = this.#carriers.get(context)
    if (carrier === undefined) this.#carriers.set(context, (carrier = this.inject(context, [], false)))
    return carrier
  }

  /** Whether there is a header in which a context may be. */
  carry(headers: readonly Header[]): boolean {
    if (headers.length === 0) return false
    const names = this.#names
    for (const [name] of headers) if (names.has(name)) return true
    return false
  }

  /** A global propagator may be registered late. */
  get #names(): ReadonlySet<string> {
    if (this.#fields.size === 0) {
      this.#fields = new Set(this.#propagator.fields())
      this.#hasTraceParent = this.#fields.has(traceParent)
    }
    return this.#fields
  }
}

/** Of a trace that is. */
export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0
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
  const text = headerText(headers, tdHeader.originTrace)
  if (text === undefined) return undefined
  const [, traceId = '', spanId = '', flags = ''] = text.split('-')
  if (!isValidTraceId(traceId) || !isValidSpanId(spanId)) return undefined
  return { ...INVALID_SPAN_CONTEXT, traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}
