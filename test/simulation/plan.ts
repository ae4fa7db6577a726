import type { AssignorName } from '../../src/driver/consumer.js'
import type { MemoryClusterOptions } from '../../src/drivers/memory/memory-options.js'
import { seededRandom, type Random } from '../../src/runtime/random.js'
import { allDisturbances, type Disturbance } from '../../src/testing/simulation/disturbances.js'
import type { NemesisOptions } from '../../src/testing/simulation/nemesis.js'
import { delayPlanOf, type DelayPlan } from './delays.js'
import { reorderPlanOf, type ReorderPlan } from './event-order.js'

/** What a seed decides before anything runs. */
export interface Plan {
  readonly seed: number
  readonly profile: 'cp' | 'ap'
  readonly isolation: 'read-committed' | 'read-uncommitted'
  readonly handling: 'each' | 'batch'
  readonly order: 'partition' | 'key' | 'none'
  /** Consumers handle in the order of event time; `null`: of each log. */
  readonly reorder: ReorderPlan | null
  /** What failed in place waits on delay topics; `null`: it becomes a dead letter. */
  readonly delays: DelayPlan | null
  /** Batches are taken by so many loops; 0 for handlers. */
  readonly loops: number
  /** `onAssigned` and `onRevoked` take their time, fail, and say where partitions start. */
  readonly hooks: boolean
  /** Repeats are dropped, as a database says that all members share. */
  readonly dedupe: 'none' | 'marked-afterwards' | 'in-transaction'
  readonly concurrency: number
  readonly batchMessages: number
  readonly cluster: Omit<MemoryClusterOptions, 'runtime'> & { readonly brokers: number }
  readonly topics: readonly { readonly name: string; readonly partitions: number }[]
  readonly keys: number
  readonly records: number
  readonly producers: number
  readonly groups: readonly {
    /** `null` reads without a group. */
    readonly name: string | null
    readonly consumers: number
    /** Its members have instance ids. */
    readonly isStatic: boolean
  }[]
  /** Virtual time over which records are sent. */
  readonly sendingMs: number
  /** Chance that a record cannot be handled. */
  readonly poison: number
  /** What becomes of it: the handler throws an error, or Discard, or there is no dead-letter topic and the partition stops. */
  readonly failing: 'dead-letter' | 'discard' | 'stop'
  readonly retry:
    false | { readonly retries: number; readonly backoff: { readonly initialMs: number; readonly maxMs: number } }
  /** What every handler needs is down for a while: they throw an error, or `Unavailable`. */
  readonly down: { readonly fromMs: number; readonly forMs: number; readonly says: 'error' | 'unavailable' } | null
  readonly decideAfterMs: number
  /** So many letters in a row are a flood; `false`: however many they are. */
  readonly breaker: false | { readonly consecutive: number }
  /** What a letter means to its partition. */
  readonly afterwards: 'continue' | 'stop'
  /** Every other record that cannot be handled is too large for a letter. */
  readonly largeLetters: boolean
  /** Batches that fail say at which message. */
  readonly partialBatches: boolean
  /** Chance that a handler takes seconds. */
  readonly slowHandlers: number
  readonly maxHandlerMs: number
  readonly handlerTimeoutMs: number
  /** What is thrown is no error, or one that cannot be read. */
  readonly oddErrors: boolean
  /** What listeners and metrics of users do when they are told something, and the logger of the first consumer. */
  readonly adapters: 'sound' | 'throw' | 'reject'
  /** What a handler does when its signal aborts. */
  readonly onAbort: 'goes-on' | 'returns' | 'throws'
  readonly drainMs: number
  readonly consumerChanges: boolean
  /** Users seek, and pause and resume. */
  readonly seeks: boolean
  readonly pauses: boolean
  /** Retention deletes the beginning of logs while consumers lag. */
  readonly retention: boolean
  readonly onOutOfRange: 'stop' | 'earliest' | 'latest'
  /** This topic is deleted on the way. */
  readonly doomedTopic: string | null
  /** This topic is deleted and made anew on the way. */
  readonly remadeTopic: string | null
  /** Replicas that lack records are made leader. */
  readonly uncleanElections: boolean
  /** What members offer, in turn: of two versions of a program, each its own. */
  readonly assignors: readonly (readonly AssignorName[])[]
  /** Who divides the partitions of groups: a member, or the coordinator. */
  readonly groupProtocol: 'classic' | 'consumer'
  readonly producerCrashes: boolean
  readonly commit: 'confirmed' | { readonly everyMs: number; readonly everyMessages: number }
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly fetchMaxWaitMs: number
  readonly partitionMaxBytes: number
  readonly metadataMaxAgeMs: number
  /** Brokers and consumers are in racks, and followers are read. */
  readonly isNearby: boolean
  readonly highMarkRecords: number
  readonly batchBytes: number
  readonly lingerMs: number
  readonly nemesis: NemesisOptions & { readonly disturbances: readonly Disturbance[] }
}

