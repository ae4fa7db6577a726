import type { RefusedRecord } from '../../connection/requests/produce.js'
import type { Reader } from '../reader.js'
import { WireError } from '../wire-error.js'
import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

export const produce: ApiCodec<'produce'> = {
  key: 0,
  min: 7,
  max: 8,
  flexibleFrom: 9,
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
    })
  },
  decode(reader, version) {
    const partitions = readByTopic(reader, (topic) => {
      return {
        topic,
        partition: reader.int32(),
        errorCode: reader.int16(),
        baseOffset: reader.int64(),
        logAppendTime: reader.int64(),
        logStartOffset: reader.int64(),
        recordErrors: version >= 8 ? reader.array(() => readRefusedRecord(reader)) : [],
        errorMessage: version >= 8 ? reader.nullableString() : null,
      }
    })
    return { partitions, throttleTimeMs: reader.int32() }
  },
}

function readRefusedRecord(reader: Reader): RefusedRecord {
  return { index: reader.int32(), message: reader.nullableString() }
}
