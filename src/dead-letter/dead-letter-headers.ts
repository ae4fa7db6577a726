import type { FailedRecord } from '../consumer/handling/failed-record.js'
import { retryHeaders, tdHeader, textHeader } from '../message/headers.js'
import { isoTime, originHeaders } from '../message/origin.js'
import type { Header, ReceivedRecord } from '../message/record.js'
import { thrownText } from '../runtime/thrown.js'
import { thrownChain, thrownMessage } from '../runtime/thrown-chain.js'
import { ownHeaders } from '../topic/own-headers.js'
import { springHeaders } from './spring-headers.js'

const stackMaxBytes = 4096
const messageMaxBytes = 1024
const nameMaxBytes = 256
const errorTexts: ReadonlySet<string> = new Set([
  tdHeader.errorStack,
  tdHeader.errorMessage,
  'kafka_dlt-exception-message',
  'kafka_dlt-exception-stacktrace',
])

/** What other libraries read. */
export interface AlsoWritten {
  readonly springHeaders: boolean
}

/**
 * The record's own headers as they are, without those of this library that tell about the failure, and then these anew.
 * What a redrive or an earlier consumer wrote once stays: where the record first came from, when it first failed, its id and hops.
 */
export function deadLetterHeaders(failed: FailedRecord, also: AlsoWritten): readonly Header[] {
  const record = withOwnHeaders(failed)
  const ours = [
    ...originHeaders(failed, record),
    ...failureHeaders(failed, record.headers),
    ...(also.springHeaders ? cutTexts(springHeaders(failed)) : []),
  ]
  const kept = record.headers.filter(
    ([name]) => !retryHeaders.includes(name) && !ours.some(([replaced]) => replaced === name),
  )
  return [...kept, ...ours]
}

/** The same without what the error said, which is the only thing of ours that may be long. */
export function withoutErrorText(headers: readonly Header[]): readonly Header[] {
  return headers.filter(([name]) => !errorTexts.has(name))
}

/** What tells where the record stands and why, without its own headers and the error's text. */
export function pointerHeaders(failed: FailedRecord): readonly Header[] {
  const told = withoutErrorText(deadLetterHeaders(failed, { springHeaders: false }))
  return [
    ...told.filter(([name]) => name.startsWith('td-') && name !== tdHeader.leftAt),
    textHeader(tdHeader.left, 'value'),
    ...leftAt(failed),
  ]
}

/** What came back stands in two places, and retention deletes the first one earlier. */
function leftAt(failed: FailedRecord): readonly Header[] {
  const { topic, partition } = failed
  const record = withOwnHeaders(failed)
  const cameBack = record.headers.some(([name]) => name === tdHeader.originTopic)
  return cameBack ? [textHeader(tdHeader.leftAt, `${topic}-${partition}@${record.offset}`)] : []
}

function withOwnHeaders({ topic, record }: FailedRecord): ReceivedRecord {
  return { ...record, headers: ownHeaders(topic, record.headers) }
}

function failureHeaders(failed: FailedRecord, known: readonly Header[]): readonly Header[] {
  const { group } = failed
  const error = thrownText(failed.error)
  const firstFailed = known.some(([name]) => name === tdHeader.firstFailedAt)
  return [
    textHeader(tdHeader.reason, failed.reason),
    textHeader(tdHeader.attempt, String(failed.attempt)),
    ...(group === null ? [] : [textHeader(tdHeader.group, group)]),
    textHeader(tdHeader.errorClass, cut(error.name, nameMaxBytes)),
    textHeader(tdHeader.errorMessage, cut(thrownMessage(failed.error), messageMaxBytes)),
    textHeader(tdHeader.errorStack, cut(thrownChain(failed.error), stackMaxBytes)),
    ...(firstFailed ? [] : [textHeader(tdHeader.firstFailedAt, isoTime(failed.firstFailedAt))]),
    textHeader(tdHeader.lastFailedAt, isoTime(failed.lastFailedAt)),
  ]
}

function cutTexts(headers: readonly Header[]): readonly Header[] {
  return headers.map(([name, value]) => [name, value === null ? null : cutBytes(value, stackMaxBytes)])
}

/** At most so many bytes of UTF-8, never half a character. */
function cut(text: string, maxBytes: number): string {
  return cutBytes(Buffer.from(text, 'utf8'), maxBytes).toString('utf8')
}

function cutBytes(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length <= maxBytes) return bytes
  let end = maxBytes
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}
