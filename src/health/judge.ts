import type { ConsumerFacts, PartitionFacts } from '../consumer/watch/facts.js'
import type { MessagingFacts } from '../messaging.js'
import type { ProducerFacts } from '../producer/producer.js'
import type { EventKind, WaitsFor } from '../telemetry/events.js'
import type { StandingTrouble } from '../telemetry/troubles.js'
import { reasons, type Gravity, type HealthCode } from './reasons.js'

/** Why a process is not healthy: one kind of reason at one place. Plain data; never a key or value. */
export interface HealthReason {
  /** Stable; `text` and `remedy` are for people. */
  readonly code: HealthCode
  readonly gravity: Gravity
  /** What is wrong. */
  readonly text: string
  /** What to do. */
  readonly remedy: string
  /** Wall time, ms since the Unix epoch; `null` when nobody knows. */
  readonly since: number | null
  /** Of a consumer in a group. */
  readonly group: string | null
  readonly topic: string | null
  readonly partition: number | null
  readonly node: number | 'bootstrap' | null
}

/** Verdict and reasons at one moment. */
export interface Health {
  /** The gravest of the reasons; `healthy` without any. */
  readonly status: 'healthy' | Gravity
  /** The gravest first. */
  readonly reasons: readonly HealthReason[]
}

/** How the event loop did lately. */
export interface LoopDelay {
  /** The longest that a timer came late within the last 30 s, ms. */
  readonly worstMs: number
  /** When that was: wall time. */
  readonly at: number
}

/** Longest time without an answered heartbeat: four of the new protocol's would have come, and 12 of ours. */
const heartbeatLateMs = 12_000
/** A timer that comes so late holds up heartbeats and answers of everything in the process. */
const blockedMs = 1_000

const gravest: readonly Gravity[] = ['not-live', 'not-ready', 'degraded']

/** The trouble alone says it. */
const byKind: { readonly [Kind in EventKind]?: HealthCode } = {
  'topic-unavailable': 'topic-unavailable',
  'starts-unknown': 'partition-without-start',
  'watermark-held': 'watermark-held',
  'dead-letter-delayed': 'dead-letters-failing',
  'put-off-delayed': 'delay-topic-failing',
  'outage-began': 'breaker-open',
  'decoding-held-up': 'schema-missing',
  'readers-held-up': 'readers-held-up',
  'fetch-unanswered': 'fetch-unanswered',
  'member-stuck': 'member-stuck',
  'commit-delayed': 'commit-delayed',
  'outbox-unreachable': 'outbox-unreachable',
  'outbox-not-sent': 'outbox-not-sent',
}

/** Errors that say that an answer is missing. */
const missingAnswers: readonly (string | null)[] = ['timed-out', 'connection-lost']

/**
 * The verdict on facts, also those of another process that came as JSON. Looks at nothing else.
 *
 * @param loop how the event loop did; `null` when nobody watched it
 */
export function judgeHealth(facts: MessagingFacts, loop: LoopDelay | null = null): Health {
  const silent = facts.troubles.some(({ kind }) => kind === 'broker-silent')
  const found = [
    ...(facts.state === 'closing' ? [reason('closing')] : []),
    ...facts.troubles.flatMap(ofSurroundings),
    ...facts.consumers.flatMap((consumer) => ofConsumer(consumer, facts.at, silent)),
    ...facts.producers.flatMap(ofProducer),
    ...facts.relays.flatMap(({ troubles }) => troubles.flatMap((trouble) => ofTrouble(trouble))),
    ...(loop !== null && loop.worstMs >= blockedMs ? [reason('event-loop-blocked', { since: loop.at })] : []),
  ]
  const sorted = found.sort((a, b) => gravest.indexOf(a.gravity) - gravest.indexOf(b.gravity))
  return { status: sorted[0]?.gravity ?? 'healthy', reasons: sorted }
}

type Place = Partial<Pick<HealthReason, 'since' | 'group' | 'topic' | 'partition' | 'node'>>

function reason(code: HealthCode, place: Place = {}): HealthReason {
  const { since = null, group = null, topic = null, partition = null, node = null } = place
  return { code, ...reasons[code], since, group, topic, partition, node }
}

