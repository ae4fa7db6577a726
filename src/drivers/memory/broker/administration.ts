import { brokerCode, brokerCodeName } from '../../../connection/broker-error.js'
import type {
  AlterConfigsAnswer,
  AlterConfigsRequest,
  CreatePartitionsAnswer,
  CreatePartitionsRequest,
  CreateTopicsAnswer,
  CreateTopicsRequest,
  DeleteRecordsAnswer,
  DeleteRecordsRequest,
  DeleteTopicsAnswer,
  DeleteTopicsRequest,
  DescribeConfigsAnswer,
  DescribeConfigsRequest,
  ElectLeadersAnswer,
  ElectLeadersRequest,
  NamedError,
  NewTopic,
} from '../../../connection/requests/admin.js'
import type { ApiVersionsAnswer } from '../../../connection/requests/api-versions.js'
import type {
  DescribeTopicPartitionsAnswer,
  DescribeTopicPartitionsRequest,
  MetadataAnswer,
  MetadataRequest,
  TopicMetadata,
} from '../../../connection/requests/metadata.js'
import { brokerAddress } from '../cluster/broker-address.js'
import type { ClusterState, Topic } from '../cluster/cluster-state.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { configProblem } from '../log/topic-configs.js'
import { leadershipProblem } from './leadership.js'

/** Typed requests have no versions here, and nothing is switched on that a cluster has to agree on. */
export function describeVersions({ transactionVersion, groupVersion, featuresEpoch }: ClusterState): ApiVersionsAnswer {
  return {
    throttleTimeMs: 0,
    errorCode: brokerCode.NONE,
    offered: [],
    finalizedFeatures: [
      { name: 'transaction.version', minLevel: 0, maxLevel: transactionVersion },
      { name: 'group.version', minLevel: 0, maxLevel: groupVersion },
    ],
    finalizedFeaturesEpoch: featuresEpoch,
  }
}

export function describeMetadata(cluster: ClusterState, request: MetadataRequest): MetadataAnswer {
  const names = request.topics ?? [...cluster.topics.keys()]
  return {
    throttleTimeMs: 0,
    brokers: cluster.registeredNodes.map((node) => brokerAddress(node, cluster.rackOf(node))),
    clusterId: cluster.settings.clusterId,
    controllerId: cluster.controller,
    topics: names.map((name) => {
      const topic = cluster.topics.get(name)
      return topic === undefined ? describeUnknown(name) : describeTopic(topic)
    }),
  }
}

/** A topic that does not exist, or that a broker does not know. */
export function describeUnknown(name: string): TopicMetadata {
  const errorCode =
    nameProblem(name) === null ? brokerCode.UNKNOWN_TOPIC_OR_PARTITION : brokerCode.INVALID_TOPIC_EXCEPTION
  return { name, topicId: null, isInternal: false, errorCode, partitions: [] }
}

function describeTopic(topic: Topic): TopicMetadata {
  return {
    name: topic.name,
    topicId: topic.topicId,
    isInternal: false,
    errorCode: brokerCode.NONE,
    partitions: topic.partitions.map((partition) => ({
      partition: partition.index,
      errorCode: partition.leader === -1 ? brokerCode.LEADER_NOT_AVAILABLE : brokerCode.NONE,
      leader: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicas: partition.replicas,
      isr: [...partition.isr],
    })),
  }
}

/** All at once: nobody asks for so many here that they would need pages. */
export function describeTopicPartitions(
  cluster: ClusterState,
  { topics }: DescribeTopicPartitionsRequest,
): DescribeTopicPartitionsAnswer {
  const described = [...topics].sort().map((name) => {
    const topic = cluster.topics.get(name)
    if (topic === undefined) return { errorCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION, name, partitions: [] }
    const { errorCode, partitions } = describeTopic(topic)
    const withEligible = partitions.map((each, index) => ({
      ...each,
      eligible: topic.partitions[index]?.eligible ?? [],
      lastKnown: [],
    }))
    return { errorCode, name, partitions: withEligible }
  })
  return { throttleTimeMs: 0, topics: described, nextCursor: null }
}

export function createTopics(cluster: ClusterState, node: number, request: CreateTopicsRequest): CreateTopicsAnswer {
  const names = request.topics.map((topic) => topic.name)
  const create = (wanted: NewTopic): NamedError => {
    if (node !== cluster.controller) return failed(wanted.name, brokerCode.NOT_CONTROLLER)
    if (names.indexOf(wanted.name) !== names.lastIndexOf(wanted.name)) {
      return failed(wanted.name, brokerCode.INVALID_REQUEST, 'the request names this topic twice')
    }
    return createTopic(cluster, wanted, request.validateOnly)
  }
  return { throttleTimeMs: 0, topics: request.topics.map(create) }
}

