import type { PartitionFacts, ConsumerFacts } from '../../consumer/watch/facts.js'
import { ConfigError, TidemarkError, TimeoutError } from '../../errors.js'
import { came } from '../../input/came.js'
import { optionProblem, timeLimit, withMethods, type Rules } from '../../input/option-rules.js'
import type { Messaging } from '../../messaging.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { Admin } from '../../operations/admin.js'

/** How long `untilIdle` waits. */
export interface IdleOptions {
  /** Then it rejects. Default 10,000. */
  readonly timeoutMs?: number | undefined
}

export const idleRules: Rules<IdleOptions> = { timeoutMs: timeLimit }
export const idleMs = 10_000
const betweenLooksMs = 5

/**
 * Resolves when there is nothing left to do: everything in the topics that the running consumers read is settled (handled,
 * dead-lettered or discarded), no handler runs, and all that was sent is stored, also what handlers sent meanwhile to topics
 * that are read here. What `retryLater` put off is waited for until its time has come. What goes from one messaging to another needs both of them: `untilIdle([access, detect])`.
 *
 * @throws TimeoutError `not-idle`, which says what is still to be done
 * @throws what stopped a partition or failed a consumer: such work is never done
 */
export async function untilIdle(messaging: Messaging | readonly Messaging[], options: IdleOptions = {}): Promise<void> {
  const all = requireMessaging('untilIdle', messaging)
  const problem = optionProblem('untilIdle', options, idleRules)
  if (problem !== null) throw problem
  const [first] = all
  const facts = () => all.flatMap((one) => one.facts().consumers)
  const sends = () => all.flatMap((one) => one.facts().producers).filter(isSending).length
  await untilDone(first, facts, sends, options.timeoutMs ?? idleMs)
}

/** Nothing is left to consumers with these facts, and nothing was added while that was looked at. */
export async function untilDone(
  { admin, clock }: Messaging,
  consumers: () => readonly ConsumerFacts[],
  sends: () => number,
  timeoutMs: number,
): Promise<void> {
  const deadline = clock.now() + timeoutMs
  let before: Ends | null = null
  let left: string | null = 'the ends of the topics were not told'
  const late = (cause?: unknown) =>
    new TimeoutError('not-idle', `after ${timeoutMs} ms ${left ?? 'more keeps coming'}`, { cause })
  for (;;) {
    const facts = consumers()
    throwFailure(facts)
    const ends = await endsOf(admin, facts, () => Math.max(0, deadline - clock.now())).catch((error: unknown) => {
      // The question had no time left, or the cluster did not answer: what was left before it tells more.
      throw error instanceof TidemarkError && error.retriable ? late(error) : error
    })
    left = whatIsLeft(consumers(), ends, sends())
    if (left === null && before !== null && sameEnds(before, ends)) return
    // What was sent before this look is in the ends of the next.
    before = left === null ? ends : null
    if (clock.now() + betweenLooksMs > deadline) throw late()
    await clock.sleep(betweenLooksMs)
  }
}

type Ends = readonly (TopicPartition & { readonly end: number })[]

async function endsOf(admin: Admin, consumers: readonly ConsumerFacts[], leftMs: () => number): Promise<Ends> {
  const names = [...topicsOf(consumers)].sort()
  if (names.length === 0) return []
  const topics = await admin.describeTopics(names, { timeoutMs: leftMs() })
  const places = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const ends = await admin.listOffsets(places, 'latest', { timeoutMs: leftMs(), isolation: 'read-committed' })
  return places.map((place, index) => ({ ...place, end: ends[index] as number }))
}

/** Those that were asked for, and the delay topics that are read along. */
function topicsOf(consumers: readonly ConsumerFacts[]): ReadonlySet<string> {
  return new Set(consumers.flatMap(({ topics, partitions }) => [...topics, ...partitions.map(({ topic }) => topic)]))
}

function sameEnds(one: Ends, other: Ends): boolean {
  return one.length === other.length && one.every(({ end }, index) => other[index]?.end === end)
}

function throwFailure(consumers: readonly ConsumerFacts[]): void {
  for (const { error, partitions } of consumers) {
    if (error !== null) throw error
    for (const { stoppedBy } of partitions) if (stoppedBy !== null) throw stoppedBy
  }
}

/** In words, of the first thing; `null` when there is none. */
function whatIsLeft(consumers: readonly ConsumerFacts[], ends: Ends, sends: number): string | null {
  if (sends > 0) return `${sends} producer(s) have sends on their way`
  const groups = new Map<string | object, ConsumerFacts[]>()
  for (const consumer of consumers) {
    if (consumer.running > 0) return `${consumer.running} handler(s) of ${nameOf(consumer)} still run`
    if (consumer.state !== 'idle') add(groups, consumer.group ?? consumer, consumer)
  }
  for (const [, members] of groups) {
    const [first] = members as [ConsumerFacts]
    const held = new Map(members.flatMap(({ partitions }) => partitions).map((one) => [keyOf(one), one]))
    for (const place of ends) {
      const facts = held.get(keyOf(place))
      if (facts === undefined && !first.topics.includes(place.topic)) continue
      const left = whatIsLeftOf(place, facts)
      if (left !== null) return `${place.topic}-${place.partition} ${left} by ${nameOf(first)}`
    }
  }
  return null
}

function whatIsLeftOf({ end }: Ends[number], facts: PartitionFacts | undefined): string | null {
  if (facts === undefined) return 'is not read'
  if (facts.unsettled === 0 && facts.position >= end) return null
  const waitsFor = facts.waitsFor === null ? '' : `, and waits for a ${facts.waitsFor},`
  return `is settled up to ${facts.settled} of ${end}${waitsFor}`
}

function nameOf({ group, topics }: ConsumerFacts): string {
  return group === null ? `the reader of ${topics.join(', ')}` : `group ${group}`
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition)
}

function add<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function isSending(producer: {
  readonly bufferedBytes: number
  readonly waitingSends: number
  readonly loadingTopics: number
}): boolean {
  return producer.bufferedBytes > 0 || producer.waitingSends > 0 || producer.loadingTopics > 0
}

/** Throws `ConfigError` unless it is one messaging or some. */
export function requireMessaging(call: string, messaging: unknown): readonly [Messaging, ...Messaging[]] {
  const all: readonly unknown[] = Array.isArray(messaging) ? messaging : [messaging]
  if (all.length > 0 && all.every((one) => isMessaging.accepts(one))) return all as unknown as [Messaging]
  const wrong = all.find((one) => !isMessaging.accepts(one)) ?? messaging
  throw new ConfigError(call, [{ path: 'messaging', message: came(wrong), fix: `write ${isMessaging.expected}` }])
}

/** By its shape: a program may load this module and that of `createMessaging` in two forms. */
const isMessaging = withMethods('what createMessaging returned, or a list of such', [
  'facts',
  'consumer',
  'ensureTopics',
])
