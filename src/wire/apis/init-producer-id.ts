import type { ApiCodec } from './codec.js'

export const initProducerId: ApiCodec<'initProducerId'> = {
  key: 22,
  min: 1,
  max: 1,
  flexibleFrom: 2,
  encode({ transactionalId, transactionTimeoutMs }, _version, writer) {
    writer.nullableString(transactionalId)
    writer.int32(transactionTimeoutMs)
  },
  decode(reader) {
    return {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      producerId: reader.int64(),
      producerEpoch: reader.int16(),
    }
  },
}
