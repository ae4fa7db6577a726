import { brokerError } from '../../connection/broker-error.js'
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

export function corruptRecord({ topic, partition }: TopicPartition, offset: number, reason: string): DriverError {
  return new DriverError(
    'corrupt-record',
    `the records of ${topic}-${partition} at offset ${offset} cannot be read (${reason}), also when fetched again; ` +
      'restore the partition from a replica, or seek past the damage and accept the loss',
    { topic, partition, offset },
  )
}
