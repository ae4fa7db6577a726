import type { Broker, LeaderHint } from '../../connection/requests/metadata.js'
import type { RefusedRecord } from '../../connection/requests/produce.js'
import type { Reader } from '../reader.js'
import { WireError } from '../wire-error.js'
import { readByTopic, writeByTopic, type ApiCodec, type VersionRange } from './codec.js'
import { readEndpoints, readLeaderHint } from './leader-hints.js'
import { meaning } from './transactions.js'

/** First version that means `transaction.version` 2, where it is of a transaction; Kafka 4.0. */
const SECOND_TRANSACTIONS_FROM = 12

/** Tagged fields of version 10 on; Kafka 3.7. */
const CURRENT_LEADER = 0
const NODE_ENDPOINTS = 0

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
    let currentLeader: LeaderHint | undefined
    let nodeEndpoints: readonly Broker[] | undefined
    // Made once for the answer, not for each partition.
    const ofPartition = { [CURRENT_LEADER]: () => void (currentLeader = readLeaderHint(reader)) }
    const partitions = readByTopic(reader, (topic) => {
      currentLeader = undefined
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
      reader.tags(ofPartition)
      return currentLeader === undefined ? produced : { ...produced, currentLeader }
    })
    const throttleTimeMs = reader.int32()
    reader.tags({ [NODE_ENDPOINTS]: () => void (nodeEndpoints = readEndpoints(reader)) })
    return { partitions, throttleTimeMs, nodeEndpoints }
  },
}

const anyVersion: Partial<VersionRange> = {}

function readRefusedRecord(reader: Reader): RefusedRecord {
  const refused = { index: reader.int32(), message: reader.nullableString() }
  reader.tags()
  return refused
}
