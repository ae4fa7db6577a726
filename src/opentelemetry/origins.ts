import { ROOT_CONTEXT, type Context, type Link, type SpanContext } from '@opentelemetry/api'
import type { Header, ReceivedRecord } from '../message/record.js'
import { isSampled, originIn, spanIn, type HeaderContexts } from './header-context.js'

/** As many as an SDK keeps, unless it is told otherwise. */
const mostLinks = 128

/** Where the records of one delivery come from. */
export interface Origins {
  readonly parent: Context
  /** The parent is of a trace that is not sampled. */
  readonly isUnsampled: boolean
  readonly links: readonly Link[]
  /** What is linked too where somebody sees it: headers with contexts of traces that are not sampled. */
  readonly unsampled: readonly (readonly Header[])[]
}

export function originsOf(contexts: HeaderContexts, records: ReceivedRecord | readonly ReceivedRecord[]): Origins {
  if (!Array.isArray(records)) return ofOne(contexts, records as ReceivedRecord)
  const [first] = records as readonly ReceivedRecord[]
  return records.length === 1 ? ofOne(contexts, first as ReceivedRecord) : ofSeveral(contexts, records)
}

function ofOne(contexts: HeaderContexts, { headers }: ReceivedRecord): Origins {
  const origin = originIn(headers)
  if (origin === undefined && contexts.unsampledIn(headers) !== null) return ofUnsampled(contexts, headers)
  const parent = contexts.extract(ROOT_CONTEXT, headers)
  const span = spanIn(parent)
  const isParent = origin === undefined || origin.spanId === span?.spanId
  const isUnsampled = span !== undefined && !isSampled(span)
  return { parent, isUnsampled, links: isParent ? [] : [{ context: origin }], unsampled: [] }
}

const none: readonly never[] = []

function ofUnsampled(contexts: HeaderContexts, headers: readonly Header[]): Origins {
  return { parent: contexts.extractLater(headers), isUnsampled: true, links: none, unsampled: none }
}

/** A span has one parent: records of several contexts have none in common. */
function ofSeveral(contexts: HeaderContexts, records: readonly ReceivedRecord[]): Origins {
  const spans = new Map<string, SpanContext>()
  const unsampled = new Map<string, readonly Header[]>()
  let parent: Context = ROOT_CONTEXT
  let isOfOne = true
  let before: readonly Header[] | null = null
  for (const { headers } of records) {
    if (before !== null && sayTheSame(before, headers)) continue
    before = headers
    const text = contexts.unsampledIn(headers)
    if (text !== null) unsampled.set(text.toString('latin1'), headers)
    else {
      const context = contexts.extract(ROOT_CONTEXT, headers)
      const span = spanIn(context)
      if (span === undefined) isOfOne = false
      else spans.set(`${span.traceId}${span.spanId}`, span)
      parent = context
    }
    if (spans.size + unsampled.size === mostLinks) break
  }
  const [onlySpan] = spans.values()
  const [onlyUnsampled] = unsampled.values()
  if (isOfOne && spans.size + unsampled.size === 1) {
    if (onlyUnsampled !== undefined) return ofUnsampled(contexts, onlyUnsampled)
    return { parent, isUnsampled: onlySpan !== undefined && !isSampled(onlySpan), links: [], unsampled: [] }
  }
  const links = [...spans.values()].map((context) => ({ context }))
  return { parent: ROOT_CONTEXT, isUnsampled: false, links, unsampled: [...unsampled.values()] }
}

/** Records of one `sendMany` follow each other, and reading a context takes longer than comparing its bytes. */
function sayTheSame(one: readonly Header[], other: readonly Header[]): boolean {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index += 1) {
    const [name, value] = one[index] as Header
    const [otherName, otherValue] = other[index] as Header
    if (name !== otherName || !isEqual(value, otherValue)) return false
  }
  return true
}

function isEqual(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}