function ofSurroundings(trouble: StandingTrouble): HealthReason[] {
  if (trouble.kind !== 'broker-silent') return ofTrouble(trouble)
  return [reason(trouble.node === 'bootstrap' ? 'no-broker' : 'broker-silent', trouble)]
}

function ofTrouble(trouble: StandingTrouble, group: string | null = null): HealthReason[] {
  const code = byKind[trouble.kind]
  return code === undefined ? [] : [reason(code, { ...trouble, group })]
}

function ofProducer({ troubles }: ProducerFacts): HealthReason[] {
  return troubles.flatMap((trouble) => {
    if (trouble.kind !== 'deliveries-delayed') return ofTrouble(trouble)
    const code = missingAnswers.includes(trouble.code) ? 'producer-in-doubt' : 'deliveries-delayed'
    return [reason(code, { since: trouble.since })]
  })
}

const states: Readonly<Record<string, HealthCode>> = {
  idle: 'consumer-idle',
  starting: 'consumer-starting',
  stopping: 'consumer-stopping',
  failed: 'consumer-failed',
}

function ofConsumer(consumer: ConsumerFacts, now: number, silent: boolean): HealthReason[] {
  const { group, state, troubles, partitions, overrunning } = consumer
  const code = states[state]
  return [
    ...(code === undefined ? [] : [reason(code, { group })]),
    ...ofMembership(consumer, now, silent),
    ...troubles.flatMap((trouble) => ofTrouble(trouble, group)),
    ...troubles.flatMap((trouble) => (trouble.kind === 'stalled' ? ofStall(trouble, partitions, group, now) : [])),
    ...partitions.flatMap((partition) => ofStopped(partition, group)),
    ...(overrunning > 0 ? [reason('handler-overruns', { group })] : []),
  ]
}

/**
 * | in the group | was in it | its way in                | reason |
 * |--------------|-----------|---------------------------|--------|
 * | yes          |           |                           | `coordinator-gone` when no heartbeat was answered for long |
 * | no           |           | waits for the session of who had its instance id before | `predecessor-not-gone` |
 * | no, for long |           | joins, and all brokers answer | `join-stuck` |
 * | no, for long | yes       | any other                 | `session-lost` |
 * | no, for long | no        | any other                 | `coordinator-gone` |
 *
 * A join that a silent broker has looks like one that waits for other members.
 */
function ofMembership({ group, driver, troubles }: ConsumerFacts, now: number, silent: boolean): HealthReason[] {
  if (group === null || driver === null) return []
  const { lastHeartbeatAt, hasAssignment, state } = driver
  if (hasAssignment) {
    const isLate = lastHeartbeatAt !== null && now - lastHeartbeatAt >= heartbeatLateMs
    return isLate ? [reason('coordinator-gone', { since: lastHeartbeatAt, group })] : []
  }
  const outside = troubles.find(({ kind }) => kind === 'outside-group')
  if (state === 'waiting-for-predecessor')
    return [reason('predecessor-not-gone', { since: outside?.since ?? null, group })]
  if (outside === undefined) return []
  const { since } = outside
  if (!silent && (state === 'joining' || state === 'syncing')) return [reason('join-stuck', { since, group })]
  return [reason(lastHeartbeatAt === null ? 'coordinator-gone' : 'session-lost', { since, group })]
}

/** Its end is told by the next look alone, and what a partition does meanwhile is no reason. */
function ofStall(
  stall: StandingTrouble,
  partitions: readonly PartitionFacts[],
  group: string | null,
  now: number,
): HealthReason[] {
  const { topic, partition, since } = stall
  const facts = partitions.find((one) => one.topic === topic && one.partition === partition)
  if (facts !== undefined && now - facts.stalledMs > since) return []
  return [reason(stalls[facts?.waitsFor ?? 'fetch'] ?? 'partition-stalled', { topic, partition, since, group })]
}

const stalls: { readonly [What in WaitsFor]?: HealthCode } = {
  handler: 'handler-stalled',
  loop: 'handler-stalled',
  retry: 'head-blocked',
}

function ofStopped({ topic, partition, state, stoppedBy }: PartitionFacts, group: string | null): HealthReason[] {
  if (state !== 'stopped') return []
  return [reason(stoppedBy?.code === 'flood' ? 'dead-letter-flood' : 'partition-stopped', { topic, partition, group })]
}
