/** The broker's side of `wire/`: bytes of answers, for round trips and for scripted brokers. */
import { createHash } from 'node:crypto'
import type { ApiName, Apis } from '../../../src/connection/requests/apis.js'
import type { DescribedGroup } from '../../../src/connection/requests/group-admin.js'
import type { Broker, LeaderHint } from '../../../src/connection/requests/metadata.js'
import type { TopicPartition } from '../../../src/message/topic-partition.js'
import { apis } from '../../../src/wire/apis.js'
import { encodeAssignment, encodeSubscription } from '../../../src/wire/consumer-protocol.js'
import { writeByTopic } from '../../../src/wire/apis/codec.js'
import { Writer } from '../../../src/wire/writer.js'

type Encoders = {
  [Name in ApiName]: (answer: Apis[Name]['answer'], version: number, writer: Writer, batches: RecordBytes) => void
}
/** Record bytes of a fetch answer, by `topic-partition`. */
type RecordBytes = ReadonlyMap<string, Buffer>

const namedErrors = (answer: Apis['createTopics']['answer'], writer: Writer) => {
  writer.int32(answer.throttleTimeMs)
  writer.array(answer.topics, (topic) => {
    writer.string(topic.name)
    writer.int16(topic.errorCode)
    writer.nullableString(topic.errorMessage)
  })
}
const throttledError = (answer: { throttleTimeMs: number; errorCode: number }, writer: Writer) => {
  writer.int32(answer.throttleTimeMs)
  writer.int16(answer.errorCode)
}

const partitionErrors = (answer: Apis['addPartitionsToTxn']['answer'], _version: number, writer: Writer) => {
  writer.int32(answer.throttleTimeMs)
  writeByTopic(writer, answer.partitions, ({ partition, errorCode }) => {
    writer.int32(partition)
    writer.int16(errorCode)
    writer.tags()
  })
  writer.tags()
}

const groupHead = (group: DescribedGroup, writer: Writer) => {
  writer.int16(group.errorCode)
  writer.nullableString(null)
  writer.string(group.groupId)
  writer.string(group.state)
  writer.int32(group.epoch ?? -1)
  writer.int32(7)
  writer.string(group.assignor)
}

const placesById = (places: readonly TopicPartition[], writer: Writer) => {
  const writeTopic = ({ topic }: TopicPartition) => {
    writer.uuid(idOf(topic))
    writer.string(topic)
  }
  writeByTopic(writer, places, ({ partition }) => writer.int32(partition), writeTopic)
  writer.tags()
}

/** A topic's id in these answers. */
export function idOf(topic: string): string {
  return createHash('md5').update(topic).digest('base64url')
}

