import { SendError, TidemarkError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { came } from '../input/came.js'
import { timeLimit } from '../input/option-rules.js'
import { isUnicode } from '../input/shapes.js'
import { encodeHeaders, tdHeader, textHeader, type HeadersInput } from '../message/headers.js'
import { noHeaders, type Header, type OutgoingRecord } from '../message/record.js'
import { keyBySerde, keyBytes, type Key } from '../topic/key.js'
import { isPatternTopic } from '../topic/topic-pattern.js'
import type { Topic } from '../topic/topic.js'
import { givenUpError, type SendLimitOptions } from './send-limit.js'

/** What a single send may say about its record. */
export interface SendOptions extends SendLimitOptions {
  /**
   * Instead of the topic's own key: text as UTF-8, numbers as decimal text, or both as its `keySerde` writes them; bytes as they
   * are (`message.key`, `topic.keySerde.encode(…)`), `null` for none.
   */
  readonly key?: Key | null | undefined
  /** In order; names may repeat when given as pairs. */
  readonly headers?: HeadersInput | undefined
  /** Instead of the topic's partitioner: an integer from 0 below the partition count. */
  readonly partition?: number | undefined
  /** Milliseconds since the Unix epoch. Default: now. */
  readonly timestamp?: number | undefined
  /** Identity by which a reader de-duplicates; travels in the header `td-id`. */
  readonly id?: string | undefined
}

/** Beyond it differences between timestamps cannot be written exactly; a calendar ends before it. */
const latestTimestamp = 2 ** 51

/** Can this be the time of a record? */
function isTimestamp(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= latestTimestamp
}

export const noSendOptions: SendOptions = Object.freeze({})

/** What the options of one call say: read once, so that all of its records go with the same. */
export interface TakenOptions {
  /** `undefined`: the topic's own key. */
  readonly key: Buffer | null | undefined
  readonly headers: readonly Header[]
  readonly partition: number | undefined
  readonly timestamp: number | undefined
  /** `null`: none but the producer's own. */
  readonly limit: SendLimitOptions | null
}

const nothingSaid: TakenOptions = Object.freeze({
  key: undefined,
  headers: noHeaders,
  partition: undefined,
  timestamp: undefined,
  limit: null,
})

/** Throws `SendError` `not-stored` on whatever cannot be sent. */
export function takeOptions(topic: Topic, options: SendOptions): TakenOptions {
  if (typeof topic?.keyOf !== 'function' || isPatternTopic(topic)) throw noTopic(topic)
  if (options === noSendOptions) return nothingSaid
  const { key, headers, partition, timestamp, id, timeoutMs, signal } = options
  return {
    key: key === undefined ? undefined : encodeKey(topic, key),
    headers: headers === undefined && id === undefined ? noHeaders : headersOf(topic, headers, id),
    partition,
    timestamp: timestamp === undefined ? undefined : checkTimestamp(topic, timestamp),
    limit: timeoutMs === undefined && signal === undefined ? null : checkLimit(topic, timeoutMs, signal),
  }
}

function noTopic(given: Partial<Topic> | null | undefined): SendError {
  const what = Array.isArray(given) ? 'a list' : typeof given
  const problem =
    typeof given?.name === 'string' && isPatternTopic({ ...given, name: given.name })
      ? `the pattern ${given.name} is not a topic to send to; give what defineTopic returned, or what the pattern's named('…') gives`
      : `${what} is not a topic; give what defineTopic returned`
  return new SendError('invalid-topic', 'not-stored', problem)
}

/**
 * Value and key as bytes, some of them perhaps the caller's own. Throws `SendError` `not-stored` on whatever cannot be sent.
 * @param now wall time, for a record that is given no timestamp.
 */
export function encodeRecord<Value>(
  topic: Topic<Value>,
  value: Value,
  options: TakenOptions,
  now: number,
): OutgoingRecord {
  return {
    key: options.key === undefined ? encodeTopicKey(topic, value) : options.key,
    value: encodeValue(topic, value),
    headers: options.headers,
    timestamp: options.timestamp ?? checkTimestamp(topic, now),
  }
}

/** The record with bytes of its own: it has to wait, and its caller may use theirs again. */
export function withOwnBytes({ key, value, headers, timestamp }: OutgoingRecord): OutgoingRecord {
  return {
    key: copyOf(key),
    value: copyOf(value),
    headers: headers.length === 0 ? noHeaders : headers.map(([name, bytes]) => [name, copyOf(bytes)] as const),
    timestamp,
  }
}

function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}

