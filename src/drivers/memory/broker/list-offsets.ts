import { brokerCode } from '../../../connection/broker-error.js'
import type { IsolationLevel, ListOffsetsAnswer, ListOffsetsRequest } from '../../../connection/requests.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { Partition } from '../log/partition.js'

const latest = -1
const earliest = -2

/** Answers a list-offsets request at the broker `node`. */
export function listOffsets(cluster: ClusterState, node: number, request: ListOffsetsRequest): ListOffsetsAnswer {
  return {
    throttleTimeMs: 0,
    partitions: request.partitions.map(({ topic, partition: index, timestamp }) => {
      const partition = cluster.partition(topic, index)
      const errorCode = problemOf(partition, node)
      const found =
        partition === undefined || errorCode !== brokerCode.NONE
          ? none
          : findOffset(partition, timestamp, request.isolation)
      return { topic, partition: index, errorCode, ...found }
    }),
  }
}

interface FoundOffset {
  readonly timestamp: number
  readonly offset: number
}

const none: FoundOffset = { timestamp: -1, offset: -1 }

function problemOf(partition: Partition | undefined, node: number): number {
  if (partition === undefined) return brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  return partition.leader === node ? brokerCode.NONE : brokerCode.NOT_LEADER_OR_FOLLOWER
}

function findOffset(partition: Partition, timestamp: number, isolation: IsolationLevel): FoundOffset {
  const end = isolation === 'read-committed' ? partition.lastStableOffset : partition.highWatermark
  if (timestamp === latest) return { timestamp: -1, offset: end }
  if (timestamp === earliest) return { timestamp: -1, offset: partition.log.startOffset }
  const record = partition.log.findByTime(timestamp, end)
  return record === undefined ? none : { timestamp: record.timestamp, offset: record.offset }
}
