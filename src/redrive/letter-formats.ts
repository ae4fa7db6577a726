import { degradeHeader, originTimestamp, tdHeader } from '../message/headers.js'
import type { Header } from '../message/record.js'

/** Who wrote a dead letter, by its headers. More may come. */
export type LetterWriter = 'tidemark' | 'spring' | 'connect' | 'streams' | 'share-group' | 'unknown'

/** Where a record stood before it became a dead letter. */
export interface LetterOrigin {
  readonly topic: string
  /** `null`: the letter does not say. */
  readonly partition: number | null
  readonly offset: number | null
  /** Of the record, ms since the Unix epoch; `null` when nothing tells. */
  readonly timestamp: number | null
}

/** Why a record became a dead letter. */
export interface LetterFailure {
  /** `td-reason`, or `shed` and `divert` of what was not to be handled; of Connect the stage, of a share group its text; `null` where there is none. */
  readonly reason: string | null
  /** Names of the error's class, and of its cause where that is told. */
  readonly errorClasses: readonly string[]
  readonly errorMessage: string | null
  readonly group: string | null
}

interface LetterFormat {
  readonly writer: LetterWriter
  /** `null`: its headers are not there. */
  readonly originOf: (headers: readonly Header[], writtenAt: number) => LetterOrigin | null
  readonly failureOf: (headers: readonly Header[]) => LetterFailure | null
  /** Names that begin so tell about the failure; they are not the record's own. */
  readonly prefixes: readonly string[]
}

const tidemark: LetterFormat = {
  writer: 'tidemark',
  originOf: (headers) => {
    const topic = textOf(headers, tdHeader.originTopic)
    if (topic === null) return null
    return {
      topic,
      partition: decimalOf(headers, tdHeader.originPartition),
      offset: decimalOf(headers, tdHeader.originOffset),
      timestamp: originTimestamp(headers) ?? null,
    }
  },
  failureOf: (headers) => {
    // What was put aside instead of handled says so where others say why they failed.
    const reason = textOf(headers, tdHeader.reason) ?? textOf(headers, degradeHeader.outcome)
    if (reason === null) return null
    return {
      reason,
      errorClasses: textsOf(headers, [tdHeader.errorClass]),
      errorMessage: textOf(headers, tdHeader.errorMessage),
      group: textOf(headers, tdHeader.group),
    }
  },
  prefixes: ['td-'],
}

/**
 * Spring for Apache Kafka: `KafkaHeaders` has the names, with `dlt-` those of `DeadLetterPublishingRecoverer` and without it
 * those of its retry topics and of the dead-letter topics behind them (`DeadLetterPublishingRecovererFactory`). Topic, classes
 * and texts are UTF-8; partition is a big-endian int32, offset and timestamp are big-endian int64. A letter of a letter has
 * each header again, so the first one tells where the record first came from. `retry_topic-original-timestamp` is a
 * big-endian integer of as many bytes as it needs (`BigInteger.toByteArray`).
 */
const spring: LetterFormat = {
  writer: 'spring',
  originOf: (headers) => {
    const names = springNames(headers)
    if (names === null) return null
    return {
      topic: textOf(headers, `${names}original-topic`) as string,
      partition: integerOf(headers, `${names}original-partition`),
      offset: integerOf(headers, `${names}original-offset`),
      timestamp:
        integerOf(headers, 'retry_topic-original-timestamp') ?? integerOf(headers, `${names}original-timestamp`),
    }
  },
  failureOf: (headers) => {
    const names = springNames(headers)
    if (names === null) return null
    return {
      reason: null,
      errorClasses: textsOf(headers, [
        `${names}exception-fqcn`,
        `${names}exception-cause-fqcn`,
        `${names}key-exception-fqcn`,
      ]),
      errorMessage: textOf(headers, `${names}exception-message`) ?? textOf(headers, `${names}key-exception-message`),
      group: textOf(headers, 'kafka_dlt-original-consumer-group'),
    }
  },
  prefixes: [
    'kafka_dlt-',
    'kafka_original-',
    'kafka_exception-',
    'kafka_key-exception-',
    'kafka_deliveryAttempt',
    'retry_topic-',
    'springDeserializerException',
  ],
}

/**
 * Kafka Connect with `errors.deadletterqueue.context.headers.enable` (off by default; `DeadLetterQueueReporter` has the
 * names). All of it is UTF-8 text. The letter has the time of its record. A topic that is not known is empty text.
 */
const connect: LetterFormat = {
  writer: 'connect',
  originOf: (headers, writtenAt) => textOrigin(headers, '__connect.errors.', writtenAt),
  failureOf: (headers) => {
    const stage = textOf(headers, '__connect.errors.stage')
    if (stage === null) return null
    return {
      reason: stage,
      errorClasses: textsOf(headers, ['__connect.errors.exception.class.name']),
      errorMessage: textOf(headers, '__connect.errors.exception.message'),
      group: textOf(headers, '__connect.errors.connector.name'),
    }
  },
  prefixes: ['__connect.errors.'],
}

