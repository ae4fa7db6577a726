import { StateError } from '../../../errors.js'
import type { Runtime } from '../../../runtime/runtime.js'
import { Partition, type ReplicaHosts } from '../log/partition.js'
import { TopicConfigs } from '../log/topic-configs.js'
import { GroupConfigs } from './group-configs.js'

export interface ClusterSettings {
  readonly clusterId: string
  readonly brokers: number
  readonly minInsyncReplicas: number
  readonly replicationFactor: number
  readonly partitions: number
  readonly maxMessageBytes: number
  readonly offsetMetadataMaxBytes: number
  readonly replicationDelayMs: number
  readonly failoverMs: number
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly consumerSessionTimeoutMs: number
  readonly consumerHeartbeatIntervalMs: number
  readonly markerDelayMs: number
  readonly transactionCheckMs: number
  readonly maxTransactionTimeoutMs: number
  readonly firstProducerEpoch: number
  /** By broker. */
  readonly racks: readonly string[]
}

export interface Topic {
  readonly name: string
  readonly topicId: string
  readonly configs: TopicConfigs
  readonly replicationFactor: number
  readonly partitions: Partition[]
}

interface Host {
  readonly node: number
  /** `dying`: its sockets are dead, and the controller has not noticed yet. */
  state: 'up' | 'dying' | 'down'
  copying: boolean
  /** How often it died. */
  deaths: number
}

/** Brokers, topics and who leads what: what a controller knows. Brokers are numbered from 0. */
export class ClusterState implements ReplicaHosts {
  readonly topics = new Map<string, Topic>()
  readonly groupConfigs: GroupConfigs
  readonly #hosts: readonly Host[]
  #nextReplica = 0
  #nextProducerId = 0
  #topicsMade = 0
  #transactionVersion: number
  #featuresEpoch = 1

  constructor(
    readonly settings: ClusterSettings,
    readonly runtime: Runtime,
    transactionVersion: number,
    /** 1: coordinators divide the partitions of groups that want it. */
    readonly groupVersion: number,
  ) {
    this.#transactionVersion = transactionVersion
    this.groupConfigs = new GroupConfigs(settings)
    this.#hosts = Array.from({ length: settings.brokers }, (_, node) => ({
      node,
      state: 'up',
      copying: true,
      deaths: 0,
    }))
  }

  isRegistered(node: number): boolean {
    return this.#host(node).state !== 'down'
  }

  /** Every broker there is, whatever its state. */
  get nodes(): readonly number[] {
    return this.#hosts.map((host) => host.node)
  }

  /** Brokers that the controller takes for living. */
  get registeredNodes(): readonly number[] {
    return this.#hosts.filter((host) => host.state !== 'down').map((host) => host.node)
  }

  /** The registered broker with the lowest id; -1 when there is none. */
  get controller(): number {
    return this.registeredNodes[0] ?? -1
  }

  /** `null` when it has none. */
  rackOf(node: number): string | null {
    return this.settings.racks[node] ?? null
  }

  isUp(node: number): boolean {
    return this.#hosts[node]?.state === 'up'
  }

  /** What a broker has in memory only is gone when this has changed. */
  lifeOf(node: number): number {
    return this.#host(node).deaths
  }

  isCopying(node: number): boolean {
    const host = this.#host(node)
    return host.state === 'up' && host.copying
  }

  partition(topic: string, partition: number): Partition | undefined {
    return this.topics.get(topic)?.partitions[partition]
  }

  allPartitions(): Partition[] {
    return [...this.topics.values()].flatMap((topic) => topic.partitions)
  }

  /** What the cluster has agreed on, whatever its brokers offer. */
  get transactionVersion(): number {
    return this.#transactionVersion
  }

  /** Rises with each change of what the cluster has agreed on. */
  get featuresEpoch(): number {
    return this.#featuresEpoch
  }

  agreeOnTransactionVersion(level: number): void {
    this.#transactionVersion = level
    this.#featuresEpoch += 1
  }

  takeProducerId(): number {
    this.#nextProducerId += 1
    return this.#nextProducerId - 1
  }

  addTopic(
    name: string,
    partitions: number,
    replicationFactor: number,
    configs: Readonly<Record<string, string>>,
  ): Topic {
    const topic: Topic = {
      name,
      topicId: this.#takeTopicId(),
      configs: new TopicConfigs(configs, this.settings),
      replicationFactor,
      partitions: [],
    }
    this.topics.set(name, topic)
    this.addPartitions(topic, partitions)
    return topic
  }

  addPartitions(topic: Topic, count: number): void {
    while (topic.partitions.length < count) {
      topic.partitions.push(
        new Partition(
          topic.name,
          topic.partitions.length,
          this.#placeReplicas(topic.replicationFactor),
          topic.configs,
          this,
          this.runtime.clock,
          this.settings.replicationDelayMs,
        ),
      )
    }
  }

  removeTopic(name: string): void {
    const topic = this.topics.get(name)
    this.topics.delete(name)
    for (const partition of topic?.partitions ?? []) partition.delete()
  }

  /** The broker no longer serves; the rest of the cluster notices by `noticeDeath`. */
  kill(node: number): void {
    const host = this.#host(node)
    if (host.state !== 'up') return
    host.state = 'dying'
    host.deaths += 1
  }

  noticeDeath(node: number): void {
    const host = this.#host(node)
    if (host.state !== 'dying') return
    host.state = 'down'
    for (const partition of this.allPartitions()) partition.brokerGone(node)
  }

  revive(node: number): void {
    this.noticeDeath(node)
    const host = this.#host(node)
    if (host.state === 'up') return
    host.state = 'up'
    for (const partition of this.allPartitions()) partition.brokerBack(node)
  }

  setCopying(node: number, copying: boolean): void {
    this.#host(node).copying = copying
    if (copying) for (const partition of this.allPartitions()) partition.resumeCopying()
  }

  /** Unlike the id of any topic there was before, as Kafka's, and the same in every run. */
  #takeTopicId(): string {
    this.#topicsMade += 1
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32BE(this.#topicsMade, 12)
    return bytes.toString('base64url')
  }

  /** Round robin over living brokers, each partition beginning with the next one. */
  #placeReplicas(replicationFactor: number): readonly number[] {
    const living = this.#hosts.filter((host) => host.state === 'up').map((host) => host.node)
    const first = this.#nextReplica
    this.#nextReplica += 1
    return Array.from({ length: replicationFactor }, (_, index) => living[(first + index) % living.length]!)
  }

  #host(node: number): Host {
    const host = this.#hosts[node]
    if (host === undefined) {
      throw new StateError(
        'unknown-broker',
        `there is no broker ${node}; the cluster has 0 to ${this.#hosts.length - 1}`,
      )
    }
    return host
  }
}
