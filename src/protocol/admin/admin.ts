import { brokerCode, brokerError } from '../../connection/broker-error.js'
import type { Connection } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type { NamedError, NewTopic, ResourceType } from '../../connection/requests/admin.js'
import type { IsolationLevel } from '../../connection/requests/fetch.js'
import type { ClusterDescription, TopicMetadata } from '../../connection/requests/metadata.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import type {
  ConfigChanges,
  DriverAdmin,
  ElectedLeader,
  GroupDescription,
  GroupOffset,
  ListedGroup,
  ListedTransaction,
  OpenTransactionAt,
  PartitionReplicas,
  RecordsToDelete,
  TransactionDescription,
} from '../../driver/admin.js'
import type { ClientSettings } from '../../driver/client-settings.js'
import type { StartPosition } from '../../driver/consumer.js'
import { DriverError, StateError, TimeoutError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { Runtime } from '../../runtime/runtime.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import { Cluster } from '../cluster/cluster.js'
import { judgeTopicCode } from '../cluster/codes.js'
import { CoordinatorLine } from '../cluster/coordinator-line.js'
import { fetchCommitted, fetchCommittedNow } from '../offsets/committed.js'
import { lookUpOffsets, timestampOf } from '../offsets/look-up.js'
import { ClusterChanges } from './cluster-changes.js'
import { eligibleLeaders } from './eligible-leaders.js'
import { GroupsView } from './groups-view.js'
import { changeTopics, type TopicChangeParts } from './topic-changes.js'
import { TransactionsView, type Retry } from '../cluster/transactions-view.js'

const requestTimeoutMs = 5_000
const metadataMaxAgeMs = 300_000
/** Answers of brokers, each asked in turn, after which what they do not know is not there: one alone may lag. */
const deniedInARow = 3

export function createProtocolAdmin(connection: Connection, runtime: Runtime, settings: ClientSettings): DriverAdmin {
  return new ProtocolAdmin(connection, runtime, settings)
}

class ProtocolAdmin implements DriverAdmin {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #changes: TopicChangeParts
  readonly #transactions: TransactionsView
  readonly #groups: GroupsView
  readonly #clusterChanges: ClusterChanges
  readonly #closed = new AbortController()

  constructor(connection: Connection, runtime: Runtime, settings: ClientSettings) {
    this.#runtime = runtime
    this.#cluster = new Cluster(connection, runtime, { ...settings, requestTimeoutMs, metadataMaxAgeMs })
    const context = { cluster: this.#cluster, runtime, settings: { requestTimeoutMs } }
    const retry: Retry = (deadline, attempt) => this.#retry(deadline, attempt)
    this.#transactions = new TransactionsView(context, retry)
    this.#groups = new GroupsView(context, retry)
    this.#clusterChanges = new ClusterChanges(context, retry)
    this.#changes = { cluster: this.#cluster, runtime, requestTimeoutMs, closed: this.#closed.signal }
  }

  async createTopics(topics: readonly NewTopic[], deadline: number): Promise<readonly string[]> {
    const created = await changeTopics(this.#changes, {
      doing: 'creating topic',
      items: new Map(topics.map((topic) => [topic.name, topic])),
      ask: (missing, timeoutMs) => ({ api: 'createTopics', topics: missing, timeoutMs, validateOnly: false }),
      alreadyDone: (code) => code === brokerCode.TOPIC_ALREADY_EXISTS,
      deadline,
    })
    const isComplete = (name: string) => hasLeaders(this.#cluster.topic(name), 1)
    await this.#until(created, isComplete, deadline, 'was created, but not all of its partitions had a leader')
    return created
  }

  async deleteTopics(topics: readonly string[], deadline: number): Promise<void> {
    const deleted = await changeTopics(this.#changes, {
      doing: 'deleting topic',
      items: new Map(topics.map((name) => [name, name])),
      ask: (present, timeoutMs) => ({ api: 'deleteTopics', topics: present, timeoutMs }),
      alreadyDone: (code) => code === brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
      deadline,
    })
    const isGone = (name: string) => {
      const told = this.#cluster.topic(name)
      return told !== undefined && judgeTopicCode(told.errorCode) === 'denied'
    }
    await this.#until(deleted, isGone, deadline, 'was deleted, but was still listed')
  }

  async createPartitions(topic: string, count: number, deadline: number): Promise<void> {
    await changeTopics(this.#changes, {
      doing: `growing to ${count} partitions topic`,
      items: new Map([[topic, { name: topic, count }]]),
      ask: (topics, timeoutMs) => ({ api: 'createPartitions', topics, timeoutMs }),
      // Only after an attempt without an answer: then it is that attempt which made them.
      alreadyDone: (code, inDoubt) => inDoubt && code === brokerCode.INVALID_PARTITIONS,
      deadline,
    })
    const hasGrown = (name: string) => hasLeaders(this.#cluster.topic(name), count)
    await this.#until([topic], hasGrown, deadline, `did not have ${count} partitions with leaders`)
  }

  async describeCluster(deadline: number): Promise<ClusterDescription> {
    const request = { api: 'metadata', topics: [] } as const
    const { clusterId, controllerId, brokers } = await this.#cluster.anyBroker(request, deadline)
    return { clusterId, controllerId, brokers }
  }

  async describeTopics(topics: readonly string[] | null, deadline: number): Promise<readonly TopicMetadata[]> {
    const answer = await this.#cluster.anyBroker({ api: 'metadata', topics }, deadline)
    // Whoever names some is about to ask their leaders; of all topics nobody remembers everything.
    if (topics !== null) this.#cluster.learn(answer)
    const refused = answer.topics.find(({ errorCode }) => judgeTopicCode(errorCode) === 'forbidden')
    if (refused) {
      const fix = 'grant this client DESCRIBE on it'
      throw brokerError(refused.errorCode, `describing topic "${refused.name}"`, { topic: refused.name, fix })
    }
    const isThere = (code: number) => !['denied', 'impossible'].includes(judgeTopicCode(code))
    return answer.topics.filter(({ errorCode }) => isThere(errorCode))
  }

  eligibleLeaders(topics: readonly string[], deadline: number): Promise<readonly PartitionReplicas[] | null> {
    return eligibleLeaders(this.#cluster, topics, deadline)
  }

  async describeConfig(
    type: ResourceType,
    name: string,
    deadline: number,
  ): Promise<ReadonlyMap<string, string | null>> {
    const request = { api: 'describeConfigs', resources: [{ type, name }] } as const
    const answer =
      type === 'broker'
        ? await this.#cluster.connection.request(await this.#broker(name, deadline), 'main', request, deadline)
        : await this.#cluster.anyBroker(request, deadline)
    const resource: (NamedError & (typeof answer.resources)[number]) | undefined = answer.resources[0]
    if (!resource || resource.errorCode !== brokerCode.NONE) {
      const code = resource?.errorCode ?? brokerCode.UNKNOWN_SERVER_ERROR
      const place = type === 'topic' ? { topic: name } : {}
      throw brokerError(code, `reading the configuration of ${type} "${name}"`, place)
    }
    return new Map(resource.entries.map((entry) => [entry.name, entry.value]))
  }

  async alterConfig(type: ResourceType, name: string, changes: ConfigChanges, deadline: number): Promise<void> {
    if (type === 'broker') await this.#broker(name, deadline)
    await this.#clusterChanges.alterConfig(type, name, changes, deadline)
  }

  deleteRecords(records: readonly RecordsToDelete[], deadline: number): Promise<readonly number[]> {
    return this.#clusterChanges.deleteRecords(records, deadline)
  }

  electLeaders(partitions: readonly TopicPartition[], deadline: number): Promise<readonly ElectedLeader[]> {
    return this.#clusterChanges.electLeaders(partitions, deadline)
  }

  async listOffsets(
    partitions: readonly TopicPartition[],
    position: StartPosition,
    isolation: IsolationLevel,
    deadline: number,
  ): Promise<readonly number[]> {
    const settings = { isolation, requestTimeoutMs }
    const context = { cluster: this.#cluster, runtime: this.#runtime, settings }
    const found = new Map<string, number>()
    const timestamp = timestampOf(position)
    // Brokers refuse a partition that is named twice.
    const once = new Map(partitions.map((each) => [partitionKey(each.topic, each.partition), each]))
    let open = [...once.values()].map(({ topic, partition }) => ({ topic, partition, timestamp }))
    let round = 0
    await this.#retry(deadline, async () => {
      const findings = await lookUpOffsets(context, open, deadline)
      const unknown: typeof open = []
      round += 1
      let trouble = ''
      for (const [index, question] of open.entries()) {
        const finding = findings[index]
        if (finding?.kind === 'refused') throw finding.error
        if (finding?.kind === 'found') found.set(partitionKey(question.topic, question.partition), finding.offset)
        else {
          const missing = round < deniedInARow ? null : this.#missing(question)
          if (missing !== null) throw missing
          unknown.push(question)
          trouble = `looking up the offset of ${question.topic}-${question.partition}: ${finding?.reason ?? 'no answer'}`
        }
      }
      open = unknown
      return unknown.length === 0 ? null : trouble
    })
    return partitions.map(({ topic, partition }) => found.get(partitionKey(topic, partition)) ?? -1)
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    deadline: number,
    requireStable = true,
  ): Promise<readonly CommittedPartition[]> {
    const context = { cluster: this.#cluster, runtime: this.#runtime, settings: { requestTimeoutMs } }
    const line = new CoordinatorLine(context, groupId)
    let committed: readonly CommittedPartition[] = []
    await this.#retry(deadline, async () => {
      const { all, each } = await (requireStable ? fetchCommitted : fetchCommittedNow)(line, partitions, deadline)
      const found: CommittedPartition[] = []
      let uncertain: string | null = null
      for (const finding of all === null ? each.values() : [all]) {
        if (finding.kind === 'refused') throw finding.error
        if (finding.kind === 'not-yet') uncertain ??= `reading the commits of group "${groupId}": ${finding.reason}`
        if (finding.kind === 'committed') found.push(finding.committed)
      }
      committed = found
      return uncertain
    })
    return committed
  }

  listTransactions(
    states: readonly string[],
    producerIds: readonly number[],
    deadline: number,
  ): Promise<readonly ListedTransaction[]> {
    return this.#transactions.list(states, producerIds, deadline)
  }

  describeTransactions(ids: readonly string[], deadline: number): Promise<readonly TransactionDescription[]> {
    return this.#transactions.describe(ids, deadline)
  }

  openTransactions(partitions: readonly TopicPartition[], deadline: number): Promise<readonly OpenTransactionAt[]> {
    return this.#transactions.open(partitions, deadline)
  }

  listGroups(states: readonly string[], types: readonly string[], deadline: number): Promise<readonly ListedGroup[]> {
    return this.#groups.list(states, types, deadline)
  }

  describeGroups(groupIds: readonly string[], deadline: number): Promise<readonly GroupDescription[]> {
    return this.#groups.describe(groupIds, deadline)
  }

  deleteGroups(groupIds: readonly string[], deadline: number): Promise<readonly string[]> {
    return this.#groups.delete(groupIds, deadline)
  }

  deleteOffsets(groupId: string, partitions: readonly TopicPartition[], deadline: number): Promise<void> {
    return this.#groups.deleteOffsets(groupId, partitions, deadline)
  }

  setOffsets(groupId: string, offsets: readonly GroupOffset[], deadline: number): Promise<void> {
    return this.#groups.setOffsets(groupId, offsets, deadline)
  }

  /** What is being asked ends now, with an error. */
  async close(): Promise<void> {
    this.#closed.abort(new StateError('closed', 'the admin was closed before it had an answer'))
    await this.#cluster.close()
  }

  /** What the cluster says is not there; its metadata is as new as the last round. */
  #missing({ topic, partition }: TopicPartition): DriverError | null {
    const told = this.#cluster.topic(topic)
    if (told === undefined) return null
    const isDenied = judgeTopicCode(told.errorCode) === 'denied'
    if (!isDenied && (told.errorCode !== brokerCode.NONE || told.partitions.length > partition)) return null
    const problem = isDenied
      ? `topic "${topic}" does not exist; create it, or correct its name`
      : `${topic}-${partition} does not exist: the topic has ${told.partitions.length} partition(s), numbered from 0`
    return new DriverError('unknown-topic-or-partition', problem, {
      topic,
      partition,
      brokerCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
    })
  }

  async #broker(name: string, deadline: number): Promise<number> {
    const node = Number(name)
    if (!Number.isSafeInteger(node)) {
      throw new DriverError('unknown-broker', `expected the number of a broker, got "${name}"`)
    }
    await this.#cluster.connect(deadline)
    return node
  }

  /** Again and again with backoff; `attempt` resolves to what is still in the way, `null` when nothing is. */
  async #retry(deadline: number, attempt: () => Promise<string | null>): Promise<void> {
    const { clock, random } = this.#runtime
    let trouble: string | null = null
    for (let round = 1; ; round += 1) {
      const found = await attempt()
      if (found === null) return
      // An attempt that the deadline cut short says less than the one before.
      if (trouble === null || clock.now() < deadline) trouble = found
      this.#closed.signal.throwIfAborted()
      const pauseMs = brokerBackoff(round, random)
      if (clock.now() + pauseMs >= deadline) {
        throw new TimeoutError('admin-timeout', `no good answer before the deadline while ${trouble}`, {
          retriable: true,
        })
      }
      await clock.sleep(pauseMs, this.#closed.signal)
    }
  }

  async #until(
    names: readonly string[],
    isSo: (name: string) => boolean,
    deadline: number,
    otherwise: string,
  ): Promise<void> {
    if (names.length === 0) return
    await this.#retry(deadline, async () => {
      try {
        await this.#cluster.refresh(names, deadline)
      } catch (failure) {
        if (!(failure instanceof TimeoutError || failure instanceof RequestError)) throw failure
      }
      const open = names.find((name) => !isSo(name))
      return open === undefined ? null : `waiting: topic "${open}" ${otherwise}`
    })
  }
}

function hasLeaders(topic: TopicMetadata | undefined, atLeast: number): boolean {
  return (
    topic !== undefined &&
    topic.errorCode === brokerCode.NONE &&
    topic.partitions.length >= atLeast &&
    topic.partitions.every(({ leader }) => leader >= 0)
  )
}
