import { brokerCode } from '../../../connection/broker-error.js'
import type {
  OffsetForLeaderEpochAnswer,
  OffsetForLeaderEpochRequest,
} from '../../../connection/requests/offset-for-leader-epoch.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { leadershipProblem } from './leadership.js'

/** Answers where epochs of leaders ended, at the broker `node`. */
export function offsetForLeaderEpoch(
  cluster: ClusterState,
  node: number,
  { partitions }: OffsetForLeaderEpochRequest,
): OffsetForLeaderEpochAnswer {
  return {
    throttleTimeMs: 0,
    partitions: partitions.map(({ topic, partition: index, currentLeaderEpoch, leaderEpoch }) => {
      const partition = cluster.partition(topic, index)
      const problem = leadershipProblem(partition, node, currentLeaderEpoch)
      const end =
        partition === undefined || problem !== brokerCode.NONE
          ? { leaderEpoch: -1, endOffset: -1 }
          : partition.epochs.endOf(leaderEpoch, partition.log.endOffset)
      return { topic, partition: index, errorCode: problem, ...end }
    }),
  }
}
