import { brokerCodeName } from '../../../connection/broker-error.js'
import type { NamedError } from '../../../connection/requests/admin.js'
import type { Request } from '../../../connection/requests/apis.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { describeMetadata } from '../broker/administration.js'
import type { AnyAnswer } from '../broker/broker.js'
import { fetchedPlaces, fetchRefused } from '../broker/fetch.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { groupRefused } from '../broker/groups.js'
import { joinRefused, syncRefused } from '../group/classic/answers.js'
import { heartbeatRefused } from '../group/consumer/consumer-group.js'

/** The answer of a broker that refuses everything a request asks with one code. */
export function refuse(cluster: ClusterState, request: Request, errorCode: number): AnyAnswer {
  const throttleTimeMs = 0
  const at = ({ topic, partition }: TopicPartition) => ({ topic, partition, errorCode })
  const named = (name: string): NamedError => ({ name, errorCode, errorMessage: brokerCodeName(errorCode) })
  switch (request.api) {
    case 'apiVersions':
      return { throttleTimeMs, errorCode, offered: [], finalizedFeatures: [], finalizedFeaturesEpoch: -1 }
    case 'metadata':
      return {
        ...describeMetadata(cluster, { api: 'metadata', topics: [] }),
        topics: (request.topics ?? []).map((name) => ({
          name,
          topicId: null,
          errorCode,
          isInternal: false,
          partitions: [],
        })),
      }
    case 'describeTopicPartitions':
      return {
        throttleTimeMs,
        topics: request.topics.map((name) => ({ errorCode, name, partitions: [] })),
        nextCursor: null,
      }
    case 'produce':
      return {
        throttleTimeMs,
        partitions: request.batches.map((batch) => ({
          ...at(batch),
          baseOffset: -1,
          logAppendTime: -1,
          logStartOffset: -1,
          recordErrors: [],
          errorMessage: null,
        })),
      }
    case 'initProducerId':
      return { throttleTimeMs, errorCode, producerId: -1, producerEpoch: -1 }
    case 'fetch':
      return {
        throttleTimeMs,
        errorCode: 0,
        sessionId: request.session?.id,
        partitions: fetchedPlaces(request).map((asked) => fetchRefused(asked, errorCode)),
      }
    case 'listOffsets':
      return {
        throttleTimeMs,
        partitions: request.partitions.map((asked) => ({ ...at(asked), timestamp: -1, offset: -1, leaderEpoch: -1 })),
      }
    case 'offsetForLeaderEpoch':
      return {
        throttleTimeMs,
        partitions: request.partitions.map((asked) => ({ ...at(asked), leaderEpoch: -1, endOffset: -1 })),
      }
    case 'findCoordinator':
      return { throttleTimeMs, errorCode, nodeId: -1, host: '', port: -1 }
    case 'joinGroup':
      return joinRefused(request.memberId, errorCode)
    case 'syncGroup':
      return syncRefused(errorCode)
    case 'heartbeat':
    case 'leaveGroup':
      return { throttleTimeMs, errorCode }
    case 'consumerGroupHeartbeat':
      return heartbeatRefused(errorCode)
    case 'offsetCommit':
      return { throttleTimeMs, partitions: request.partitions.map(at) }
    case 'addPartitionsToTxn':
    case 'txnOffsetCommit':
      return { throttleTimeMs, partitions: request.partitions.map(at) }
    case 'addOffsetsToTxn':
      return { throttleTimeMs, errorCode }
    case 'endTxn':
      return { throttleTimeMs, errorCode, producerId: -1, producerEpoch: -1 }
    case 'listTransactions':
      return { throttleTimeMs, errorCode, unknownStateFilters: [], transactions: [] }
    case 'describeTransactions':
      return {
        throttleTimeMs,
        transactions: request.transactionalIds.map((transactionalId) => ({
          ...{ errorCode, transactionalId, state: '', timeoutMs: -1, startTimeMs: -1 },
          ...{ producerId: -1, producerEpoch: -1, partitions: [] },
        })),
      }
    case 'describeProducers':
      return { throttleTimeMs, partitions: request.partitions.map((asked) => ({ ...at(asked), producers: [] })) }
    case 'listGroups':
      return { throttleTimeMs, errorCode, groups: [] }
    case 'describeGroups':
    case 'consumerGroupDescribe':
    case 'shareGroupDescribe':
      return { throttleTimeMs, groups: request.groupIds.map((groupId) => groupRefused(groupId, errorCode)) }
    case 'deleteGroups':
      return { throttleTimeMs, groups: request.groupIds.map((groupId) => ({ groupId, errorCode })) }
    case 'offsetDelete':
      return { throttleTimeMs, errorCode, partitions: [] }
    case 'offsetFetch':
      return { throttleTimeMs, errorCode, partitions: [] }
    case 'createTopics':
      return { throttleTimeMs, topics: request.topics.map(({ name }) => named(name)) }
    case 'deleteTopics':
      return { throttleTimeMs, topics: request.topics.map(named) }
    case 'createPartitions':
      return { throttleTimeMs, topics: request.topics.map(({ name }) => named(name)) }
    case 'incrementalAlterConfigs':
      return { throttleTimeMs, resources: [named(request.name)] }
    case 'deleteRecords':
      return { throttleTimeMs, partitions: request.partitions.map((asked) => ({ ...at(asked), logStartOffset: -1 })) }
    case 'electLeaders':
      return { throttleTimeMs, errorCode, partitions: [] }
    case 'describeConfigs':
      return {
        throttleTimeMs,
        resources: request.resources.map(({ type, name }) => ({ ...named(name), type, entries: [] })),
      }
  }
}
