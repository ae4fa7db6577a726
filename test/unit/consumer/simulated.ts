import {
  createMessaging,
  defineTopic,
  string,
  type ConsumerSettingsOptions,
  type HandleEach,
  type Message,
  type Messaging,
  type MessagingOptions,
  type TidemarkError,
} from 'tidemark'
import type { MemoryCluster } from 'tidemark/memory'
import { simulate, type SimulatedProcess, type Simulation } from 'tidemark/testing'
import { noHeaders } from '../../../src/message/record.js'
import type { Logger } from '../../../src/telemetry/logger.js'

export const t = defineTopic({ name: 't', value: string() })

/** One run of one seed in virtual time, of at most a day. */
export async function simulated(scenario: (simulation: Simulation) => Promise<void>): Promise<void> {
  await simulate(1, scenario, { limitMs: 24 * 3_600_000 })
}

export function open({ driver }: SimulatedProcess, options: Partial<MessagingOptions> = {}): Messaging {
  return createMessaging({ driver, ...options })
}

/** A consumer in a process of its own, started; it keeps what it handled, why its partitions stopped, and what it told loudly. */
export async function reading(simulation: Simulation, name: string, options: Partial<SimulatedOptions> = {}) {
  const process = simulation.process(name)
  const { logger, loud } = logged()
  const messaging = open(process, { logger })
  const handled: string[] = []
  const stopped: TidemarkError[] = []
  const consumer = messaging.consumer({
    group: 'g',
    topics: [t],
    sessionTimeoutMs: 6_000,
    onPartitionStopped: (_, error) => void stopped.push(error),
    handle: (message) => void handled.push(placeOf(message)),
    ...options,
  })
  await consumer.start()
  return { process, consumer, handled, stopped, loud, close: () => messaging.close() }
}

type SimulatedOptions = Omit<ConsumerSettingsOptions, 'topics'> & Pick<HandleEach<readonly (typeof t)[]>, 'handle'>

/** Stored in order; the marker behind each call takes one offset too. */
export function put(cluster: MemoryCluster, values: readonly string[], topic = 't', partition = 0): void {
  const records = values.map((value) => ({
    key: Buffer.from(value),
    value: Buffer.from(value),
    headers: noHeaders,
    timestamp: 0,
  }))
  cluster.appendTransaction(topic, partition, records, 'commit')
}

export function numbered(name: string, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${from + index}`)
}

export function placeOf({ offset, value }: Pick<Message<unknown>, 'offset' | 'value'>): string {
  return `${offset}:${String(value)}`
}

/** Records of the log as it stands that were not handled. */
export function missed(cluster: MemoryCluster, handled: readonly string[], topic = 't', partition = 0): string[] {
  const places = cluster
    .records(topic, partition)
    .map(({ offset, value }) => placeOf({ offset, value: value?.toString() ?? '' }))
  return places.filter((place) => !handled.includes(place))
}

export function committedOffset(cluster: MemoryCluster, topic = 't', partition = 0): number | undefined {
  return cluster.committed('g').find((one) => one.topic === topic && one.partition === partition)?.offset
}

export async function until({ clock }: Simulation, isDone: () => boolean, limitMs = 120_000): Promise<void> {
  const end = clock.now() + limitMs
  while (!isDone() && clock.now() < end) await clock.sleep(10)
}

/** A log that is kept. */
export function logged() {
  const lines: {
    readonly level: string
    readonly message: string
    readonly fields: Readonly<Record<string, unknown>>
  }[] = []
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields: fields as Readonly<Record<string, unknown>> })
  }
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const loud = () => lines.filter(({ level }) => level === 'warn' || level === 'error')
  return { logger, lines, loud }
}

/** What a leader forgets when `follower`, which copied nothing from now on, leads. */
export function followerThatCopiesNothing(cluster: MemoryCluster): number {
  const { leader, replicas } = cluster.partitionFacts('t', 0)
  const follower = replicas.find((node) => node !== leader) as number
  cluster.faults.pauseReplication(follower)
  cluster.faults.dropFollower(follower)
  return follower
}
