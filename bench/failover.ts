import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { metadata } from '../test/support/raw-requests.js'
import { delay, until } from '../test/support/waiting.js'
import { sourceLibrary } from './library.js'
import { median } from './measure.js'
import { openTidemark } from './open-tidemark.js'

const topicName = 'bench-failover'
const partitions = 6
const kills = Number(process.env['BENCH_KILLS'] ?? 12)
/** One record to each partition this often. */
const sendEveryMs = 10
/** Both living brokers are asked this often who leads. */
const probeEveryMs = 10

/** What ends the leadership of a broker, and whom it is done to. */
interface Way {
  readonly name: string
  readonly choose: (leaders: readonly number[], controller: number) => number
  readonly end: (cluster: KafkaCluster, node: number) => Promise<void>
}

const other = (leaders: readonly number[], controller: number) =>
  leaders.find((leader) => leader !== controller) ?? controller

const ways: readonly Way[] = [
  { name: 'leader killed', choose: other, end: (cluster, node) => cluster.node(node).kill() },
  {
    name: 'leader and controller killed',
    choose: (leaders, controller) => (leaders.includes(controller) ? controller : leaders[0]!),
    end: (cluster, node) => cluster.node(node).kill(),
  },
  { name: 'leader stopped in order', choose: other, end: (cluster, node) => cluster.node(node).stop() },
]

/** Of one partition that lost its leader, in milliseconds since the kill. */
interface Failover {
  newLeader: number | null
  /** Answer to the first record that was sent after the kill. */
  acknowledged: number | null
  /** The first such record came to the reader. */
  read: number | null
  /** Longest time between two acknowledgements. */
  gap: number
}

/**
 * How long a failover takes, and how much of it is the client's: from the first metadata answer of any broker that names the
 * new leader to the first record, sent after the kill, that is acknowledged, and read.
 */
export async function runFailover(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 3 })
  const watch = new Watch()
  const messaging = openTidemark(library, cluster.brokers)
  try {
    await cluster.createTopic(topicName, { partitions })
    const topic = library.tidemark.defineTopic({ name: topicName, value: library.tidemark.bytes() })
    const producer = messaging.producer()
    const consumer = messaging.consumer({
      group: null,
      topics: [topic],
      from: 'latest',
      handle: ({ partition, value }) => watch.read(partition, Number(value.toString())),
    })
    await producer.connect()
    await consumer.start()
    const sending = setInterval(() => {
      for (let partition = 0; partition < partitions; partition += 1) {
        const sentAt = performance.now()
        producer.send(topic, Buffer.from(String(sentAt)), { partition }).then(
          () => watch.acknowledged(partition, sentAt),
          (error: unknown) => process.stdout.write(`a send failed: ${String(error)}\n`),
        )
      }
    }, sendEveryMs)
    process.stdout.write(
      `\nfailover: Kafka ${cluster.version}, 3 brokers, ${partitions} partitions, ${kills} times each; ms: median / worst\n` +
        `  ${''.padEnd(30)}${['new leader', 'acknowledged', 'our share', 'read', 'our share', 'longest gap'].map(cell).join('')}\n`,
    )
    for (const way of ways) {
      const found: Failover[] = []
      for (let turn = 0; turn < kills; turn += 1) found.push(...(await once(cluster, watch, way)))
      process.stdout.write(`  ${way.name.padEnd(30)}${figures(found).map(cell).join('')}\n`)
    }
    clearInterval(sending)
  } finally {
    await messaging.close()
    await cluster.stop()
  }
}

const cell = (text: string) => text.padStart(16)

function figures(found: readonly Failover[]): string[] {
  const since = (of: (each: Failover) => number) => {
    const all = found.map(of)
    return `${Math.round(median(all))} / ${Math.round(Math.max(...all))}`
  }
  const share = (at: number | null, { newLeader }: Failover) => Math.max(0, (at ?? 0) - (newLeader ?? 0))
  return [
    since(({ newLeader }) => newLeader ?? 0),
    since(({ acknowledged }) => acknowledged ?? 0),
    since((each) => share(each.acknowledged, each)),
    since(({ read }) => read ?? 0),
    since((each) => share(each.read, each)),
    since(({ gap }) => gap),
  ]
}

async function once(cluster: KafkaCluster, watch: Watch, way: Way): Promise<readonly Failover[]> {
  const led = (await cluster.state([topicName])).topics.get(topicName)?.partitions ?? []
  const leaders = [...new Set(led.map(({ leader }) => leader))]
  const victim = way.choose(leaders, await cluster.controllerId())
  const concerned = led.filter(({ leader }) => leader === victim).map(({ partition }) => partition)
  watch.begin(concerned)
  const probing = new AbortController()
  const probes = cluster.nodes
    .filter(({ id }) => id !== victim)
    .map(({ internalAddress }) => probe(internalAddress, victim, watch, probing.signal))
  const ended = way.end(cluster, victim)
  await until('records are acknowledged and read again', () => watch.isDone, { everyMs: 20, timeoutMs: 60_000 })
  await ended
  probing.abort()
  await Promise.all(probes)
  await cluster.node(victim).restart(cluster.nodes.length)
  await cluster.waitForFullIsr(topicName)
  // Whatever the clients still have to catch up with belongs to this kill.
  await delay(1_000)
  return watch.found
}

async function probe(address: string, victim: number, watch: Watch, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const told = await metadata(address, [topicName]).catch(() => null)
    for (const { partition, leader } of told?.topics.get(topicName)?.partitions ?? []) {
      if (leader >= 0 && leader !== victim) watch.newLeader(partition)
    }
    await delay(probeEveryMs)
  }
}

class Watch {
  #beganAt = Infinity
  readonly #partitions = new Map<number, Failover>()
  readonly #acknowledgedAt = new Map<number, number>()

  begin(partitions: readonly number[]): void {
    this.#partitions.clear()
    for (const each of partitions) {
      this.#partitions.set(each, { newLeader: null, acknowledged: null, read: null, gap: 0 })
    }
    this.#beganAt = performance.now()
    this.#acknowledgedAt.clear()
  }

  get found(): readonly Failover[] {
    return [...this.#partitions.values()]
  }

  get isDone(): boolean {
    return this.found.every((each) => each.newLeader !== null && each.acknowledged !== null && each.read !== null)
  }

  newLeader(partition: number): void {
    this.#note(partition, 'newLeader')
  }

  acknowledged(partition: number, sentAt: number): void {
    if (sentAt > this.#beganAt) this.#note(partition, 'acknowledged')
    const now = performance.now()
    const failover = this.#partitions.get(partition)
    const lastAt = this.#acknowledgedAt.get(partition) ?? this.#beganAt
    if (failover !== undefined) failover.gap = Math.max(failover.gap, now - lastAt)
    this.#acknowledgedAt.set(partition, now)
  }

  read(partition: number, sentAt: number): void {
    if (sentAt > this.#beganAt) this.#note(partition, 'read')
  }

  #note(partition: number, what: Exclude<keyof Failover, 'gap'>): void {
    const failover = this.#partitions.get(partition)
    if (failover !== undefined) failover[what] ??= performance.now() - this.#beganAt
  }
}
