import type { TransactionalProducer, TransactionVersion } from '../../connection/requests/transactions.js'
import type { Reader } from '../reader.js'
import type { Writer } from '../writer.js'
import { readByTopic, writeByTopic, type ApiCodec, type VersionRange } from './codec.js'

/** Version 4 and later are for brokers alone: they need the permission CLUSTER_ACTION. */
export const addPartitionsToTxn: ApiCodec<'addPartitionsToTxn'> = {
  key: 24,
  min: 1,
  max: 3,
  flexibleFrom: 3,
  encode(request, _version, writer) {
    writeProducer(writer, request)
    writeByTopic(writer, request.partitions, ({ partition }) => writer.int32(partition))
    writer.tags()
  },
  decode(reader) {
    return { throttleTimeMs: reader.int32(), partitions: readPartitionErrors(reader) }
  },
}

export const addOffsetsToTxn: ApiCodec<'addOffsetsToTxn'> = {
  key: 25,
  min: 1,
  max: 4,
  flexibleFrom: 3,
  encode(request, _version, writer) {
    writeProducer(writer, request)
    writer.string(request.groupId)
    writer.tags()
  },
  decode(reader) {
    const answer = { throttleTimeMs: reader.int32(), errorCode: reader.int16() }
    reader.tags()
    return answer
  },
}

/** From version 3 on, Kafka 2.5, the group fences a member that is gone. */
export const txnOffsetCommit: ApiCodec<'txnOffsetCommit'> = {
  key: 28,
  min: 3,
  max: 5,
  flexibleFrom: 3,
  fit: ({ transactionVersion }) => meaning(transactionVersion, 5),
  encode(request, _version, writer) {
    writer.string(request.transactionalId)
    writer.string(request.groupId)
    writer.int64(request.producerId)
    writer.int16(request.producerEpoch)
    writer.int32(request.generationId)
    writer.string(request.memberId)
    writer.nullableString(request.groupInstanceId)
    writeByTopic(writer, request.partitions, ({ partition, offset, leaderEpoch, metadata }) => {
      writer.int32(partition)
      writer.int64(offset)
      writer.int32(leaderEpoch)
      writer.nullableString(metadata)
      writer.tags()
    })
    writer.tags()
  },
  decode(reader) {
    return { throttleTimeMs: reader.int32(), partitions: readPartitionErrors(reader) }
  },
}

/** First version whose answer has the next id and epoch; it means `transaction.version` 2. */
const NEXT_EPOCH_FROM = 5

export const endTxn: ApiCodec<'endTxn'> = {
  key: 26,
  min: 1,
  max: 5,
  flexibleFrom: 3,
  fit: ({ transactionVersion }) => meaning(transactionVersion, NEXT_EPOCH_FROM),
  encode(request, _version, writer) {
    writeProducer(writer, request)
    writer.boolean(request.committed)
    writer.tags()
  },
  decode(reader, version) {
    const answer = {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      producerId: version >= NEXT_EPOCH_FROM ? reader.int64() : -1,
      producerEpoch: version >= NEXT_EPOCH_FROM ? reader.int16() : -1,
    }
    reader.tags()
    return answer
  },
}

export const listTransactions: ApiCodec<'listTransactions'> = {
  key: 66,
  min: 0,
  max: 1,
  flexibleFrom: 0,
  since: '3.0',
  encode({ stateFilters, producerIdFilters }, version, writer) {
    writer.array(stateFilters, (state) => writer.string(state))
    writer.array(producerIdFilters, (producerId) => writer.int64(producerId))
    if (version >= 1) writer.int64(-1) // duration_filter: any
    writer.tags()
  },
  decode(reader) {
    const answer = {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      unknownStateFilters: reader.array(() => reader.string()),
      transactions: reader.array(() => {
        const transaction = {
          transactionalId: reader.string(),
          producerId: reader.int64(),
          state: reader.string(),
        }
        reader.tags()
        return transaction
      }),
    }
    reader.tags()
    return answer
  },
}

export const describeTransactions: ApiCodec<'describeTransactions'> = {
  key: 65,
  min: 0,
  max: 0,
  flexibleFrom: 0,
  since: '3.0',
  encode({ transactionalIds }, _version, writer) {
    writer.array(transactionalIds, (transactionalId) => writer.string(transactionalId))
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const transactions = reader.array(() => {
      const transaction = {
        errorCode: reader.int16(),
        transactionalId: reader.string(),
        state: reader.string(),
        timeoutMs: reader.int32(),
        startTimeMs: reader.int64(),
        producerId: reader.int64(),
        producerEpoch: reader.int16(),
        partitions: readByTopic(reader, (topic) => ({ topic, partition: reader.int32() })),
      }
      reader.tags()
      return transaction
    })
    reader.tags()
    return { throttleTimeMs, transactions }
  },
}

export const describeProducers: ApiCodec<'describeProducers'> = {
  key: 61,
  min: 0,
  max: 0,
  flexibleFrom: 0,
  since: '2.8',
  encode({ partitions }, _version, writer) {
    writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => {
      const partition = reader.int32()
      const errorCode = reader.int16()
      reader.nullableString() // error_message
      const producers = reader.array(() => {
        const producer = {
          producerId: reader.int64(),
          producerEpoch: reader.int32(),
          lastSequence: reader.int32(),
          lastTimestamp: reader.int64(),
          coordinatorEpoch: reader.int32(),
          currentTxnStartOffset: reader.int64(),
        }
        reader.tags()
        return producer
      })
      reader.tags()
      return { topic, partition, errorCode, producers }
    })
    reader.tags()
    return { throttleTimeMs, partitions }
  },
}

/** The versions that mean this `transaction.version`, where the newer ones begin at `second`. */
export function meaning(transactionVersion: TransactionVersion, second: number): Partial<VersionRange> {
  return transactionVersion === 2 ? { min: second } : { max: second - 1 }
}

function writeProducer(writer: Writer, { transactionalId, producerId, producerEpoch }: TransactionalProducer): void {
  writer.string(transactionalId)
  writer.int64(producerId)
  writer.int16(producerEpoch)
}

function readPartitionErrors(reader: Reader) {
  const partitions = readByTopic(reader, (topic) => {
    const answer = { topic, partition: reader.int32(), errorCode: reader.int16() }
    reader.tags()
    return answer
  })
  reader.tags()
  return partitions
}
