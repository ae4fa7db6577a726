import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { startFaultProxy, type FaultProxy } from './fault-proxy.js'
import { kafkaInstallation, kafkaVersion, type KafkaInstallation } from './kafka-jars.js'
import { kafkaNode, NodeDied, type KafkaNode } from './kafka-node.js'
import { nodeProperties, plaintext, type ClientListener, type NodeAddresses } from './kafka-properties.js'
import * as raw from './raw-requests.js'
import type { ClusterState, PartitionState, TopicSpec } from './raw-requests.js'
import { noLongerRemove, removeWithUs } from './reaper.js'
import { until } from './waiting.js'

type Properties = Readonly<Record<string, string | number>>

export interface ClusterOptions {
  /** Brokers, each also a controller. Default 1. */
  readonly nodes?: number
  /** Default `KAFKA_VERSION`, or the newest one the promises are proven on. */
  readonly version?: string
  /** Clients reach the brokers only through fault proxies. Default false. */
  readonly proxies?: boolean
  /** Broker properties that replace or add to those of the harness; by broker id when they differ. */
  readonly properties?: Properties | ((id: number) => Properties)
  /** Default: the same one for every cluster. */
  readonly clusterId?: string
  /** How clients speak to the brokers. Default plain text. */
  readonly listener?: ClientListener
  /** Listeners beside the clients' own, by name in capitals; never behind proxies. `brokersOf` tells their addresses. */
  readonly moreListeners?: Readonly<Record<string, ClientListener>>
  /** Default: small heap, serial collector, first compiler only: quick to start. Give others to measure speed. */
  readonly jvmFlags?: readonly string[]
  /** Beside the others, by broker id. */
  readonly moreJvmFlags?: (id: number) => readonly string[]
}

export interface KafkaCluster extends AsyncDisposable {
  readonly version: string
  readonly installation: KafkaInstallation
  /** Addresses for the client under test; the proxies' addresses when there are proxies. */
  readonly brokers: readonly string[]
  /** Addresses past the proxies, for the harness and for second readers. */
  readonly internalBrokers: readonly string[]
  /** Addresses of one of `moreListeners`. */
  brokersOf(listener: string): readonly string[]
  readonly nodes: readonly KafkaNode[]
  /** One per node in the same order; empty without `proxies`. */
  readonly proxies: readonly FaultProxy[]
  /** By broker id, counted from 1. */
  node(id: number): KafkaNode
  /** The proxy before a broker, by broker id. */
  proxy(id: number): FaultProxy
  /** The folder with the data of one node, for `DumpLogSegments`. */
  dataFolder(id: number): string
  /** Resolved when every partition has a full in-sync set and a leader that serves it. */
  createTopic(name: string, options?: TopicOptions): Promise<void>
  /** Resolved when no live broker knows the topic any more. */
  deleteTopic(name: string): Promise<void>
  createPartitions(topic: string, count: number): Promise<void>
  state(topics: readonly string[]): Promise<ClusterState>
  /** Of a topic, as one live broker has them; none when it does not know the topic. */
  partitionsOf(topic: string): Promise<readonly PartitionState[]>
  leaderOf(topic: string, partition: number): Promise<number>
  isr(topic: string, partition: number): Promise<readonly number[]>
  /** Makes `nodeId`, one of its replicas, the leader; resolved when every live broker says so. */
  moveLeader(topic: string, partition: number, nodeId: number): Promise<void>
  /** Resolved when every live broker sees all replicas in sync. */
  waitForFullIsr(topic: string, timeoutMs?: number): Promise<void>
  /**
   * Resolved when Kafka has done what it can after a broker's death: every partition has another leader, or only the dead
   * one was in sync, and then it waits for that. Tells whether all have leaders.
   */
  waitForElections(topic: string, dead: number): Promise<boolean>
  /** Resolved when every partition has a leader. */
  waitForLeaders(topic: string): Promise<void>
  /** The node whose controller is active. */
  controllerId(): Promise<number>
  coordinatorOf(group: string): Promise<number>
  transactionCoordinatorOf(transactionalId: string): Promise<number>
  /** Kills the nodes by pid and removes the data. */
  stop(): Promise<void>
}

