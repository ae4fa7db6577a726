import { brokerCode } from '../../../connection/broker-error.js'
import type { IsolationLevel } from '../../../connection/requests/fetch.js'
import type { FoundOffset, ListOffsetsAnswer, ListOffsetsRequest } from '../../../connection/requests/list-offsets.js'
import { partitionKey, type TopicPartition } from '../../../message/topic-partition.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { leadershipProblem } from './leadership.js'
import type { Partition } from '../log/partition.js'

const latest = -1
const earliest = -2

/** Answers a list-offsets request at the broker `node`. */
export function listOffsets(cluster: ClusterState, node: number, request: ListOffsetsRequest): ListOffsetsAnswer {
  const times = new Map<string, number>()
  for (const each of request.partitions) times.set(keyOf(each), (times.get(keyOf(each)) ?? 0) + 1)
  return {
    throttleTimeMs: 0,
    partitions: request.partitions.map(({ topic, partition: index, timestamp }) => {
      const partition = cluster.partition(topic, index)
      const isTwice = (times.get(keyOf({ topic, partition: index })) ?? 0) > 1
      const errorCode = isTwice ? brokerCode.INVALID_REQUEST : leadershipProblem(partition, node, -1)
      const found =
        partition === undefined || errorCode !== brokerCode.NONE
          ? none
          : findOffset(partition, timestamp, request.isolation)
      return { topic, partition: index, errorCode, ...found }
    }),
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition)
}

type Found = Pick<FoundOffset, 'timestamp' | 'offset' | 'leaderEpoch'>

const none: Found = { timestamp: -1, offset: -1, leaderEpoch: -1 }

function findOffset(partition: Partition, timestamp: number, isolation: IsolationLevel): Found {
  const end = isolation === 'read-committed' ? partition.lastStableOffset : partition.highWatermark
  if (timestamp === latest) return { timestamp: -1, offset: end, leaderEpoch: partition.leaderEpoch }
  if (timestamp === earliest) return foundAt(partition, partition.log.startOffset, -1)
  const record = partition.log.findByTime(timestamp, end)
  return record === undefined ? none : foundAt(partition, record.offset, record.timestamp)
}

function foundAt({ log, leaderEpoch }: Partition, offset: number, timestamp: number): Found {
  return { timestamp, offset, leaderEpoch: log.epochOf(offset) ?? leaderEpoch }
}
