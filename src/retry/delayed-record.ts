import type { FailureClass } from '../consumer/handling/failure-class.js'
import type { Work } from '../consumer/partition/work.js'
import { retryHeaders, tdHeader, textHeader } from '../message/headers.js'
import { headerNumber, isoTime, originHeaders } from '../message/origin.js'
import type { Header, OutgoingRecord } from '../message/record.js'
import { thrownText } from '../runtime/thrown.js'
import { thrownMessage } from '../runtime/thrown-chain.js'
import { ownHeaders } from '../topic/own-headers.js'

const messageMaxBytes = 512
const nameMaxBytes = 256

/** Why it is put off; `null` for what only waits behind another record of its key. */
export interface Failure {
  readonly attempt: number
  readonly error: unknown
  readonly class: FailureClass
  readonly firstFailedAt: number
  readonly lastFailedAt: number
}

export interface Delayed {
  readonly work: Work
  /** Read from a delay topic, so its headers say where it stands in the topic that is read. Elsewhere they may be another's. */
  readonly isBack: boolean
  readonly group: string | null
  readonly failure: Failure | null
  /** Wall time, ms since the Unix epoch. */
  readonly notBefore: number
  /** Names this writing; `null` where nobody has to know it again. */
  readonly id: string | null
  /** Wall time: retention counts from it. */
  readonly now: number
}

/**
 * The record as it goes to a delay topic: key, value and headers as they were, and beside them where it first came from,
 * when it may be tried again, and what failed last. The time of its origin stands in `td-origin-timestamp`.
 */
export function delayedRecord({ work, isBack, group, failure, notBefore, id, now }: Delayed): OutgoingRecord {
  const { partition, firstRecord } = work
  const record = { ...firstRecord, headers: ownHeaders(partition.topic, firstRecord.headers) }
  const offset = isBack ? (headerNumber(record.headers, tdHeader.retryOffset) ?? record.offset) : record.offset
  const ours: Header[] = [
    ...originHeaders(partition, record),
    textHeader(tdHeader.retryOffset, String(offset)),
    textHeader(tdHeader.notBefore, isoTime(notBefore)),
    ...(id === null ? [] : [textHeader(tdHeader.retryId, id)]),
    ...(group === null ? [] : [textHeader(tdHeader.group, group)]),
    ...(failure === null ? [] : failureHeaders(failure, record.headers)),
  ]
  const isReplaced = (name: string) => retryHeaders.includes(name) || ours.some(([replaced]) => replaced === name)
  const kept = record.headers.filter(([name]) => !isReplaced(name))
  return { key: record.key, value: record.value, headers: [...kept, ...ours], timestamp: now }
}

function failureHeaders({ attempt, error, firstFailedAt, lastFailedAt }: Failure, known: readonly Header[]): Header[] {
  const hasFailedBefore = known.some(([name]) => name === tdHeader.firstFailedAt)
  return [
    textHeader(tdHeader.attempt, String(attempt)),
    textHeader(tdHeader.errorClass, thrownText(error).name.slice(0, nameMaxBytes)),
    textHeader(tdHeader.errorMessage, thrownMessage(error).slice(0, messageMaxBytes)),
    ...(hasFailedBefore ? [] : [textHeader(tdHeader.firstFailedAt, isoTime(firstFailedAt))]),
    textHeader(tdHeader.lastFailedAt, isoTime(lastFailedAt)),
  ]
}