const encoders: Encoders = {
  apiVersions(answer, version, writer) {
    writer.int16(answer.errorCode)
    writer.array(answer.offered, ({ apiKey, min, max }) => {
      writer.int16(apiKey)
      writer.int16(min)
      writer.int16(max)
      writer.tags()
    })
    if (version >= 1) writer.int32(answer.throttleTimeMs)
    writer.tags([
      [0, (field) => field.array([], () => {})],
      [1, (field) => field.int64(answer.finalizedFeaturesEpoch)],
      [
        2,
        (field) =>
          field.array(answer.finalizedFeatures, ({ name, minLevel, maxLevel }) => {
            field.string(name)
            field.int16(maxLevel)
            field.int16(minLevel)
            field.tags()
          }),
      ],
      [3, (field) => field.boolean(true)],
    ])
  },
  metadata(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.brokers, (broker) => {
      writer.int32(broker.nodeId)
      writer.string(broker.host)
      writer.int32(broker.port)
      writer.nullableString(broker.rack)
      writer.tags()
    })
    writer.nullableString(answer.clusterId)
    writer.int32(answer.controllerId)
    writer.array(answer.topics, (topic) => {
      writer.int16(topic.errorCode)
      writer.string(topic.name)
      if (version >= 10) writer.uuid(topic.topicId)
      writer.boolean(topic.isInternal)
      writer.array(topic.partitions, (partition) => {
        writer.int16(partition.errorCode)
        writer.int32(partition.partition)
        writer.int32(partition.leader)
        if (version >= 7) writer.int32(partition.leaderEpoch)
        writer.array(partition.replicas, (id) => writer.int32(id))
        writer.array(partition.isr, (id) => writer.int32(id))
        writer.array([], () => {})
        writer.tags()
      })
      if (version >= 8) writer.int32(-2_147_483_648)
      writer.tags()
    })
    if (version >= 8 && version <= 10) writer.int32(-2_147_483_648)
    writer.tags()
  },
  describeTopicPartitions(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.topics, (topic) => {
      writer.int16(topic.errorCode)
      writer.string(topic.name)
      writer.uuid(null)
      writer.boolean(false)
      writer.array(topic.partitions, (partition) => {
        writer.int16(partition.errorCode)
        writer.int32(partition.partition)
        writer.int32(partition.leader)
        writer.int32(partition.leaderEpoch)
        for (const ids of [partition.replicas, partition.isr, partition.eligible, partition.lastKnown, []]) {
          writer.array(ids, (id) => writer.int32(id))
        }
        writer.tags()
      })
      writer.int32(-2_147_483_648)
      writer.tags()
    })
    writer.int8(answer.nextCursor === null ? -1 : 1)
    if (answer.nextCursor !== null) {
      writer.string(answer.nextCursor.topic)
      writer.int32(answer.nextCursor.partition)
      writer.tags()
    }
    writer.tags()
  },
  produce(answer, version, writer) {
    writeByTopic(writer, answer.partitions, (partition) => {
      writer.int32(partition.partition)
      writer.int16(partition.errorCode)
      writer.int64(partition.baseOffset)
      writer.int64(partition.logAppendTime)
      writer.int64(partition.logStartOffset)
      if (version >= 8) {
        writer.array(partition.recordErrors, ({ index, message }) => {
          writer.int32(index)
          writer.nullableString(message)
          writer.tags()
        })
        writer.nullableString(partition.errorMessage)
      }
      writer.tags(version >= 10 ? hintTag(0, partition) : [])
    })
    writer.int32(answer.throttleTimeMs)
    writer.tags(version >= 10 ? endpointsTag(answer) : [])
  },
  initProducerId(answer, _version, writer) {
    throttledError(answer, writer)
    writer.int64(answer.producerId)
    writer.int16(answer.producerEpoch)
    writer.tags()
  },
  fetch(answer, version, writer, batches) {
    throttledError(answer, writer)
    writer.int32(answer.sessionId ?? 0)
    const writeTopic = ({ topic }: { readonly topic: string }) =>
      version >= 13 ? writer.uuid(idOf(topic)) : writer.string(topic)
    const writePartition = (partition: (typeof answer.partitions)[number]) => {
      writer.int32(partition.partition)
      writer.int16(partition.errorCode)
      writer.int64(partition.highWatermark)
      writer.int64(partition.lastStableOffset)
      writer.int64(partition.logStartOffset)
      writer.array(partition.abortedTransactions, (aborted) => {
        writer.int64(aborted.producerId)
        writer.int64(aborted.firstOffset)
        writer.tags()
      })
      writer.int32(partition.preferredReadReplica ?? -1)
      writer.nullableBytes(batches.get(`${partition.topic}-${partition.partition}`) ?? null)
      writer.tags(hintTag(1, partition))
    }
    writeByTopic(writer, answer.partitions, writePartition, writeTopic)
    writer.tags(version >= 16 ? endpointsTag(answer) : [])
  },
  listOffsets(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    writeByTopic(writer, answer.partitions, (partition) => {
      writer.int32(partition.partition)
      writer.int16(partition.errorCode)
      writer.int64(partition.timestamp)
      writer.int64(partition.offset)
      if (version >= 4) writer.int32(partition.leaderEpoch)
    })
  },
  offsetForLeaderEpoch(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writeByTopic(writer, answer.partitions, (partition) => {
      writer.int16(partition.errorCode)
      writer.int32(partition.partition)
      writer.int32(partition.leaderEpoch)
      writer.int64(partition.endOffset)
      writer.tags()
    })
    writer.tags()
  },
  findCoordinator(answer, version, writer) {
    const address = () => {
      writer.int32(answer.nodeId)
      writer.string(answer.host)
      writer.int32(answer.port)
    }
    if (version >= 4) {
      writer.int32(answer.throttleTimeMs)
      writer.array(['key'], (key) => {
        writer.string(key)
        address()
        writer.int16(answer.errorCode)
        writer.nullableString('NONE')
        writer.tags()
      })
    } else {
      throttledError(answer, writer)
      writer.nullableString('NONE')
      address()
    }
    writer.tags()
  },
  joinGroup(answer, _version, writer) {
    throttledError(answer, writer)
    writer.int32(answer.generationId)
    writer.string(answer.protocolName)
    writer.string(answer.leader)
    writer.string(answer.memberId)
    writer.array(answer.members, (member) => {
      writer.string(member.memberId)
      writer.nullableString(member.groupInstanceId)
      writer.bytes(encodeSubscription(member.subscription))
    })
  },
  syncGroup(answer, _version, writer) {
    throttledError(answer, writer)
    writer.bytes(encodeAssignment(answer.assignment))
  },
  heartbeat(answer, _version, writer) {
    throttledError(answer, writer)
  },
  leaveGroup(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.int16(0)
    writer.array([answer.errorCode], (code) => {
      writer.string('member')
      writer.nullableString(null)
      writer.int16(code)
    })
  },
  offsetCommit(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    const writeTopic = ({ topic }: { readonly topic: string }) =>
      version >= 10 ? writer.uuid(idOf(topic)) : writer.string(topic)
    const writePartition = ({ partition, errorCode }: (typeof answer.partitions)[number]) => {
      writer.int32(partition)
      writer.int16(errorCode)
      writer.tags()
    }
    writeByTopic(writer, answer.partitions, writePartition, writeTopic)
    writer.tags()
  },
  offsetFetch(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    const ofGroup = () => {
      writeByTopic(writer, answer.partitions, (partition) => {
        writer.int32(partition.partition)
        writer.int64(partition.offset)
        writer.int32(partition.leaderEpoch)
        writer.nullableString(partition.metadata)
        writer.int16(partition.errorCode)
        writer.tags()
      })
      writer.int16(answer.errorCode)
    }
    if (version < 8) ofGroup()
    else {
      writer.array(['group'], (group) => {
        writer.string(group)
        ofGroup()
        writer.tags()
      })
    }
    writer.tags()
  },
  consumerGroupHeartbeat(answer, _version, writer) {
    throttledError(answer, writer)
    writer.nullableString(answer.errorMessage)
    writer.nullableString(answer.memberId)
    writer.int32(answer.memberEpoch)
    writer.int32(answer.heartbeatIntervalMs)
    writer.int8(answer.assignment === null ? -1 : 1)
    if (answer.assignment !== null) {
      const ids = [...new Set(answer.assignment.map(({ topicId }) => topicId))]
      writer.array(ids, (id) => {
        const ofTopic = answer.assignment!.filter(({ topicId }) => topicId === id)
        writer.uuid(id)
        writer.array(ofTopic, ({ partition }) => writer.int32(partition))
        writer.tags()
      })
      writer.tags()
    }
    writer.tags()
  },
  addPartitionsToTxn: partitionErrors,
  addOffsetsToTxn(answer, _version, writer) {
    throttledError(answer, writer)
    writer.tags()
  },
  txnOffsetCommit: partitionErrors,
  endTxn(answer, version, writer) {
    throttledError(answer, writer)
    if (version >= 5) {
      writer.int64(answer.producerId)
      writer.int16(answer.producerEpoch)
    }
    writer.tags()
  },
  listTransactions(answer, _version, writer) {
    throttledError(answer, writer)
    writer.array(answer.unknownStateFilters, (state) => writer.string(state))
    writer.array(answer.transactions, ({ transactionalId, producerId, state }) => {
      writer.string(transactionalId)
      writer.int64(producerId)
      writer.string(state)
      writer.tags()
    })
    writer.tags()
  },
  describeTransactions(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.transactions, (transaction) => {
      writer.int16(transaction.errorCode)
      writer.string(transaction.transactionalId)
      writer.string(transaction.state)
      writer.int32(transaction.timeoutMs)
      writer.int64(transaction.startTimeMs)
      writer.int64(transaction.producerId)
      writer.int16(transaction.producerEpoch)
      writeByTopic(writer, transaction.partitions, ({ partition }) => writer.int32(partition))
      writer.tags()
    })
    writer.tags()
  },
  describeProducers(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writeByTopic(writer, answer.partitions, ({ partition, errorCode, producers }) => {
      writer.int32(partition)
      writer.int16(errorCode)
      writer.nullableString(null)
      writer.array(producers, (producer) => {
        writer.int64(producer.producerId)
        writer.int32(producer.producerEpoch)
        writer.int32(producer.lastSequence)
        writer.int64(producer.lastTimestamp)
        writer.int32(producer.coordinatorEpoch)
        writer.int64(producer.currentTxnStartOffset)
        writer.tags()
      })
      writer.tags()
    })
    writer.tags()
  },
  listGroups(answer, version, writer) {
    throttledError(answer, writer)
    writer.array(answer.groups, ({ groupId, protocolType, state, type }) => {
      writer.string(groupId)
      writer.string(protocolType)
      if (version >= 4) writer.string(state)
      // As brokers write it.
      if (version >= 5) writer.string(`${type.charAt(0).toUpperCase()}${type.slice(1)}`)
      writer.tags()
    })
    writer.tags()
  },
  describeGroups(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.groups, (group) => {
      writer.int16(group.errorCode)
      writer.string(group.groupId)
      writer.string(group.state)
      writer.string(group.protocolType)
      writer.string(group.assignor)
      writer.array(group.members, (member) => {
        writer.string(member.memberId)
        writer.nullableString(member.groupInstanceId)
        writer.string(member.clientId)
        writer.string(member.clientHost)
        const { topics, partitions } = member
        writer.bytes(encodeSubscription({ version: 0, topics, userData: null, ownedPartitions: [] }))
        writer.bytes(encodeAssignment({ partitions, userData: null }))
        writer.tags()
      })
      writer.int32(0)
      writer.tags()
    })
    writer.tags()
  },
  consumerGroupDescribe(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.groups, (group) => {
      groupHead(group, writer)
      writer.array(group.members, (member) => {
        writer.string(member.memberId)
        writer.nullableString(member.groupInstanceId)
        writer.nullableString(member.rackId)
        writer.int32(member.epoch ?? -1)
        writer.string(member.clientId)
        writer.string(member.clientHost)
        writer.array(member.topics, (topic) => writer.string(topic))
        writer.nullableString(member.topicRegex)
        placesById(member.partitions, writer)
        placesById(member.target ?? [], writer)
        if (version >= 1) writer.int8(1)
        writer.tags()
      })
      writer.int32(0)
      writer.tags()
    })
    writer.tags()
  },
  shareGroupDescribe(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.groups, (group) => {
      groupHead(group, writer)
      writer.array(group.members, (member) => {
        writer.string(member.memberId)
        writer.nullableString(member.rackId)
        writer.int32(member.epoch ?? -1)
        writer.string(member.clientId)
        writer.string(member.clientHost)
        writer.array(member.topics, (topic) => writer.string(topic))
        placesById(member.partitions, writer)
        writer.tags()
      })
      writer.int32(0)
      writer.tags()
    })
    writer.tags()
  },
  deleteGroups(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.groups, ({ groupId, errorCode }) => {
      writer.string(groupId)
      writer.int16(errorCode)
      writer.tags()
    })
    writer.tags()
  },
  offsetDelete(answer, _version, writer) {
    writer.int16(answer.errorCode)
    writer.int32(answer.throttleTimeMs)
    writeByTopic(writer, answer.partitions, ({ partition, errorCode }) => {
      writer.int32(partition)
      writer.int16(errorCode)
    })
  },
  incrementalAlterConfigs(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.resources, ({ name, errorCode, errorMessage }) => {
      writer.int16(errorCode)
      writer.nullableString(errorMessage)
      writer.int8(2)
      writer.string(name)
      writer.tags()
    })
    writer.tags()
  },
  deleteRecords(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writeByTopic(writer, answer.partitions, ({ partition, logStartOffset, errorCode }) => {
      writer.int32(partition)
      writer.int64(logStartOffset)
      writer.int16(errorCode)
      writer.tags()
    })
    writer.tags()
  },
  electLeaders(answer, _version, writer) {
    throttledError(answer, writer)
    writeByTopic(writer, answer.partitions, ({ partition, errorCode }) => {
      writer.int32(partition)
      writer.int16(errorCode)
      writer.nullableString('words')
      writer.tags()
    })
    writer.tags()
  },
  createTopics(answer, _version, writer) {
    namedErrors(answer, writer)
  },
  deleteTopics(answer, _version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.topics, (topic) => {
      writer.string(topic.name)
      writer.int16(topic.errorCode)
    })
  },
  createPartitions(answer, _version, writer) {
    namedErrors(answer, writer)
  },
  describeConfigs(answer, version, writer) {
    writer.int32(answer.throttleTimeMs)
    writer.array(answer.resources, (resource) => {
      writer.int16(resource.errorCode)
      writer.nullableString(resource.errorMessage)
      writer.int8(resource.type === 'topic' ? 2 : 4)
      writer.string(resource.name)
      writer.array(resource.entries, (entry) => {
        writer.string(entry.name)
        writer.nullableString(entry.value)
        writer.boolean(false)
        writer.int8(entry.isDefault ? 5 : 1)
        writer.boolean(false)
        writer.array(['synonym'], (name) => {
          writer.string(name)
          writer.nullableString('value')
          writer.int8(1)
        })
        if (version >= 3) {
          writer.int8(1)
          writer.nullableString(null)
        }
      })
    })
  },
}

