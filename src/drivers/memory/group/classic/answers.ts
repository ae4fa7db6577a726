import { brokerCode } from '../../../../connection/broker-error.js'
import type { JoinGroupAnswer, SyncGroupAnswer } from '../../../../connection/requests/groups.js'
import { emptyAssignment, subscriptionFor, type GroupMember } from './member.js'

/** The generation that members are told of. */
export interface Generation {
  readonly generationId: number
  readonly protocolName: string
  readonly leaderId: string | null
}

export function joinRefused(memberId: string, errorCode: number): JoinGroupAnswer {
  return { throttleTimeMs: 0, errorCode, generationId: -1, protocolName: '', leader: '', memberId, members: [] }
}

/** What a member learns of its generation; the leader also who is in it. */
export function joinAnswered(
  member: GroupMember,
  { generationId, protocolName, leaderId }: Generation,
  members: readonly GroupMember[],
): JoinGroupAnswer {
  const isLeader = member.memberId === leaderId
  return {
    throttleTimeMs: 0,
    errorCode: brokerCode.NONE,
    generationId,
    protocolName,
    leader: leaderId ?? '',
    memberId: member.memberId,
    members: isLeader ? members.map((each) => describe(each, protocolName)) : [],
  }
}

export function syncRefused(errorCode: number): SyncGroupAnswer {
  return { throttleTimeMs: 0, errorCode, assignment: emptyAssignment }
}

export function syncAnswered(member: GroupMember): SyncGroupAnswer {
  return { throttleTimeMs: 0, errorCode: brokerCode.NONE, assignment: member.assignment }
}

/** Answers a parked JoinGroup; false when none is parked. */
export function answerJoin(member: GroupMember, answer: JoinGroupAnswer): boolean {
  const reply = member.join
  member.join = null
  reply?.(answer)
  return reply !== null
}

/** Answers a parked SyncGroup; false when none is parked. */
export function answerSync(member: GroupMember, answer: SyncGroupAnswer): boolean {
  const reply = member.sync
  member.sync = null
  reply?.(answer)
  return reply !== null
}

function describe(member: GroupMember, protocolName: string): JoinGroupAnswer['members'][number] {
  return {
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    subscription: subscriptionFor(member, protocolName),
  }
}
