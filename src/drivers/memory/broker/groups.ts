import { brokerCode } from '../../../connection/broker-error.js'
import type {
  DeleteGroupsAnswer,
  DeleteGroupsRequest,
  DescribedGroup,
  DescribeGroupsAnswer,
  DescribeGroupsRequest,
  ListGroupsAnswer,
  ListGroupsRequest,
  OffsetDeleteAnswer,
  OffsetDeleteRequest,
} from '../../../connection/requests/group-admin.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'

/** Of the groups that this broker coordinates. */
export function listGroups(groups: GroupCoordinators, node: number, request: ListGroupsRequest): ListGroupsAnswer {
  const { states, types } = request
  const mine = groups.groupIds().filter((groupId) => groups.coordinatorOf(groupId) === node)
  const listed = mine.flatMap((groupId) => {
    const told = groups.describe(groupId)
    return told === undefined ? [] : [{ groupId, protocolType: told.protocolType, state: told.state, type: told.type }]
  })
  const isWanted = (wanted: readonly string[], told: string) =>
    wanted.length === 0 || wanted.some((each) => each.toLowerCase() === told.toLowerCase())
  return {
    throttleTimeMs: 0,
    errorCode: brokerCode.NONE,
    groups: listed.filter(({ state, type }) => isWanted(states, state) && isWanted(types, type)),
  }
}

/** A classic group that is not there is told as `Dead`, one of another kind as not found; there are no share groups. */
export function describeGroups(
  cluster: ClusterState,
  groups: GroupCoordinators,
  node: number,
  { api, groupIds }: DescribeGroupsRequest,
): DescribeGroupsAnswer {
  const wanted = typeOf[api]
  const isOn = wanted === 'classic' || (wanted === 'consumer' && cluster.groupVersion > 0)
  return {
    throttleTimeMs: 0,
    groups: groupIds.map((groupId) => {
      const problem = isOn ? groups.problemAt(node, groupId) : brokerCode.UNSUPPORTED_VERSION
      if (problem !== brokerCode.NONE) return groupRefused(groupId, problem)
      const { type, ...told } = groups.describe(groupId) ?? { type: null }
      if (type === wanted && 'members' in told) return { ...told, groupId, errorCode: brokerCode.NONE }
      return groupRefused(groupId, wanted === 'classic' ? brokerCode.NONE : brokerCode.GROUP_ID_NOT_FOUND)
    }),
  }
}

const typeOf = { describeGroups: 'classic', consumerGroupDescribe: 'consumer', shareGroupDescribe: 'share' } as const

export function deleteGroups(
  groups: GroupCoordinators,
  node: number,
  { groupIds }: DeleteGroupsRequest,
): DeleteGroupsAnswer {
  const errors = groupIds.map((groupId) => ({
    groupId,
    errorCode: groups.problemAt(node, groupId) || groups.remove(groupId),
  }))
  return { throttleTimeMs: 0, groups: errors }
}

export function deleteOffsets(
  groups: GroupCoordinators,
  node: number,
  { groupId, partitions }: OffsetDeleteRequest,
): OffsetDeleteAnswer {
  const errorCode = groups.problemAt(node, groupId)
  if (errorCode !== brokerCode.NONE) return { throttleTimeMs: 0, errorCode, partitions: [] }
  return { throttleTimeMs: 0, ...groups.removeOffsets(groupId, partitions) }
}

export function groupRefused(groupId: string, errorCode: number): DescribedGroup {
  return { errorCode, groupId, state: 'Dead', protocolType: '', assignor: '', epoch: null, members: [] }
}
