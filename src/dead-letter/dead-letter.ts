import type { DeadLetterRoute, FailedRecord } from '../consumer/failed-record.js'
import { ConfigError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { deadLetterHeaders } from './dead-letter-headers.js'

/**
 * Stores a record, with acks=all and idempotence whatever the profile, on the partition that `deadLetterPartition` gives.
 * Resolves when it is acknowledged.
 */
export type PublishDeadLetter = (record: OutgoingRecord, target: string, originPartition: number) => Promise<void>

export interface DeadLetterOptions {
  /** The dead-letter topic. */
  readonly target: string
  /** Topics the consumer reads. */
  readonly sources: readonly string[]
  readonly publish: PublishDeadLetter
}

/**
 * The way of failed records to their topic: key, value and headers as they were, and headers that tell why.
 *
 * @throws ConfigError when the target is one of the topics it would take records from
 */
export function deadLetterTo({ target, sources, publish }: DeadLetterOptions): DeadLetterRoute {
  if (sources.includes(target)) throw sameTopic(target)
  return (failed) => publish(deadLetterRecord(failed), target, failed.partition)
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

function sameTopic(target: string): ConfigError {
  return new ConfigError('dead letter', [
    {
      path: 'deadLetter',
      message: `${target} is also a topic of this consumer, so a record that fails would fail for ever`,
      fix: `name a topic that this consumer does not read, for example ${target}.dlq`,
    },
  ])
}
