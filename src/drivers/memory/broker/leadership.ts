import { brokerCode } from '../../../connection/broker-error.js'
import type { Partition } from '../log/partition.js'

/** May the broker `node` answer for the partition, to someone who believes in that epoch (-1: in any)? */
export function leadershipProblem(partition: Partition | undefined, node: number, currentLeaderEpoch: number): number {
  if (partition === undefined) return brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  if (partition.leader !== node) return brokerCode.NOT_LEADER_OR_FOLLOWER
  return epochProblem(partition, currentLeaderEpoch)
}

/** As `leadershipProblem`, of records that followers give, too. */
export function readingProblem(partition: Partition | undefined, node: number, currentLeaderEpoch: number): number {
  if (partition === undefined) return brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  if (!partition.replicas.includes(node) || partition.leader === -1) return brokerCode.NOT_LEADER_OR_FOLLOWER
  return epochProblem(partition, currentLeaderEpoch)
}

function epochProblem(partition: Partition, currentLeaderEpoch: number): number {
  if (currentLeaderEpoch > partition.leaderEpoch) return brokerCode.UNKNOWN_LEADER_EPOCH
  if (currentLeaderEpoch >= 0 && currentLeaderEpoch < partition.leaderEpoch) return brokerCode.FENCED_LEADER_EPOCH
  return brokerCode.NONE
}