export function planOf(seed: number): Plan {
  const random = seededRandom(seed ^ 0x3c6ef372)
  // The first draws of neighbouring seeds are alike.
  for (let skipped = 0; skipped < 3; skipped += 1) random.next()
  // Draws of their own, so that those of other things stay as they were.
  const own = seededRandom(seed ^ 0x51ed270b)
  for (let skipped = 0; skipped < 3; skipped += 1) own.next()
  const timed = seededRandom(seed ^ 0x2545f491)
  const grouped = seededRandom(seed ^ 0x6c0091)
  const divided = seededRandom(seed ^ 0x1b873593)
  for (let skipped = 0; skipped < 3; skipped += 1) {
    timed.next()
    divided.next()
  }
  const delayed = seededRandom(seed ^ 0x6a09e667)
  for (let skipped = 0; skipped < 3; skipped += 1) delayed.next()
  const nearby = seededRandom(seed ^ 0x510e527f)
  for (let skipped = 0; skipped < 3; skipped += 1) nearby.next()
  const profile = chance(random, 0.85) ? 'cp' : 'ap'
  const topics = between(random, 1, 3)
  const brokers = chance(random, 0.9) ? 3 : 1
  const isNearby = brokers > 1 && chance(nearby, 0.3)
  const handling = chance(random, 0.8) ? 'each' : 'batch'
  const orders = handling === 'each' ? (['partition', 'key', 'key', 'none'] as const) : (['partition', 'none'] as const)
  const doomed = chance(random, 0.12)
  const names = Array.from({ length: topics }, (_, index) => `topic-${index}`)
  const disturbances = allDisturbances.filter(() => chance(random, 0.55))
  const order = orders[between(random, 0, orders.length - 1)] ?? 'partition'
  const plan: Omit<Plan, keyof FailurePlan | keyof LetterPlan | 'dedupe'> = {
    seed,
    profile,
    isolation: chance(random, 0.5) ? 'read-committed' : 'read-uncommitted',
    handling,
    order,
    reorder: order === 'partition' && chance(timed, 0.6) ? reorderPlanOf(timed) : null,
    delays: null,
    loops: handling === 'batch' && chance(own, 0.5) ? between(own, 1, 3) : 0,
    hooks: chance(own, 0.25),
    concurrency: between(random, 1, 16),
    batchMessages: between(random, 1, 30),
    cluster: {
      brokers,
      latencyMs: [1, between(random, 2, 40)],
      replicationDelayMs: chance(random, 0.5) ? 0 : between(random, 1, 60),
      failoverMs: chance(random, 0.5) ? 0 : between(random, 50, 800),
      minInsyncReplicas: brokers === 1 ? 1 : 2,
      racks: isNearby ? racks : [],
    },
    topics: [...names, ...(doomed ? [doomedTopic] : [])].map((name) => ({
      name,
      partitions: between(random, 1, topics === 1 ? 6 : 3),
    })),
    doomedTopic: doomed ? doomedTopic : null,
    remadeTopic: chance(random, 0.15) ? names[0]! : null,
    uncleanElections: brokers > 1 && chance(random, 0.25),
    keys: between(random, 3, 40),
    records: between(random, 200, 500),
    producers: between(random, 1, 3),
    groups: groupsOf(random),
    sendingMs: between(random, 5_000, 15_000),
    oddErrors: chance(random, 0.3),
    adapters: chance(random, 0.2) ? (chance(random, 0.5) ? 'throw' : 'reject') : 'sound',
    failing: (['dead-letter', 'dead-letter', 'discard', 'stop'] as const)[between(random, 0, 3)]!,
    slowHandlers: chance(random, 0.35) ? 0.005 : 0,
    maxHandlerMs: between(random, 1, 60),
    handlerTimeoutMs: chance(random, 0.4) ? between(random, 300, 3_000) : 300_000,
    onAbort: (['goes-on', 'returns', 'throws'] as const)[between(random, 0, 2)]!,
    drainMs: chance(random, 0.5) ? 30_000 : between(random, 100, 2_000),
    seeks: chance(random, 0.25),
    pauses: chance(random, 0.25),
    retention: chance(random, 0.25),
    onOutOfRange: (['stop', 'earliest', 'latest'] as const)[between(random, 0, 2)]!,
    assignors: assignorsOf(
      (['sticky', 'sticky', 'range', 'roundrobin', 'kafkajs-roundrobin'] as const)[between(random, 0, 4)]!,
      grouped,
    ),
    groupProtocol: chance(divided, 0.3) ? 'consumer' : 'classic',
    consumerChanges: chance(random, 0.7),
    producerCrashes: chance(random, 0.25),
    commit: commitOf(order, { everyMs: between(random, 100, 2_000), everyMessages: between(random, 1, 50) }, own),
    requestTimeoutMs: between(random, 500, 2_000),
    deliveryTimeoutMs: between(random, 2_000, 8_000),
    sessionTimeoutMs: between(random, 2_500, 5_000),
    rebalanceTimeoutMs: between(random, 3_000, 6_000),
    heartbeatIntervalMs: between(random, 300, 800),
    fetchMaxWaitMs: between(random, 200, 800),
    partitionMaxBytes: chance(random, 0.5) ? 1_048_576 : between(random, 200, 3_000),
    metadataMaxAgeMs: between(random, 2_000, 10_000),
    isNearby,
    highMarkRecords: chance(random, 0.5) ? 10_000 : between(random, 4, 100),
    batchBytes: chance(random, 0.5) ? 1_048_576 : between(random, 100, 2_000),
    lingerMs: chance(random, 0.5) ? 0 : between(random, 1, 50),
    nemesis: {
      disturbances: disturbances.length === 0 ? allDisturbances : disturbances,
      pauseMs: [20, between(random, 200, 1_500)],
      requestFaults: chance(random, 0.4) ? 0.01 : 0,
      maxDown: chance(random, 0.1) ? 2 : 1,
    },
  }
  const dedupe = chance(own, 0.7) ? 'none' : chance(own, 0.5) ? 'marked-afterwards' : 'in-transaction'
  const failures = failurePlanOf(random, plan)
  const cluster = {
    ...plan.cluster,
    consumerSessionTimeoutMs: plan.sessionTimeoutMs,
    consumerHeartbeatIntervalMs: plan.heartbeatIntervalMs,
  }
  const letters = letterPlanOf(own, plan.failing, failures.poison)
  return delayPlanOf(delayed, { ...plan, cluster, ...failures, ...letters, dedupe })
}

