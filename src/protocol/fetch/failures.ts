import { brokerError } from '../../connection/broker-error.js'
import type { Unreadable } from '../../connection/requests/fetch.js'
import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'

export function defectOf({ topic, partition }: TopicPartition, cause: unknown): DriverError {
  const message = `what was fetched of ${topic}-${partition} met a defect; report it with its cause`
  return new DriverError('defect', message, { cause, topic, partition })
}

export function listenerThrew({ topic, partition }: TopicPartition, cause: unknown): DriverError {
  const message = `the consumer's own code threw on records of ${topic}-${partition}: a defect`
  return new DriverError('listener-threw', message, { cause, topic, partition })
}

export function fetchRefused({ topic, partition }: TopicPartition, offset: number, code: number): DriverError {
  return brokerError(code, `fetching ${topic}-${partition}`, { topic, partition, offset })
}

/** Damage is in the log; whatever else cannot be read is whole there, and nothing need be given up for it. */
const remedies: Readonly<Record<Unreadable['code'], string>> = {
  'corrupt-record':
    ', also when fetched again; restore the partition from a replica, or seek past the damage and accept the loss',
  'no-codec':
    '; they are whole: gzip, snappy, lz4 and zstd are read, and for another compression install a newer tidemark that ' +
    'reads it; then restart the partition',
  'codec-failed':
    '; their checksum is right: mend the codec, or take it out of CompressionCodecs of kafkajs, since tidemark reads ' +
    'gzip, snappy, lz4 and zstd itself; then restart the partition',
  'unknown-format':
    '; they are whole: copy them to another topic with a client that reads this format, for formats above 2 install a ' +
    'newer tidemark, or seek past them',
}

export function unreadableRecords(
  { topic, partition }: TopicPartition,
  offset: number,
  { code, reason }: Unreadable,
): DriverError {
  const message = `the records of ${topic}-${partition} at offset ${offset} cannot be read (${reason})${remedies[code]}`
  return new DriverError(code, message, { topic, partition, offset })
}
