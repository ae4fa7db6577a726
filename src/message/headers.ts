import { TidemarkError } from '../errors.js'
import { isUnicode } from '../input/shapes.js'
import type { MessageHeaders } from './message.js'
import { noHeaders, type Header } from './record.js'

/** Headers as a caller writes them: an object, pairs in order (names may repeat), or the headers of a received message. */
export type HeadersInput =
  Readonly<Record<string, string | Buffer | null>> | Iterable<readonly [name: string, value: string | Buffer | null]>

/** Names of the headers this library writes, on sends with an `id`, on dead letters and on delayed retries; more may come. Text is UTF-8, times ISO 8601, numbers decimal. */
export const tdHeader = {
  /** Identity given by the caller; a reader's dedupe window goes by it. */
  id: 'td-id',
  /** Attempts made so far. */
  attempt: 'td-attempt',
  /** Why it is a dead letter: undecodable, invalid, rejected, exhausted or timeout. */
  reason: 'td-reason',
  originTopic: 'td-origin-topic',
  originPartition: 'td-origin-partition',
  originOffset: 'td-origin-offset',
  originTimestamp: 'td-origin-timestamp',
  /** Trace context that it was first sent with, of a record that was moved while it was traced; as `traceparent`. */
  originTrace: 'td-origin-trace',
  /** Consumer group that could not handle it. */
  group: 'td-group',
  errorClass: 'td-error-class',
  errorMessage: 'td-error-message',
  /** With the stacks of its causes and parts; at most 4 KiB. */
  errorStack: 'td-error-stack',
  /** The letter was too large: its value and own headers are left at its origin. Text: value. */
  left: 'td-left',
  /** Where it was read when it was left, beside its origin, if that is another place: topic-partition@offset. */
  leftAt: 'td-left-at',
  /** How often it was redriven. */
  hop: 'td-hop',
  /** Of a redriven record, names the letter it was: the same one twice is a repeat. */
  redriveId: 'td-redrive-id',
  /** Of a record that is to be tried again later: not before this time. */
  notBefore: 'td-not-before',
  /** Names this writing of it; who wrote it knows it again. */
  retryId: 'td-retry-id',
  /** Its offset in the topic that its consumer reads. */
  retryOffset: 'td-retry-offset',
  firstFailedAt: 'td-first-failed-at',
  lastFailedAt: 'td-last-failed-at',
} as const

/** Headers of what is put aside instead of handled, beside those of its origin (`tdHeader`). */
export const degradeHeader = {
  /** `shed` or `divert`. */
  outcome: 'td-degrade-outcome',
  /** Level that was in force, decimal. */
  level: 'td-degrade-level',
} as const

/** What says that and when a record is tried again; elsewhere it means nothing. */
export const retryHeaders: readonly string[] = [tdHeader.notBefore, tdHeader.retryId, tdHeader.retryOffset]

/** One header with UTF-8 text. */
export function textHeader(name: string, text: string): Header {
  return [name, Buffer.from(text, 'utf8')]
}

/** A view over received headers; nothing is decoded before it is asked for. */
export function messageHeaders(pairs: readonly Header[]): MessageHeaders {
  return pairs.length === 0 ? emptyHeaders : new HeadersView(pairs)
}

/** Headers as ordered pairs of bytes. Throws code `invalid-headers` on anything that is not headers. */
export function encodeHeaders(input: HeadersInput): readonly Header[] {
  // A list of this call alone: whoever sees the same list again takes it for the same bytes.
  if (input instanceof HeadersView) return [...input.pairs]
  if (typeof input !== 'object' || input === null || Buffer.isBuffer(input)) throw notHeaders(input)
  if (Symbol.iterator in input) return encodePairs(input as Iterable<readonly [string, string | Buffer | null]>)
  return encodeRecord(input)
}

/** The identity that its sender gave; `undefined` when there is none. */
export function senderId(pairs: readonly Header[]): string | undefined {
  for (let index = pairs.length - 1; index >= 0; index -= 1) {
    const pair = pairs[index]
    if (pair?.[0] === tdHeader.id) return pair[1]?.toString('utf8')
  }
  return undefined
}

/** The time of the record that this one was made from, in ms since the Unix epoch; `undefined` when it tells none. */
export function originTimestamp(pairs: readonly Header[]): number | undefined {
  for (const [name, value] of pairs) {
    if (name !== tdHeader.originTimestamp || value === null) continue
    const text = value.toString('latin1')
    const time = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text)
    return Number.isNaN(time) ? undefined : time
  }
  return undefined
}

class HeadersView implements MessageHeaders {
  readonly pairs: readonly Header[]

  constructor(pairs: readonly Header[]) {
    this.pairs = pairs
  }

  get(name: string): string | undefined {
    return this.bytes(name)?.toString('utf8')
  }

  bytes(name: string): Buffer | null | undefined {
    for (let index = this.pairs.length - 1; index >= 0; index--) {
      const pair = this.pairs[index]
      if (pair !== undefined && pair[0] === name) return pair[1]
    }
    return undefined
  }

  has(name: string): boolean {
    return this.bytes(name) !== undefined
  }

  [Symbol.iterator](): Iterator<Header> {
    return this.pairs[Symbol.iterator]()
  }
}

const emptyHeaders = new HeadersView(noHeaders)

function encodePairs(pairs: Iterable<readonly [string, string | Buffer | null]>): readonly Header[] {
  const headers: Header[] = []
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw invalidHeaders(
        `header ${headers.length} should be a pair [name, value] whose name is a string`,
        'write for example [["source", "sensor-7"]]',
      )
    }
    headers.push(encodeHeader(pair[0], pair[1]))
  }
  return headers.length === 0 ? noHeaders : headers
}

function encodeRecord(record: Readonly<Record<string, unknown>>): readonly Header[] {
  const prototype: unknown = Object.getPrototypeOf(record)
  // A class instance has its data elsewhere: taking its own enumerable fields would send wrong headers, or none, silently.
  if (prototype !== Object.prototype && prototype !== null) throw notHeaders(record)
  const names = Object.keys(record)
  return names.length === 0 ? noHeaders : names.map((name) => encodeHeader(name, record[name]))
}

function encodeHeader(name: string, value: unknown): Header {
  if (!isUnicode(name)) throw halfPair('the name of a header')
  if (typeof value === 'string') {
    if (!isUnicode(value)) throw halfPair(`header "${name}"`)
    return textHeader(name, value)
  }
  if (value === null || Buffer.isBuffer(value)) return [name, value]
  throw invalidHeaders(
    `header "${name}" should be a string, a Buffer or null, but is ${kindOf(value)}`,
    value === undefined ? 'leave it out or write null' : 'write String(value) or Buffer.from(value)',
  )
}

function halfPair(what: string): TidemarkError {
  return invalidHeaders(`${what} has half of a surrogate pair, which has no bytes`, 'give Unicode text, or a Buffer')
}

function notHeaders(input: unknown): TidemarkError {
  return invalidHeaders(
    `headers should be an object or pairs [name, value], but are ${kindOf(input)}`,
    'write for example { source: "sensor-7" }',
  )
}

function invalidHeaders(problem: string, fix: string): TidemarkError {
  return new TidemarkError('invalid-headers', `${problem}; ${fix}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return (value.constructor as { name?: string } | undefined)?.name ?? 'object'
}
