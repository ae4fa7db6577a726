import type { RefusedRecord } from '../../connection/requests/produce.js'
import type { Reader } from '../reader.js'
import { WireError } from '../wire-error.js'
import { readByTopic, writeByTopic, type ApiCodec, type VersionRange } from './codec.js'
import { meaning } from './transactions.js'

/** First version that means `transaction.version` 2, where it is of a transaction; Kafka 4.0. */
const SECOND_TRANSACTIONS_FROM = 12

export const produce: ApiCodec<'produce'> = {
  key: 0,
  min: 7,
  max: 12,
  flexibleFrom: 9,
  fit: ({ transactionVersion }) =>
    transactionVersion === undefined ? anyVersion : meaning(transactionVersion, SECOND_TRANSACTIONS_FROM),
  encode({ transactionalId, acks, timeoutMs, batches }, _version, writer, context) {
    writer.nullableString(transactionalId)
    writer.int16(acks)
    writer.int32(timeoutMs)
    const encoded = batches.map(({ topic, partition }, index) => {
      const bytes = context.batches[index]
      if (bytes === undefined)
        throw new WireError('batch-not-encoded', `no bytes for the batch of ${topic}-${partition}`)
      return { topic, partition, bytes }
    })
    writeByTopic(writer, encoded, ({ partition, bytes }) => {
      writer.int32(partition)
      writer.bytes(bytes)
      writer.tags()
    })
    writer.tags()
  },
  decode(reader, version) {
    const partitions = readByTopic(reader, (topic) => {
      const produced = {
        topic,
        partition: reader.int32(),
        errorCode: reader.int16(),
        baseOffset: reader.int64(),
        logAppendTime: reader.int64(),
        logStartOffset: reader.int64(),
        recordErrors: version >= 8 ? reader.array(() => readRefusedRecord(reader)) : [],
        errorMessage: version >= 8 ? reader.nullableString() : null,
      }
      reader.tags()
      return produced
    })
    const throttleTimeMs = reader.int32()
    reader.tags()
    return { partitions, throttleTimeMs }
  },
}

const anyVersion: Partial<VersionRange> = {}

function readRefusedRecord(reader: Reader): RefusedRecord {
  const refused = { index: reader.int32(), message: reader.nullableString() }
  reader.tags()
  return refused
}
