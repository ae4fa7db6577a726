import { DeadLetterError, type DeadLetterRoute, type FailedRecord } from '../consumer/handling/failed-record.js'
import { ConfigError, TidemarkError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { deadLetterHeaders, withoutErrorText } from './dead-letter-headers.js'

/**
 * Stores a record in the dead-letter topic, with acks=all and idempotence whatever the profile, on the partition that
 * `deadLetterPartition` gives. Resolves when it is acknowledged.
 */
export type PublishDeadLetter = (record: OutgoingRecord, originPartition: number) => Promise<void>

export interface DeadLetterOptions {
  /** The dead-letter topic, for messages. */
  readonly target: string
  /** Topics the consumer reads. */
  readonly sources: readonly string[]
  readonly publish: PublishDeadLetter
}

/**
 * The way of failed records to their topic: key, value and headers as they were, and headers that tell why. A letter that
 * is too large goes without the error's text; one that is too large all the same rejects with `DeadLetterError`
 * `too-large`, because no repeat can change that.
 *
 * @throws ConfigError when the target is one of the topics it would take records from
 */
export function deadLetterTo({ target, sources, publish }: DeadLetterOptions): DeadLetterRoute {
  if (sources.includes(target)) throw sameTopic(target)
  return async (failed) => {
    const letter = deadLetterRecord(failed)
    try {
      await publishUnlessTooLarge(publish, letter, failed.partition)
    } catch (error) {
      throw isTooLarge(error) ? tooLarge(target, failed, error) : error
    }
  }
}

async function publishUnlessTooLarge(publish: PublishDeadLetter, letter: OutgoingRecord, originPartition: number) {
  try {
    await publish(letter, originPartition)
  } catch (error) {
    if (!isTooLarge(error)) throw error
    await publish({ ...letter, headers: withoutErrorText(letter.headers) }, originPartition)
  }
}

/** The record as it goes to the dead-letter topic; its timestamp stays, so retention and seek by time see the original. */
export function deadLetterRecord(failed: FailedRecord): OutgoingRecord {
  const { key, value, timestamp } = failed.record
  return { key, value, headers: deadLetterHeaders(failed), timestamp }
}

/** Same partition where the target has as many, else modulo: records of one origin partition stay together. */
export function deadLetterPartition(originPartition: number, targetPartitions: number): number {
  return originPartition % targetPartitions
}

/** For the producer, the topic, or a segment of it. */
const tooLargeCodes: readonly string[] = ['record-too-large', 'message-too-large', 'record-list-too-large']

function isTooLarge(error: unknown): boolean {
  return error instanceof TidemarkError && tooLargeCodes.includes(error.code)
}

function tooLarge(target: string, { topic, partition, record }: FailedRecord, cause: unknown): DeadLetterError {
  return new DeadLetterError(
    'too-large',
    `offset ${record.offset} of ${topic}-${partition} failed and is too large for its dead-letter topic ${target}, also ` +
      `without the text of its error, so the partition stops here; raise max.message.bytes of ${target}, or throw ` +
      'Discard to drop the record',
    { topic, partition, offset: record.offset, cause },
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