export interface TopicOptions {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly configs?: Readonly<Record<string, string | number>>
}

/** A real Kafka of its own: processes, ports from the system, data in the temporary folder, gone with this process. */
export async function startCluster(options: ClusterOptions = {}): Promise<KafkaCluster> {
  const installation = await kafkaInstallation(options.version ?? kafkaVersion())
  for (let attempt = 1; ; attempt++) {
    const cluster = await buildCluster(installation, options)
    try {
      for (const node of cluster.nodes) node.start()
      await Promise.all(cluster.nodes.map((node) => node.ready(cluster.nodes.length)))
      return cluster
    } catch (error) {
      await cluster.stop()
      // Somebody may have taken a port between our asking for it and Kafka's listening on it.
      const portTaken = error instanceof NodeDied && /Address already in use|BindException/.test(error.message)
      if (!portTaken || attempt === 3) throw error
    }
  }
}

async function buildCluster(installation: KafkaInstallation, options: ClusterOptions): Promise<KafkaCluster> {
  const count = options.nodes ?? 1
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-kafka-'))
  removeWithUs(folder)
  const addresses = await chooseAddresses(count, Object.keys(options.moreListeners ?? {}))
  const proxies = options.proxies === true ? await Promise.all(addresses.map(proxyBefore)) : []
  const advertised = addresses.map((address, index) => ({
    ...address,
    advertisedPort: proxies[index]?.port ?? address.clientPort,
  }))
  const nodes: KafkaNode[] = []
  for (const address of advertised) {
    const nodeFolder = join(folder, String(address.id))
    await prepareNode(nodeFolder, address, advertised, installation, options)
    nodes.push(
      kafkaNode({
        id: address.id,
        installation,
        folder: nodeFolder,
        clientAddress: `127.0.0.1:${address.advertisedPort}`,
        internalAddress: `127.0.0.1:${address.internalPort}`,
        jvmFlags: [
          ...(options.jvmFlags ?? installation.quickStartFlags),
          ...(options.moreJvmFlags?.(address.id) ?? []),
        ],
      }),
    )
  }
  return controls(installation, folder, advertised, nodes, proxies)
}

async function chooseAddresses(count: number, moreListeners: readonly string[]): Promise<NodeAddresses[]> {
  const perNode = 3 + moreListeners.length
  const ports = await freePorts(count * perNode)
  return Array.from({ length: count }, (_, index) => {
    const [clientPort = 0, internalPort = 0, controllerPort = 0, ...more] = ports.slice(index * perNode)
    const morePorts = Object.fromEntries(moreListeners.map((name, at) => [name, more[at] ?? 0]))
    return { id: index + 1, clientPort, advertisedPort: clientPort, internalPort, controllerPort, morePorts }
  })
}

const proxyBefore = ({ clientPort }: NodeAddresses): Promise<FaultProxy> =>
  startFaultProxy({ host: '127.0.0.1', port: clientPort })

async function prepareNode(
  folder: string,
  address: NodeAddresses,
  all: readonly NodeAddresses[],
  installation: KafkaInstallation,
  { listener = plaintext, moreListeners = {}, properties = {}, clusterId = 'dGlkZW1hcmtfY2x1c3Rlcg' }: ClusterOptions,
): Promise<void> {
  const own = typeof properties === 'function' ? properties(address.id) : properties
  const data = join(folder, 'data')
  await cp(installation.formattedData, data, { recursive: true })
  await writeFile(join(folder, 'node.properties'), nodeProperties(address, all, data, listener, moreListeners, own))
  // What `StorageTool format` would write besides, without a JVM run for each node.
  await writeFile(join(data, 'meta.properties'), `version=1\ncluster.id=${clusterId}\nnode.id=${address.id}\n`)
}

