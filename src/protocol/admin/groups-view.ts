import { brokerCode, brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { DescribedGroup, DescribeGroupsRequest } from '../../connection/requests/group-admin.js'
import { judgeBy } from '../../connection/verdicts.js'
import type { GroupDescription, GroupOffset, ListedGroup } from '../../driver/admin.js'
import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { ClientContext } from '../cluster/client-context.js'
import { CoordinatorLine } from '../cluster/coordinator-line.js'
import { rounds, type Retry } from '../cluster/transactions-view.js'

type GroupContext = ClientContext<{ readonly requestTimeoutMs: number }>

/** `retry`: asking again may help, perhaps somebody else. `busy`: members are there. */
type GroupVerdict = 'done' | 'not-known' | 'retry' | 'busy' | 'refused'

const judgeGroup = judgeBy<GroupVerdict>(
  {
    NONE: 'done',
    GROUP_ID_NOT_FOUND: 'not-known',
    NON_EMPTY_GROUP: 'busy',
    GROUP_SUBSCRIBED_TO_TOPIC: 'busy',
    // What an offset that nobody commits as a member is answered with while the group has members.
    UNKNOWN_MEMBER_ID: 'busy',
    ILLEGAL_GENERATION: 'busy',
    REBALANCE_IN_PROGRESS: 'busy',
    STALE_MEMBER_EPOCH: 'busy',
    FENCED_MEMBER_EPOCH: 'busy',
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'retry',
    NOT_COORDINATOR: 'retry',
    REQUEST_TIMED_OUT: 'retry',
    UNKNOWN_SERVER_ERROR: 'retry',
  },
  'refused',
)

/** The kinds of groups, the most usual first, and what describes each. */
const kinds = [
  { api: 'describeGroups', type: 'classic' },
  { api: 'consumerGroupDescribe', type: 'consumer' },
  { api: 'shareGroupDescribe', type: 'share' },
] as const

const nobody = { generationId: -1, memberId: '', groupInstanceId: null } as const

/** More than that makes no sentence. */
const namedMembers = 3

/** What coordinators know of groups, and what those may change who are no members. */
export class GroupsView {
  readonly #context: GroupContext
  readonly #retry: Retry

  constructor(context: GroupContext, retry: Retry) {
    this.#context = context
    this.#retry = retry
  }

  async list(states: readonly string[], types: readonly string[], deadline: number): Promise<readonly ListedGroup[]> {
    const { cluster } = this.#context
    let listed: readonly ListedGroup[] = []
    await rounds(this.#retry, 'listing groups', deadline, async () => {
      const { brokers } = await cluster.anyBroker({ api: 'metadata', topics: [] }, deadline)
      const request = { api: 'listGroups', states, types } as const
      const answers = await Promise.all(brokers.map(({ nodeId }) => cluster.broker(nodeId, request, deadline)))
      // A group that moves meanwhile may be told by two.
      const byId = new Map<string, ListedGroup>()
      for (const { errorCode, groups } of answers) {
        if (this.#judge(errorCode, 'listing groups') !== 'done') return brokerCodeName(errorCode)
        for (const group of groups) byId.set(group.groupId, group)
      }
      listed = [...byId.values()].filter(({ state, type }) => fits(states, state) && fits(types, type))
      return null
    })
    return listed
  }

  /** In the order of the ids; a group that nobody knows is left out. */
  async describe(groupIds: readonly string[], deadline: number): Promise<readonly GroupDescription[]> {
    const described = await Promise.all(groupIds.map((groupId) => this.#describeOne(groupId, deadline)))
    return described.filter((each) => each !== null)
  }

  /** @returns those that are gone by this; what nobody knew is left out */
  async delete(groupIds: readonly string[], deadline: number): Promise<readonly string[]> {
    const deleted = await Promise.all(groupIds.map((groupId) => this.#deleteOne(groupId, deadline)))
    return deleted.filter((groupId) => groupId !== null)
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[], deadline: number): Promise<void> {
    if (partitions.length === 0) return
    const doing = `deleting offsets of group "${groupId}"`
    await this.#change(groupId, doing, deadline, async (ask) => {
      const answer = await ask({ api: 'offsetDelete', groupId, partitions })
      const end = this.#judge(answer.errorCode, doing)
      // A group that nobody knows has committed nothing.
      if (end === 'not-known') return 'done'
      if (end !== 'done') return end
      return this.#worstOf(answer.partitions, doing)
    })
  }

  /** Whatever was committed before; not while the group has members, whose commits would take it back. */
  async setOffsets(groupId: string, offsets: readonly GroupOffset[], deadline: number): Promise<void> {
    if (offsets.length === 0) return
    const doing = `setting offsets of group "${groupId}"`
    const partitions = offsets.map(({ topic, partition, offset }) => ({
      ...{ topic, partition, offset },
      ...{ topicId: null, leaderEpoch: -1, metadata: null },
    }))
    await this.#change(groupId, doing, deadline, async (ask) => {
      // Asked each time: a member that came since the last attempt reads on from what that may have set.
      const [described] = await this.describe([groupId], deadline)
      if (described !== undefined && described.members.length > 0) return 'busy'
      if (described?.type === 'share') throw ofShareGroup(groupId, doing)
      const answer = await ask({ api: 'offsetCommit', groupId, ...nobody, partitions })
      return this.#worstOf(answer.partitions, doing)
    })
  }

  async #deleteOne(groupId: string, deadline: number): Promise<string | null> {
    const doing = `deleting group "${groupId}"`
    let isInDoubt = false
    let existed = true
    await this.#change(groupId, doing, deadline, async (ask) => {
      try {
        const { groups } = await ask({ api: 'deleteGroups', groupIds: [groupId] })
        const end = this.#judge(groups[0]?.errorCode ?? brokerCode.UNKNOWN_SERVER_ERROR, doing)
        if (end !== 'not-known') return end
        // After an attempt without an answer it is that attempt which deleted it.
        existed = isInDoubt
        return 'done'
      } catch (failure) {
        isInDoubt = true
        throw failure
      }
    })
    return existed ? groupId : null
  }

  /** Attempts at the group's coordinator until one has an end. */
  async #change(
    groupId: string,
    doing: string,
    deadline: number,
    attempt: (ask: <R extends Request>(request: R) => Promise<AnswerTo<R>>) => Promise<GroupVerdict>,
  ): Promise<void> {
    const line = new CoordinatorLine(this.#context, groupId)
    await rounds(this.#retry, doing, deadline, async () => {
      const end = await attempt((request) => line.ask(request, line.attemptUntil(deadline)))
      if (end === 'busy') throw await this.#busy(groupId, doing, deadline)
      if (end === 'done') return null
      line.lost()
      return 'the coordinator is not ready'
    })
  }

  async #describeOne(groupId: string, deadline: number): Promise<GroupDescription | null> {
    const line = new CoordinatorLine(this.#context, groupId)
    const doing = `describing group "${groupId}"`
    let described: GroupDescription | null = null
    await rounds(this.#retry, doing, deadline, async () => {
      for (const { api, type } of kinds) {
        const until = line.attemptUntil(deadline)
        const coordinator = await line.find(until)
        const group = await askIfOffered(() => line.askAt(coordinator, requestFor(api, groupId), until))
        if (group === null) continue
        const { errorCode, ...told } = group
        // Offered, and not switched on in this cluster: it has no such groups.
        if (errorCode === brokerCode.UNSUPPORTED_VERSION) continue
        const verdict = this.#judge(errorCode, doing, { fix: 'grant this client DESCRIBE on the group' })
        if (verdict === 'retry') {
          line.lost()
          return brokerCodeName(errorCode)
        }
        if (verdict !== 'done' || told.state === dead) continue
        described = { ...told, type, coordinator }
        return null
      }
      return null
    })
    return described
  }

  /** Why it cannot be done now: its members, by name. */
  async #busy(groupId: string, doing: string, deadline: number): Promise<DriverError> {
    const [group] = await this.describe([groupId], deadline)
    const members = group?.members ?? []
    const named = members
      .slice(0, namedMembers)
      .map(({ groupInstanceId, clientId, clientHost }) => `${groupInstanceId ?? clientId} at ${clientHost}`)
    const others = members.length > named.length ? [`${members.length - named.length} more`] : []
    const who = named.length === 0 ? '' : ` (${[...named, ...others].join(', ')})`
    return new DriverError(
      'group-not-empty',
      `${doing}: it has ${members.length === 0 ? 'members' : `${members.length} member(s)`}${who}; stop them first, and ` +
        'wait for the session time-out of those that were killed',
      { retriable: true },
    )
  }

  #judge(code: number, doing: string, place: Partial<TopicPartition> & { readonly fix?: string } = {}): GroupVerdict {
    const verdict = judgeGroup(code)
    if (verdict === 'refused') throw brokerError(code, doing, place)
    return verdict
  }

  #worstOf(partitions: readonly (TopicPartition & { readonly errorCode: number })[], doing: string): GroupVerdict {
    let worst: GroupVerdict = 'done'
    for (const { topic, partition, errorCode } of partitions) {
      const verdict = this.#judge(errorCode, `${doing} for ${topic}-${partition}`, { topic, partition })
      if (worst === 'done' || verdict === 'busy') worst = verdict
    }
    return worst
  }
}

/** The state of a group that nobody knows, or that is about to be forgotten. */
const dead = 'Dead'

function requestFor(api: (typeof kinds)[number]['api'], groupId: string): DescribeGroupsRequest & Request {
  return { api, groupIds: [groupId] }
}

/** `null` where brokers are too old to have such groups. */
async function askIfOffered(
  ask: () => Promise<{ readonly groups: readonly DescribedGroup[] }>,
): Promise<DescribedGroup | null> {
  try {
    return (await ask()).groups[0] ?? null
  } catch (failure) {
    if (failure instanceof RequestError && failure.failure === 'unsupported') return null
    throw failure
  }
}

/** Brokers that are too old to leave things out tell all. */
function fits(wanted: readonly string[], told: string): boolean {
  return wanted.length === 0 || wanted.some((each) => each.toLowerCase() === told.toLowerCase())
}

function ofShareGroup(groupId: string, doing: string): DriverError {
  return new DriverError(
    'unsupported',
    `${doing}: "${groupId}" is a share group, which keeps no offsets of this kind; use kafka-share-groups.sh`,
  )
}
