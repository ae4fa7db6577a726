import {
  DeadLetterError,
  type DeadLetterRoute,
  type FailedRecord,
  type LetterForm,
} from '../consumer/handling/failed-record.js'
import { ConfigError, type TidemarkError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { refusalOf, type Refusal } from '../producer/refusal.js'
import { thrownName } from '../runtime/thrown.js'
import { deadLetterHeaders, pointerHeaders, withoutErrorText, type AlsoWritten } from './dead-letter-headers.js'

/** A key that is longer is left at its origin with the value. */
const pointerKeyMaxBytes = 1_024

/**
 * Stores a record in the dead-letter topic, with acks=all and idempotence whatever the profile, on the partition that
 * `deadLetterPartition` gives. Resolves when it is acknowledged.
 */
export type PublishDeadLetter = (record: OutgoingRecord, originPartition: number, failed: FailedRecord) => Promise<void>

export interface DeadLetterRouteParts {
  /** The dead-letter topic, for messages. */
  readonly target: string
  /** Topics the consumer reads. */
  readonly sources: readonly string[]
  readonly publish: PublishDeadLetter
  /** Beside ours those that Spring for Apache Kafka writes. Default false. */
  readonly springHeaders?: boolean | undefined
}

/**
 * The way of failed records to their topic: key, value and headers as they were, and headers that tell why. A letter that
 * is too large goes
 *
 * 1. without the error's text, which is the only thing of ours that may be long,
 * 2. as a pointer: the headers that tell its origin and what failed, and the key unless that is long; `td-left` says that
 *    the value is left at its origin, where it is kept as long as that topic keeps it.
 *
 * One that is too large all the same, or that the topic refuses, rejects with `DeadLetterError`, because no repeat can
 * change that.
 *
 * @throws ConfigError when the target is one of the topics it would take records from
 */
export function deadLetterTo({
  target,
  sources,
  publish,
  springHeaders = false,
}: DeadLetterRouteParts): DeadLetterRoute {
  if (sources.includes(target)) throw sameTopic(target)
  return async (failed) => {
    try {
      return await publishWhatFits(publish, failed, { springHeaders })
    } catch (error) {
      throw lastWord(target, failed, error)
    }
  }
}

async function publishWhatFits(
  publish: PublishDeadLetter,
  failed: FailedRecord,
  also: AlsoWritten,
): Promise<LetterForm> {
  const whole = deadLetterRecord(failed, also)
  if (await fits(publish, whole, failed)) return 'whole'
  const trimmed = { ...whole, headers: withoutErrorText(whole.headers) }
  if (await fits(publish, trimmed, failed)) return 'whole'
  await publish(pointerRecord(failed), failed.partition, failed)
  return 'pointer'
}

/** `false`: it is too large. */
async function fits(publish: PublishDeadLetter, letter: OutgoingRecord, failed: FailedRecord): Promise<boolean> {
  try {
    await publish(letter, failed.partition, failed)
    return true
  } catch (error) {
    if (refusalOf(error) === 'too-large') return false
    throw error
  }
}

/**
 * The record as it goes to the dead-letter topic. Its time is that of now, since the topic's retention counts from it: the
 * letter of an old record would be deleted at the next check. The time of its origin stands in `td-origin-timestamp`.
 */
export function deadLetterRecord(failed: FailedRecord, also: AlsoWritten): OutgoingRecord {
  const { key, value } = failed.record
  return { key, value, headers: deadLetterHeaders(failed, also), timestamp: failed.lastFailedAt }
}

function pointerRecord(failed: FailedRecord): OutgoingRecord {
  const { key } = failed.record
  const keptKey = key !== null && key.length <= pointerKeyMaxBytes ? key : null
  return { key: keptKey, value: null, headers: pointerHeaders(failed), timestamp: failed.lastFailedAt }
}

/** Same partition where the target has as many, else modulo: records of one origin partition stay together. */
export function deadLetterPartition(originPartition: number, targetPartitions: number): number {
  return originPartition % targetPartitions
}

/** What no repeat can change, as the error that stops the partition; anything else as it is. */
function lastWord(target: string, failed: FailedRecord, error: unknown): unknown {
  const refusal = refusalOf(error)
  switch (refusal) {
    case null:
      return error
    case 'too-large': {
      const fix = `raise max.message.bytes of ${target}`
      return noLetter(refusal, target, failed, error, 'is too large for it, even as a pointer to its origin', fix)
    }
    case 'refused': {
      const problem = `is refused by it (${(error as TidemarkError).code})`
      return noLetter(refusal, target, failed, error, problem, `look at the configs of ${target}`)
    }
    case 'not-authorized': {
      const [problem, fix] = ['may not be written to it', `grant WRITE on ${target}`]
      return noLetter(refusal, target, failed, error, problem, fix, 'its partition stops here when that lasts')
    }
  }
}

function noLetter(
  code: Refusal,
  target: string,
  { topic, partition, record, error: failure }: FailedRecord,
  cause: unknown,
  problem: string,
  fix: string,
  then = 'its partition stops here',
): DeadLetterError {
  return new DeadLetterError(
    code,
    `offset ${record.offset} of ${topic}-${partition} failed (${thrownName(failure)}), and its dead letter ${problem}: ` +
      `${target}; ${then}; ${fix}, or throw Discard to drop the record`,
    { topic, partition, offset: record.offset, cause, failure },
  )
}

function sameTopic(target: string): ConfigError {
  return new ConfigError('dead letter', [
    {
      path: 'deadLetter',
      message: `${target} is also a topic of this consumer, so a record that fails would fail for ever`,
      fix: `name a topic that this consumer does not read, for example ${target}.dlq`,
    },
  ])
}
