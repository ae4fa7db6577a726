import type { FailedRecord } from '../consumer/handling/failed-record.js'
import { textHeader } from '../message/headers.js'
import type { Header } from '../message/record.js'
import { isError, thrownText } from '../runtime/thrown.js'
import { thrownChain, thrownMessage } from '../runtime/thrown-chain.js'

const prefix = 'kafka_dlt-'

/**
 * The headers that `DeadLetterPublishingRecoverer` of Spring for Apache Kafka writes, for tools that read those: numbers are
 * big-endian, classes are the names of ours.
 */
export function springHeaders(failed: FailedRecord): readonly Header[] {
  const { topic, partition, record, group, error } = failed
  const { name } = thrownText(error)
  const cause = isError(error) ? thrownText(error.cause).name : undefined
  return [
    textHeader(`${prefix}original-topic`, topic),
    [`${prefix}original-partition`, int32(partition)],
    [`${prefix}original-offset`, int64(record.offset)],
    [`${prefix}original-timestamp`, int64(record.timestamp)],
    textHeader(`${prefix}original-timestamp-type`, 'CreateTime'),
    ...(group === null ? [] : [textHeader(`${prefix}original-consumer-group`, group)]),
    textHeader(`${prefix}exception-fqcn`, name),
    ...(cause === undefined || cause === 'undefined' ? [] : [textHeader(`${prefix}exception-cause-fqcn`, cause)]),
    textHeader(`${prefix}exception-message`, thrownMessage(error)),
    textHeader(`${prefix}exception-stacktrace`, thrownChain(error)),
  ]
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(Math.trunc(value)))
  return bytes
}