function controls(
  installation: KafkaInstallation,
  folder: string,
  addresses: readonly NodeAddresses[],
  nodes: readonly KafkaNode[],
  proxies: readonly FaultProxy[],
): KafkaCluster {
  const byId = <T>(list: readonly T[], id: number, what: string): T => {
    const found = list[id - 1]
    if (found === undefined) throw new Error(`no ${what} ${id}: they are counted from 1 to ${list.length}`)
    return found
  }
  const byName = (ports: Readonly<Record<string, number>>, name: string): number => {
    const port = ports[name]
    if (port === undefined)
      throw new Error(`no listener ${name}: there are ${Object.keys(ports).join(', ') || 'none beside CLIENT'}`)
    return port
  }
  const live = () => nodes.filter((node) => node.running)

  /** Asks live brokers in turn: one of them may be paused, dying or still starting. */
  async function ask<T>(question: (address: string) => Promise<T>): Promise<T> {
    const failures: unknown[] = []
    for (const node of live()) {
      try {
        return await question(node.internalAddress)
      } catch (error) {
        failures.push(error)
      }
    }
    throw new AggregateError(failures, `no live broker of ${nodes.length} answered: ${failures.map(String).join('; ')}`)
  }

  const partitionsOf = async (topic: string): Promise<readonly PartitionState[]> =>
    (await ask((address) => raw.metadata(address, [topic]))).topics.get(topic)?.partitions ?? []

  async function partitionOf(topic: string, partition: number): Promise<PartitionState> {
    const state = (await partitionsOf(topic))[partition]
    if (state === undefined) throw new Error(`${topic} has no partition ${partition}`)
    return state
  }

  const everyLiveBroker = async (
    topic: string,
    holds: (partitions: readonly PartitionState[]) => boolean,
  ): Promise<boolean> => {
    const states = await Promise.all(live().map((node) => raw.metadata(node.internalAddress, [topic])))
    return states.length > 0 && states.every((state) => holds(state.topics.get(topic)?.partitions ?? []))
  }

  const allInSync = (partitions: readonly PartitionState[]) =>
    partitions.length > 0 &&
    partitions.every(({ leader, isr, replicas }) => leader > 0 && isr.length === replicas.length)

  /** What each live broker says of a topic, for the message of a wait that ended in vain. */
  async function views(topic: string): Promise<string> {
    const told = live().map(async ({ id, internalAddress }) => {
      const { brokers, topics } = await raw.metadata(internalAddress, [topic])
      const partitions = topics.get(topic)?.partitions ?? []
      const states = partitions.map(
        ({ partition, leader, isr }) => `${partition}: leader ${leader}, in sync ${isr.join()}`,
      )
      return `node ${id} knows brokers ${brokers.join()}; ${states.join('; ')}`
    })
    return (await Promise.allSettled(told))
      .map((view) => (view.status === 'fulfilled' ? view.value : String(view.reason)))
      .join(' | ')
  }

  const isServed = async (topic: string, partitions: number): Promise<boolean> => {
    const served = await Promise.all(
      live().map((node) => raw.servedPartitions(node.internalAddress, topic, partitions)),
    )
    return new Set(served.flat()).size === partitions
  }

  const cluster: KafkaCluster = {
    version: installation.version,
    installation,
    brokers: addresses.map(({ advertisedPort }) => `127.0.0.1:${advertisedPort}`),
    internalBrokers: nodes.map((node) => node.internalAddress),
    brokersOf: (listener) => addresses.map(({ morePorts }) => `127.0.0.1:${byName(morePorts, listener)}`),
    nodes,
    proxies,
    node: (id) => byId(nodes, id, 'node'),
    proxy: (id) => byId(proxies, id, 'proxy'),
    dataFolder: (id) => join(folder, String(id), 'data'),
    async createTopic(name, { partitions = 1, replicationFactor = Math.min(3, nodes.length), configs = {} } = {}) {
      const text = Object.fromEntries(Object.entries(configs).map(([key, value]) => [key, String(value)]))
      const spec: TopicSpec = { name, partitions, replicationFactor, configs: text }
      // A broker that was started again, or stood still for some seconds, is fenced until the controller has heard of it.
      const created = () => ask((address) => raw.createTopic(address, spec)).catch((error: unknown) => error)
      let refusal: unknown
      await until(`topic ${name} created`, async () => !/fenced/.test(String((refusal = await created()))))
      if (refusal !== undefined) throw refusal as Error
      await until(`topic ${name} ready`, () =>
        everyLiveBroker(name, (states) => states.length === partitions && allInSync(states)),
      )
      // Metadata names a leader before that broker has opened the log.
      await until(`topic ${name} served`, () => isServed(name, partitions))
    },
    async deleteTopic(name) {
      await ask((address) => raw.deleteTopic(address, name))
      await until(`topic ${name} deleted`, () => everyLiveBroker(name, (states) => states.length === 0))
    },
    async createPartitions(topic, count) {
      await ask((address) => raw.createPartitions(address, topic, count))
      await until(`${topic} has ${count} partitions`, () =>
        everyLiveBroker(topic, (states) => states.length === count && allInSync(states)),
      )
    },
    state: (topics) => ask((address) => raw.metadata(address, topics)),
    partitionsOf,
    leaderOf: async (topic, partition) => (await partitionOf(topic, partition)).leader,
    isr: async (topic, partition) => (await partitionOf(topic, partition)).isr,
    async moveLeader(topic, partition, nodeId) {
      const { replicas } = await partitionOf(topic, partition)
      if (!replicas.includes(nodeId))
        throw new Error(`node ${nodeId} holds no replica of ${topic}-${partition}: ${replicas.join(', ')}`)
      await ask((address) =>
        raw.reassign(address, topic, partition, [nodeId, ...replicas.filter((id) => id !== nodeId)]),
      )
      await until(
        `node ${nodeId} leads ${topic}-${partition}`,
        async () => {
          await ask((address) => raw.electPreferredLeader(address, topic, partition))
          return everyLiveBroker(topic, (states) => states[partition]?.leader === nodeId)
        },
        { everyMs: 20 },
      )
    },
    waitForFullIsr: (topic, timeoutMs = 90_000) =>
      until(`${topic} fully in sync`, () => everyLiveBroker(topic, allInSync), { timeoutMs, seen: () => views(topic) }),
    async waitForElections(topic, dead) {
      let partitions: readonly PartitionState[] = []
      const isLed = ({ leader }: PartitionState) => leader > 0 && leader !== dead
      const waitsForTheDead = ({ leader, isr }: PartitionState) => leader < 0 && isr.every((id) => id === dead)
      const isSettled = (state: PartitionState) => isLed(state) || waitsForTheDead(state)
      await until(
        `partitions of node ${dead} have new leaders`,
        async () => {
          partitions = await partitionsOf(topic)
          return partitions.length > 0 && partitions.every(isSettled)
        },
        { everyMs: 20, seen: () => views(topic) },
      )
      return partitions.every(isLed)
    },
    waitForLeaders: (topic) =>
      until(
        `every partition of ${topic} has a leader`,
        async () => (await partitionsOf(topic)).every(({ leader }) => leader > 0),
        { everyMs: 20, seen: () => views(topic) },
      ),
    controllerId: () => ask(raw.activeController),
    coordinatorOf: (group) => coordinator(group, 'group'),
    transactionCoordinatorOf: (transactionalId) => coordinator(transactionalId, 'transaction'),
    async stop() {
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await Promise.all(nodes.map((node) => node.kill()))
      await rm(folder, { recursive: true, force: true })
      noLongerRemove(folder)
    },
    [Symbol.asyncDispose]: () => cluster.stop(),
  }

  /** The first question makes the broker create the coordinators' own topic, so the answer may take a moment. */
  async function coordinator(key: string, kind: 'group' | 'transaction'): Promise<number> {
    let found = -1
    await until(`coordinator of ${kind} ${key}`, async () => {
      found = await ask((address) => raw.findCoordinator(address, key, kind))
      return found > 0
    })
    return found
  }

  return cluster
}
