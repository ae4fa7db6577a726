import { DriverError, TidemarkError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Admin } from './admin.js'

/** How the cluster is asked. */
export interface ClusterQuestions {
  readonly admin: Pick<
    Admin,
    'describeCluster' | 'describeTopics' | 'describeConfig' | 'listOffsets' | 'committedOffsets'
  >
  readonly clock: Clock
  /** Aborts when nobody wants to know any more. */
  readonly signal: AbortSignal
}

/** A topic as the cluster has it. */
export interface TopicView {
  readonly name: string
  /** The brokers of each partition, the preferred one first. */
  readonly replicas: readonly (readonly number[])[]
  readonly configs: ReadonlyMap<string, string | null>
}

export interface ClusterView {
  /** Also those that are down, as far as it can be told. */
  readonly brokers: readonly number[]
  /** `host:port` of one that is up, for tools. */
  readonly address: string
}

/** What was seen until the deadline. */
export interface View {
  readonly cluster: ClusterView
  readonly topics: readonly TopicView[]
  /** What could not be looked at, and why. */
  readonly unseen: readonly Unseen[]
}

export interface Unseen {
  readonly topic: string
  readonly error: unknown
}

/** Code of what is unseen because no broker knows it. */
export const unknownTopic = 'unknown-topic'

/** A topic that was just made is not known to every broker at once. */
const betweenLooksMs = 250

/** Looks at topics that exist, until `deadline` at the latest. Never rejects: of what is unseen nothing can be said. */
export async function lookAtTopics(
  questions: ClusterQuestions,
  names: readonly string[],
  deadline: number,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<View> {
  let done = 0
  const look = async (name: string) => {
    const looked = await outcome(lookAtTopic(questions, name, deadline))
    onProgress((done += 1), names.length)
    return looked
  }
  const [seen, looks] = await Promise.all([outcome(lookAtCluster(questions, deadline)), Promise.all(names.map(look))])
  const error = 'error' in seen ? seen.error : undefined
  const cluster = 'error' in seen ? { brokers: [], address: '' } : seen.value
  const topics: TopicView[] = []
  const unseen: Unseen[] = []
  for (const [index, topic] of names.entries()) {
    const looked = looks[index] as (typeof looks)[number]
    if ('value' in looked && !('error' in seen)) topics.push(looked.value)
    else unseen.push({ topic, error: 'error' in looked ? looked.error : error })
  }
  const placed = topics.flatMap(({ replicas }) => replicas)
  return { cluster: { ...cluster, brokers: allOf(cluster.brokers, ...placed) }, topics, unseen }
}

/** From this many on a replication factor of 1 is a choice. */
const severalBrokers = 3
const offsetsTopic = '__consumer_offsets'

/** Brokers that are down are not told; where few are up, the replicas of Kafka's own topic may know of more. */
export async function lookAtCluster({ admin, clock }: ClusterQuestions, deadline: number): Promise<ClusterView> {
  const { brokers } = await admin.describeCluster({ timeoutMs: left(clock, deadline) })
  const up = brokers.map(({ nodeId }) => nodeId)
  const [first] = brokers
  const address = first === undefined ? '' : `${first.host}:${first.port}`
  if (up.length >= severalBrokers) return { brokers: allOf(up), address }
  // It may be forbidden, or not be made yet: then those that are up are all that is known.
  const own = await admin.describeTopics([offsetsTopic], { timeoutMs: left(clock, deadline) }).catch(() => [])
  return { brokers: allOf(up, ...own.flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas))), address }
}

async function lookAtTopic(questions: ClusterQuestions, name: string, deadline: number): Promise<TopicView> {
  const { clock, signal } = questions
  for (;;) {
    const view = await viewOf(questions, name, deadline)
    if (view !== null) return view
    if (clock.now() + betweenLooksMs >= deadline) {
      throw new DriverError(unknownTopic, `no broker knows topic ${name} yet`, { topic: name, retriable: true })
    }
    await clock.sleep(betweenLooksMs, signal)
  }
}

/** `null` while the broker that was asked does not know the topic. */
async function viewOf({ admin, clock }: ClusterQuestions, name: string, deadline: number): Promise<TopicView | null> {
  const timeoutMs = left(clock, deadline)
  const [described, configs] = await Promise.all([
    admin.describeTopics([name], { timeoutMs }),
    admin.describeConfig('topic', name, { timeoutMs }).catch((error: unknown) => {
      if (error instanceof TidemarkError && error.code === 'unknown-topic-or-partition') return null
      throw error
    }),
  ])
  const partitions = described[0]?.partitions ?? []
  if (configs === null || partitions.length === 0) return null
  return { name, replicas: partitions.map(({ replicas }) => replicas), configs }
}

function left(clock: Clock, deadline: number): number {
  return Math.max(0, deadline - clock.now())
}

function allOf(...brokers: readonly (readonly number[])[]): readonly number[] {
  return [...new Set(brokers.flat())].sort((one, other) => one - other)
}

async function outcome<Value>(work: Promise<Value>): Promise<{ readonly value: Value } | { readonly error: unknown }> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}