const noBytes: RecordBytes = new Map()

/** An answer as a frame without its length. */
export function encodeAnswer<Name extends ApiName>(
  api: Name,
  answer: Apis[Name]['answer'],
  version: number,
  correlationId = 7,
  batches = noBytes,
): Buffer {
  const writer = new Writer(version >= apis[api].flexibleFrom)
  writer.int32(correlationId)
  if (apis[api].plainAnswerHeader === undefined) writer.tags()
  encoders[api](answer, version, writer, batches)
  return Buffer.concat(writer.finish())
}

type TaggedFields = Parameters<Writer['tags']>[0]

function hintTag(tag: number, { currentLeader }: { readonly currentLeader?: LeaderHint | undefined }): TaggedFields {
  if (currentLeader === undefined) return []
  const write = (writer: Writer) => {
    writer.int32(currentLeader.leader)
    writer.int32(currentLeader.leaderEpoch)
    writer.tags()
  }
  return [[tag, write]]
}

function endpointsTag({ nodeEndpoints }: { readonly nodeEndpoints?: readonly Broker[] | undefined }): TaggedFields {
  if (nodeEndpoints === undefined) return []
  const write = (writer: Writer) =>
    writer.array(nodeEndpoints, ({ nodeId, host, port, rack }) => {
      writer.int32(nodeId)
      writer.string(host)
      writer.int32(port)
      writer.nullableString(rack)
      writer.tags()
    })
  return [[0, write]]
}