/** What was given may throw when it is looked at: a getter, a proxy. That is a bad input like any other. */
export function badInput(call: string, topic: Pick<Topic, 'name'> | null | undefined, cause: unknown): SendError {
  if (cause instanceof SendError) return cause
  const kind = cause instanceof Error ? cause.constructor.name : typeof cause
  const name = typeof topic?.name === 'string' ? topic.name : undefined
  const message = `what a ${call} to ${name ?? 'a topic'} was given threw ${kind} when it was read (see cause)`
  return refuse('invalid-options', name, message, cause)
}

export function refuse(code: string, topic: string | undefined, message: string, cause?: unknown): SendError {
  return new SendError(code, 'not-stored', message, { topic, cause })
}

function encodeValue<Value>(topic: Topic<Value>, value: Value): Buffer | null {
  let bytes: unknown
  try {
    bytes = topic.value.encode(value)
  } catch (cause) {
    throw refuse('invalid-value', topic.name, `a value for topic ${topic.name}: ${cannotBe('encoded', cause)}`, cause)
  }
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes
  if (isPromised(bytes)) {
    throw refuse(
      'invalid-value',
      topic.name,
      `serde ${topic.value.name} of topic ${topic.name} answers with a promise, but encode must return at once; do what takes time before the send`,
    )
  }
  throw refuse(
    'invalid-value',
    topic.name,
    `serde ${topic.value.name} of topic ${topic.name} made ${typeof bytes} of a value; encode must return a Buffer or null`,
  )
}

function encodeTopicKey<Value>(topic: Topic<Value>, value: Value): Buffer | null {
  try {
    return topic.keyOf(value)
  } catch (cause) {
    throw refuse(
      'invalid-key',
      topic.name,
      `no key for a value of topic ${topic.name}: ${cannotBe('read', cause)}`,
      cause,
    )
  }
}

function encodeKey(topic: Topic, key: unknown): Buffer | null {
  if (key === null) return null
  try {
    const { keySerde } = topic
    if (keySerde === undefined || key instanceof Uint8Array) return keyBytes(key, 'the key option')
    return keyBySerde(keySerde, key, 'the key option')
  } catch (cause) {
    throw refuse('invalid-key', topic.name, `a send to ${topic.name}: ${cannotBe('used', cause)}`, cause)
  }
}

function headersOf(topic: Topic, headers: HeadersInput | undefined, id: string | undefined): readonly Header[] {
  let pairs: readonly Header[] = noHeaders
  try {
    if (headers !== undefined) pairs = encodeHeaders(headers)
  } catch (cause) {
    throw refuse('invalid-headers', topic.name, `headers of a send to ${topic.name}: ${cannotBe('used', cause)}`, cause)
  }
  if (id === undefined) return pairs
  if (typeof id !== 'string' || id === '' || !isUnicode(id)) {
    throw refuse(
      'invalid-id',
      topic.name,
      `the id option of a send to ${topic.name} is not text; give a non-empty string of Unicode`,
    )
  }
  return [...pairs, textHeader(tdHeader.id, id)]
}

function checkTimestamp(topic: Pick<Topic, 'name'>, timestamp: unknown): number {
  if (isTimestamp(timestamp)) return timestamp
  throw refuse(
    'invalid-timestamp',
    topic.name,
    `the timestamp of a send to ${topic.name} is ${typeof timestamp === 'number' ? timestamp : typeof timestamp}; give milliseconds since 1970 as an integer from 0 to 2^51`,
  )
}

function checkLimit({ name }: Topic, timeoutMs: unknown, signal: unknown): SendLimitOptions {
  if (timeoutMs !== undefined && !timeLimit.accepts(timeoutMs)) {
    const message = `the timeoutMs of a send to ${name} ${came(timeoutMs)}; give ${timeLimit.expected}`
    throw refuse('invalid-options', name, message)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw refuse('invalid-options', name, `the signal of a send to ${name} ${came(signal)}; give an AbortSignal`)
  }
  if (signal?.aborted) throw givenUpError(name, { reason: signal.reason }, 'not-stored')
  return { timeoutMs: timeoutMs as number | undefined, signal }
}

/** Our own errors never show content; other people's may, so only their class is told and the rest is in `cause`. */
function cannotBe(done: string, cause: unknown): string {
  if (cause instanceof TidemarkError) return cause.message
  return `cannot be ${done}: ${cause instanceof Error ? cause.constructor.name : typeof cause} (see cause)`
}