/**
 * Kafka Streams (KIP-1034; `ExceptionHandlerUtils` has the names). All of it is UTF-8 text; the exception is its
 * `toString()`: class, colon, message. The letter has the time of its record, and none of its headers.
 */
const streams: LetterFormat = {
  writer: 'streams',
  originOf: (headers, writtenAt) => textOrigin(headers, '__streams.errors.', writtenAt),
  failureOf: (headers) => {
    const exception = textOf(headers, '__streams.errors.exception')
    if (exception === null) return null
    return {
      reason: null,
      errorClasses: [exception.split(':', 1)[0] as string],
      errorMessage: textOf(headers, '__streams.errors.message'),
      group: null,
    }
  },
  prefixes: ['__streams.errors.'],
}

/** Share groups (KIP-1191): UTF-8 text. Key and value are there only where the group copies records. */
const shareGroup: LetterFormat = {
  writer: 'share-group',
  originOf: (headers) => textOrigin(headers, '__dlq.errors.', null),
  failureOf: (headers) => {
    if (textOf(headers, '__dlq.errors.topic') === null) return null
    return {
      reason: textOf(headers, '__dlq.errors.message'),
      errorClasses: [],
      errorMessage: null,
      group: textOf(headers, '__dlq.errors.group'),
    }
  },
  prefixes: ['__dlq.errors.'],
}

/** Where several tell, the first does: what was redriven before keeps its first origin. */
const formats: readonly LetterFormat[] = [tidemark, spring, connect, streams, shareGroup]

const noFailure: LetterFailure = { reason: null, errorClasses: [], errorMessage: null, group: null }

/**
 * What the headers of a letter tell, whoever wrote it.
 * @param writtenAt the time of the letter's own record
 */
export function toldBy(
  headers: readonly Header[],
  writtenAt: number,
): { readonly writer: LetterWriter; readonly origin: LetterOrigin | null; readonly failure: LetterFailure } {
  let origin: LetterOrigin | null = null
  let failure: LetterFailure | null = null
  let writer: LetterWriter = 'unknown'
  for (const format of formats) {
    const told = format.originOf(headers, writtenAt)
    // Whoever could not handle it knows where it stood: of another topic ours were handed on with another record.
    const isHandedOn = failure === null && origin !== null && told !== null && told.topic !== origin.topic
    if (origin === null || isHandedOn) {
      origin = told
      if (origin !== null && (writer === 'unknown' || isHandedOn)) writer = format.writer
    }
    if (failure === null) {
      failure = format.failureOf(headers)
      if (failure !== null) writer = format.writer
    }
  }
  return { writer, origin, failure: failure ?? noFailure }
}

const prefixes = formats.flatMap((format) => format.prefixes)

/** Does it tell about a failure, or the ways of a letter? All others are the record's own. */
export function isLetterHeader(name: string): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix))
}

function springNames(headers: readonly Header[]): string | null {
  return ['kafka_dlt-', 'kafka_'].find((names) => textOf(headers, `${names}original-topic`) !== null) ?? null
}

function textOrigin(headers: readonly Header[], names: string, timestamp: number | null): LetterOrigin | null {
  const topic = textOf(headers, `${names}topic`)
  if (topic === null) return null
  return {
    topic,
    partition: decimalOf(headers, `${names}partition`),
    offset: decimalOf(headers, `${names}offset`),
    timestamp,
  }
}

/** Of the first header of that name. */
function bytesOf(headers: readonly Header[], name: string): Buffer | null {
  return headers.find(([one]) => one === name)?.[1] ?? null
}

/** `null`: there is none, or it is empty. */
function textOf(headers: readonly Header[], name: string): string | null {
  return bytesOf(headers, name)?.toString('utf8') || null
}

function textsOf(headers: readonly Header[], names: readonly string[]): readonly string[] {
  return names.map((name) => textOf(headers, name)).filter((text) => text !== null)
}

function decimalOf(headers: readonly Header[], name: string): number | null {
  const text = textOf(headers, name)
  if (text === null || !/^\d{1,16}$/.test(text)) return null
  return safe(BigInt(text))
}

/** Big-endian, with a sign. */
function integerOf(headers: readonly Header[], name: string): number | null {
  const bytes = bytesOf(headers, name)
  if (bytes === null || bytes.length === 0 || bytes.length > 8) return null
  return safe(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`)))
}

/** `null`: it is no offset, partition or time. */
function safe(value: bigint): number | null {
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null
}
