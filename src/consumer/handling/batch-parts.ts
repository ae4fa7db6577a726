import { HandlerError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import { isError } from '../../runtime/thrown.js'
import { handled, type Part, type Settlement } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import { BatchFailure } from './fate.js'
import { attemptOf } from './handler-call.js'
import type { FailedAttempt } from './ladder.js'

/** Where a delivery failed, and why. */
export interface PlacedFailure {
  /** In the batch; `null` where nothing tells. */
  readonly index: number | null
  readonly cause: unknown
}

export function placeFailure(work: Work, thrown: unknown): PlacedFailure {
  if (!isError(thrown) || !(thrown instanceof BatchFailure)) return { index: null, cause: thrown }
  const messages = Array.isArray(work.messages) ? (work.messages as readonly Message[]) : [work.messages as Message]
  const { index, topic, partition, offset, cause } = thrown
  const at =
    index ?? messages.findIndex((one) => one.topic === topic && one.partition === partition && one.offset === offset)
  if (Number.isInteger(at) && at >= 0 && at < messages.length) return { index: at, cause }
  return { index: null, cause: notInBatch(work, cause) }
}

/**
 * A batch failed at one of its records:
 *
 * | records             | while that one may be tried again | when its fate is decided |
 * |---------------------|-----------------------------------|--------------------------|
 * | before it           | are done                          | are done |
 * | it                  | is the first of the rest, which is tried again whole | as the ladder says |
 * | after it            | follow it                         | are a batch of their own, with all its attempts |
 *
 * Where some are done, the one that failed was reached for the first time: its attempts count from there.
 *
 * @param end what the ladder says of the record that failed
 */
export function endAt(
  work: Work,
  index: number,
  end: (first: Work, attempt: FailedAttempt) => Settlement | Promise<Settlement>,
): Settlement | Promise<Settlement> {
  const [done, rest] = index === 0 ? [null, work] : work.cut(index)
  const [first, others] = rest.count === 1 ? [rest, null] : rest.cut(1)
  first.attempt = rest.attempt
  first.trouble = rest.trouble
  const settlement = end(first, { attempt: attemptOf(first) })
  rest.trouble = first.trouble
  const inParts = (one: Settlement): Settlement => {
    const before: readonly Part[] = done === null ? [] : [{ work: done, end: handled }]
    if (one.kind === 'again') return partsOrOne([...before, { work: rest, end: one }])
    const after: readonly Part[] = others === null ? [] : [{ work: others, end: null }]
    return partsOrOne([...before, { work: first, end: one }, ...after])
  }
  return settlement instanceof Promise ? settlement.then(inParts) : inParts(settlement)
}

function partsOrOne(parts: readonly Part[]): Settlement {
  const [only] = parts
  return parts.length === 1 && only?.end != null ? only.end : { kind: 'parted', parts }
}

/** Nothing is taken for done on the word of a wrong place. */
function notInBatch({ count, partition, firstRecord }: Work, cause: unknown): HandlerError {
  const { topic, partition: number } = partition
  return new HandlerError(
    'not-in-batch',
    `BatchFailure names no message of its batch of ${count}; write an index from 0 to ${count - 1}, or a message of the batch`,
    { topic, partition: number, offset: firstRecord.offset, cause },
  )
}