/** Creates one topic, or says as a controller would why not. */
export function createTopic(cluster: ClusterState, wanted: NewTopic, validateOnly: boolean): NamedError {
  const { name } = wanted
  const partitions = wanted.partitions === -1 ? cluster.settings.partitions : wanted.partitions
  const replicationFactor =
    wanted.replicationFactor === -1 ? cluster.settings.replicationFactor : wanted.replicationFactor
  const badName = nameProblem(name)
  if (badName !== null) return failed(name, brokerCode.INVALID_TOPIC_EXCEPTION, badName)
  if (cluster.topics.has(name)) return failed(name, brokerCode.TOPIC_ALREADY_EXISTS, `topic ${name} exists`)
  const collides = collisionProblem(cluster, name)
  if (collides !== null) return failed(name, brokerCode.INVALID_TOPIC_EXCEPTION, collides)
  if (partitions < 1) {
    return failed(name, brokerCode.INVALID_PARTITIONS, `expected at least 1 partition, got ${partitions}`)
  }
  const noPlace = placementProblem(cluster, replicationFactor)
  if (noPlace !== null) return failed(name, brokerCode.INVALID_REPLICATION_FACTOR, noPlace)
  const badConfig = configProblem(wanted.configs, cluster.settings)
  if (badConfig !== null) return failed(name, brokerCode.INVALID_CONFIG, badConfig)
  if (!validateOnly) cluster.addTopic(name, partitions, replicationFactor, wanted.configs)
  return succeeded(name)
}

export function deleteTopics(
  cluster: ClusterState,
  node: number,
  request: DeleteTopicsRequest,
  onDeleted: (name: string) => void,
): DeleteTopicsAnswer {
  const remove = (name: string): NamedError => {
    if (node !== cluster.controller) return failed(name, brokerCode.NOT_CONTROLLER)
    if (!cluster.topics.has(name)) return failed(name, brokerCode.UNKNOWN_TOPIC_OR_PARTITION)
    cluster.removeTopic(name)
    onDeleted(name)
    return succeeded(name)
  }
  return { throttleTimeMs: 0, topics: request.topics.map(remove) }
}

export function createPartitions(
  cluster: ClusterState,
  node: number,
  request: CreatePartitionsRequest,
): CreatePartitionsAnswer {
  const create = ({ name, count }: { readonly name: string; readonly count: number }): NamedError =>
    node === cluster.controller ? growTopic(cluster, name, count) : failed(name, brokerCode.NOT_CONTROLLER)
  return { throttleTimeMs: 0, topics: request.topics.map(create) }
}

