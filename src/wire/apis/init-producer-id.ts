import type { ApiCodec } from './codec.js'

/** First version that names an id and epoch to compare with; Kafka 2.5, the oldest that has all that transactions need. */
const COMPARES_FROM = 3

export const initProducerId: ApiCodec<'initProducerId'> = {
  key: 22,
  min: 1,
  max: 5,
  flexibleFrom: 2,
  fit: ({ transactionalId, producerId }) =>
    transactionalId !== null || producerId !== -1 ? { min: COMPARES_FROM } : {},
  encode({ transactionalId, transactionTimeoutMs, producerId, producerEpoch }, version, writer) {
    writer.nullableString(transactionalId)
    writer.int32(transactionTimeoutMs)
    if (version >= COMPARES_FROM) {
      writer.int64(producerId)
      writer.int16(producerEpoch)
    }
    writer.tags()
  },
  decode(reader) {
    const answer = {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      producerId: reader.int64(),
      producerEpoch: reader.int16(),
    }
    reader.tags()
    return answer
  },
}
