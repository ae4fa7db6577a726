import { ROOT_CONTEXT, type Context, type Link, type SpanContext } from '@opentelemetry/api'
import type { Header, ReceivedRecord } from '../message/record.js'
import { originIn, spanIn, type HeaderContexts } from './header-context.js'

/** As many as an SDK keeps, unless it is told otherwise. */
const mostLinks = 128

/** Where the records of one delivery come from. */
export interface Origins {
  readonly parent: Context
  readonly links: Link[]
}

export function originsOf(contexts: HeaderContexts, records: ReceivedRecord | readonly ReceivedRecord[]): Origins {
  if (!Array.isArray(records)) return ofOne(contexts, records as ReceivedRecord)
  const [first] = records as readonly ReceivedRecord[]
  return records.length === 1 ? ofOne(contexts, first as ReceivedRecord) : ofSeveral(contexts, records)
}

function ofOne(contexts: HeaderContexts, { headers }: ReceivedRecord): Origins {
  const parent = contexts.extract(ROOT_CONTEXT, headers)
  const origin = originIn(headers)
  const isParent = origin === undefined || origin.spanId === spanIn(parent)?.spanId
  return { parent, links: isParent ? [] : [{ context: origin }] }
}

/** A span has one parent: records of several contexts have none in common. */
function ofSeveral(contexts: HeaderContexts, records: readonly ReceivedRecord[]): Origins {
  const spans = new Map<string, SpanContext>()
  let parent: Context = ROOT_CONTEXT
  let isOfOne = true
  let before: readonly Header[] | null = null
  for (const { headers } of records) {
    if (before !== null && sayTheSame(before, headers)) continue
    before = headers
    const context = contexts.extract(ROOT_CONTEXT, headers)
    const span = spanIn(context)
    if (span === undefined) isOfOne = false
    else spans.set(`${span.traceId}${span.spanId}`, span)
    if (spans.size === mostLinks) break
    parent = context
  }
  if (isOfOne && spans.size === 1) return { parent, links: [] }
  return { parent: ROOT_CONTEXT, links: [...spans.values()].map((context) => ({ context })) }
}

/** Records of one `sendMany` follow each other, and reading a context takes longer than comparing its bytes. */
function sayTheSame(one: readonly Header[], other: readonly Header[]): boolean {
  if (one.length !== other.length) return false
  for (const [index, [name, value]] of one.entries()) {
    const [otherName, otherValue] = other[index] as Header
    if (name !== otherName || !isEqual(value, otherValue)) return false
  }
  return true
}

function isEqual(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}