/** Grows one topic to `count` partitions, or says as a controller would why not. */
export function growTopic(cluster: ClusterState, name: string, count: number): NamedError {
  const topic = cluster.topics.get(name)
  if (topic === undefined) return failed(name, brokerCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no topic ${name}`)
  if (count <= topic.partitions.length) {
    const message = `topic ${name} has ${topic.partitions.length} partitions; expected more than that, got ${count}`
    return failed(name, brokerCode.INVALID_PARTITIONS, message)
  }
  const noPlace = placementProblem(cluster, topic.replicationFactor)
  if (noPlace !== null) return failed(name, brokerCode.INVALID_REPLICATION_FACTOR, noPlace)
  cluster.addPartitions(topic, count)
  return succeeded(name)
}

function placementProblem(cluster: ClusterState, replicationFactor: number): string | null {
  const living = cluster.nodes.filter((node) => cluster.isUp(node)).length
  if (replicationFactor >= 1 && replicationFactor <= living) return null
  return `replication factor ${replicationFactor} needs as many brokers, and ${living} are up`
}

export function describeConfigs(
  cluster: ClusterState,
  node: number,
  request: DescribeConfigsRequest,
): DescribeConfigsAnswer {
  return {
    throttleTimeMs: 0,
    resources: request.resources.map(({ type, name }) => {
      if (type === 'broker') {
        const isMe = name === String(node)
        const outcome = isMe
          ? succeeded(name)
          : failed(name, brokerCode.INVALID_REQUEST, `this broker is ${node} and tells its own settings only`)
        return { ...outcome, type, entries: isMe ? brokerEntries(cluster) : [] }
      }
      if (type === 'group') return { ...succeeded(name), type, entries: cluster.groupConfigs.entries(name) }
      const topic = cluster.topics.get(name)
      return topic === undefined
        ? { ...failed(name, brokerCode.UNKNOWN_TOPIC_OR_PARTITION), type, entries: [] }
        : { ...succeeded(name), type, entries: topic.configs.entries }
    }),
  }
}

/** Of topics and groups; brokers keep what they were made with here. */
export function alterConfigs(cluster: ClusterState, request: AlterConfigsRequest): AlterConfigsAnswer {
  const { type, name, changes, validateOnly } = request
  const answer = (resource: NamedError): AlterConfigsAnswer => ({ throttleTimeMs: 0, resources: [resource] })
  const outcome = (problem: string | null) =>
    answer(problem === null ? succeeded(name) : failed(name, brokerCode.INVALID_CONFIG, problem))
  switch (type) {
    case 'broker':
      return answer(failed(name, brokerCode.INVALID_REQUEST, 'this cluster changes topics and groups alone'))
    case 'group':
      return outcome(cluster.groupConfigs.change(name, changes, validateOnly))
    case 'topic': {
      const topic = cluster.topics.get(name)
      if (topic === undefined) return answer(failed(name, brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
      return outcome(topic.configs.change(changes, validateOnly))
    }
  }
}

/** At the leader of each; no further than what all replicas have. */
export function deleteRecords(
  cluster: ClusterState,
  node: number,
  { partitions }: DeleteRecordsRequest,
): DeleteRecordsAnswer {
  const deleteOf = ({ topic, partition: index, before }: DeleteRecordsRequest['partitions'][number]) => {
    const partition = cluster.partition(topic, index)
    const refused = (errorCode: number) => ({ topic, partition: index, errorCode, logStartOffset: -1 })
    const problem = leadershipProblem(partition, node, -1)
    if (partition === undefined || problem !== brokerCode.NONE) return refused(problem)
    const { highWatermark } = partition
    if (before > highWatermark) return refused(brokerCode.OFFSET_OUT_OF_RANGE)
    if (partition.configs.compacted) return refused(brokerCode.POLICY_VIOLATION)
    partition.log.deleteBefore(before < 0 ? highWatermark : before)
    return { topic, partition: index, errorCode: brokerCode.NONE, logStartOffset: partition.log.startOffset }
  }
  return { throttleTimeMs: 0, partitions: partitions.map(deleteOf) }
}

export function electLeaders(
  cluster: ClusterState,
  node: number,
  { partitions }: ElectLeadersRequest,
): ElectLeadersAnswer {
  if (node !== cluster.controller) return { throttleTimeMs: 0, errorCode: brokerCode.NOT_CONTROLLER, partitions: [] }
  const elect = ({ topic, partition: index }: TopicPartition) => {
    const partition = cluster.partition(topic, index)
    const preferred = partition?.replicas[0] ?? -1
    const end = (errorCode: number) => ({ topic, partition: index, errorCode })
    if (partition === undefined) return end(brokerCode.UNKNOWN_TOPIC_OR_PARTITION)
    if (partition.leader === preferred) return end(brokerCode.ELECTION_NOT_NEEDED)
    if (!cluster.isUp(preferred) || !partition.isr.includes(preferred))
      return end(brokerCode.PREFERRED_LEADER_NOT_AVAILABLE)
    partition.moveLeaderTo(preferred)
    return end(brokerCode.NONE)
  }
  return { throttleTimeMs: 0, errorCode: brokerCode.NONE, partitions: partitions.map(elect) }
}

function brokerEntries({ settings }: ClusterState) {
  const values: Readonly<Record<string, string>> = {
    'auto.create.topics.enable': 'false',
    'default.replication.factor': String(settings.replicationFactor),
    'group.initial.rebalance.delay.ms': String(settings.initialRebalanceDelayMs),
    'group.max.session.timeout.ms': String(settings.maxSessionTimeoutMs),
    'group.min.session.timeout.ms': String(settings.minSessionTimeoutMs),
    'message.max.bytes': String(settings.maxMessageBytes),
    'min.insync.replicas': String(settings.minInsyncReplicas),
    'num.partitions': String(settings.partitions),
    'offset.metadata.max.bytes': String(settings.offsetMetadataMaxBytes),
    'unclean.leader.election.enable': 'false',
  }
  return Object.entries(values).map(([name, value]) => ({ name, value, isDefault: true }))
}

function nameProblem(name: string): string | null {
  if (name === '') return 'a topic name must not be empty'
  if (name === '.' || name === '..') return `a topic must not be named ${name}`
  if (name.length > 249) return 'a topic name has at most 249 characters'
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `a topic name has only letters, digits, dot, dash and underscore, unlike ${name}`
  }
  return null
}

/** Names of metrics have neither, so for Kafka . and _ are one. */
function collisionProblem(cluster: ClusterState, name: string): string | null {
  const same = (other: string) => other.replaceAll('.', '_') === name.replaceAll('.', '_')
  const others = [...cluster.topics.keys()].filter((other) => other !== name && same(other))
  return others.length === 0 ? null : `Topic '${name}' collides with existing topics: ${others.join(', ')}`
}

function succeeded(name: string): NamedError {
  return { name, errorCode: brokerCode.NONE, errorMessage: null }
}

function failed(name: string, errorCode: number, errorMessage: string = brokerCodeName(errorCode)): NamedError {
  return { name, errorCode, errorMessage }
}
