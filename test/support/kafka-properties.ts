/** Where one node listens, and what it tells others about it. */
export interface NodeAddresses {
  readonly id: number
  readonly clientPort: number
  /** What clients are told to connect to: the proxy's port, or `clientPort`. */
  readonly advertisedPort: number
  readonly internalPort: number
  readonly controllerPort: number
  /** Of listeners beside CLIENT, by name. */
  readonly morePorts: Readonly<Record<string, number>>
}

/** How clients have to speak to a listener. */
export interface ClientListener {
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Added as they are; keys of one listener begin with `listener.name.` and its name in lower case, as in `listener.name.client.`. */
  readonly properties: Readonly<Record<string, string>>
}

export const plaintext: ClientListener = { protocol: 'PLAINTEXT', properties: {} }

/** Properties of one KRaft node, broker and controller in one, set for small size and fast failover. */
export function nodeProperties(
  node: NodeAddresses,
  all: readonly NodeAddresses[],
  dataFolder: string,
  listener: ClientListener,
  more: Readonly<Record<string, ClientListener>>,
  extra: Readonly<Record<string, string | number>>,
): string {
  const replicas = Math.min(3, all.length)
  const moreAddresses = Object.entries(node.morePorts)
    .map(([name, port]) => `,${name}://127.0.0.1:${port}`)
    .join('')
  const moreProtocols = Object.entries(more)
    .map(([name, { protocol }]) => `,${name}:${protocol}`)
    .join('')
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': all.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `CLIENT://127.0.0.1:${node.clientPort},INTERNAL://127.0.0.1:${node.internalPort},CONTROLLER://127.0.0.1:${node.controllerPort}${moreAddresses}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${node.advertisedPort},INTERNAL://127.0.0.1:${node.internalPort}${moreAddresses}`,
    'listener.security.protocol.map': `CLIENT:${listener.protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT${moreProtocols}`,
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': dataFolder,

    'default.replication.factor': replicas,
    'min.insync.replicas': replicas > 1 ? 2 : 1,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': replicas > 1 ? 2 : 1,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': replicas > 1 ? 2 : 1,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.num.partitions': 3,
    'unclean.leader.election.enable': false,
    'auto.create.topics.enable': false,
    'auto.leader.rebalance.enable': false,

    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 300,
    // Not below Kafka's own: a vote is written to disk before it is answered, and a machine where that takes half a second
    // for a while would go on electing controllers, and give partitions no leaders.
    'controller.quorum.election.timeout.ms': 1_000,
    'controller.quorum.fetch.timeout.ms': 2_000,
    'controller.quorum.election.backoff.max.ms': 300,
    'replica.lag.time.max.ms': 2_000,
    'replica.fetch.backoff.ms': 100,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
    'controlled.shutdown.retry.backoff.ms': 100,
    'log.initial.task.delay.ms': 100,
    'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'background.threads': 2,
    ...listener.properties,
    ...Object.fromEntries(Object.values(more).flatMap(({ properties: own }) => Object.entries(own))),
    ...extra,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