type LetterPlan = Pick<Plan, 'breaker' | 'afterwards' | 'largeLetters' | 'poison'>

/** What becomes of letters. Where there are many, a flood is met. */
function letterPlanOf(own: Random, failing: Plan['failing'], poison: number): LetterPlan {
  const draw = own.next()
  const consecutive = between(own, 1, 3)
  const hasLetters = failing === 'dead-letter' && poison > 0
  const largeLetters = chance(own, 0.4) && hasLetters
  if (!hasLetters || draw < 0.5) return { breaker: false, afterwards: 'continue', largeLetters, poison }
  if (draw < 0.7) return { breaker: false, afterwards: 'stop', largeLetters, poison }
  return { breaker: { consecutive }, afterwards: 'continue', largeLetters, poison: 0.15 }
}

/** Half of the groups are cooperative, some on their way there or back: then not all members offer it. */
function assignorsOf(eager: AssignorName, random: Random): Plan['assignors'] {
  if (chance(random, 0.45)) return [[eager]]
  if (chance(random, 0.7)) return [['cooperative-sticky', 'sticky']]
  return [['cooperative-sticky', 'sticky'], ['cooperative-sticky', 'sticky'], ['sticky']]
}

type FailurePlan = Pick<Plan, 'retry' | 'down' | 'decideAfterMs' | 'partialBatches' | 'poison'>

function failurePlanOf(random: Random, { failing, sendingMs }: Pick<Plan, 'failing' | 'sendingMs'>): FailurePlan {
  const poison = chance(random, 0.5) ? 0.02 : 0
  const retries = between(random, 0, 3)
  const backoff = { initialMs: between(random, 5, 100), maxMs: between(random, 100, 500) }
  const retry = failing !== 'stop' && chance(random, 0.7) ? { retries, backoff } : false
  const isDown = retry !== false && chance(random, 0.5)
  const fromMs = between(random, 1_000, sendingMs)
  const says = chance(random, 0.6) ? 'error' : 'unavailable'
  const down = isDown ? ({ fromMs, forMs: between(random, 300, 4_000), says } as const) : null
  const partialBatches = chance(random, 0.5)
  // Where nobody has to be given up in doubt, the time for it is longer than any outage, so nothing may be.
  const isSharp = down !== null && chance(random, 0.5)
  if (isSharp) return { retry, down, partialBatches, decideAfterMs: 30_000, poison: 0 }
  return { retry, down, partialBatches, decideAfterMs: between(random, 50, 400), poison }
}

function commitOf(order: Plan['order'], every: Plan['commit'], random: Random): Plan['commit'] {
  return order === 'partition' && chance(random, 0.15) ? 'confirmed' : every
}

const doomedTopic = 'doomed'

/** By broker, and by consumer in turn. */
export const racks = ['a', 'b', 'c'] as const

function groupsOf(random: Random): Plan['groups'] {
  const count = chance(random, 0.75) ? 1 : 2
  const groups: Plan['groups'] = Array.from({ length: count }, (_, index) => {
    const consumers = between(random, 1, 3)
    return { name: `group-${index}`, consumers, isStatic: chance(random, 0.25) }
  })
  return chance(random, 0.15) ? [...groups, { name: null, consumers: 1, isStatic: false }] : groups
}

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability
}

/** An integer from `min` to `max`, both included. */
export function between(random: Random, min: number, max: number): number {
  return min + Math.floor(random.next() * (max - min + 1))
}
