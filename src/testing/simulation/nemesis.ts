import { brokerCode } from '../../connection/broker-error.js'
import type { ApiName } from '../../connection/requests/apis.js'
import type { MemoryCluster } from '../../drivers/memory/memory-cluster.js'
import type { HeldRequest } from '../../drivers/memory/network/fault-rules.js'
import { noHeaders } from '../../message/record.js'
import type { Timer } from '../../runtime/clock.js'
import type { Random } from '../../runtime/random.js'
import type { VirtualClock } from '../time/virtual-clock.js'

/** The ways a simulated cluster is disturbed. More may come. */
export type Disturbance =
  | 'lose-answer'
  | 'lose-request'
  | 'straggler'
  | 'delay'
  | 'refuse'
  | 'throttle'
  | 'silence'
  | 'move-leader'
  | 'restart-broker'
  | 'lag-replication'
  | 'move-coordinator'
  | 'kick-member'
  | 'add-partitions'
  | 'transaction'
  | 'end-transaction'
  | 'compact'
  | 'set-clock'

export interface NemesisOptions {
  /** Which of them; default all that lose nothing which acks=all confirmed. */
  readonly disturbances?: readonly Disturbance[] | undefined
  /** Pause between two, drawn from these bounds. Default [50, 1000]. */
  readonly pauseMs?: readonly [min: number, max: number] | undefined
  /** Chance of each request to be lost, answered into a broken connection, delayed or held. Default 0. */
  readonly requestFaults?: number | undefined
  /** How many brokers may be down at once. Default 1. */
  readonly maxDown?: number | undefined
}

interface Transaction {
  readonly topic: string
  readonly partition: number
  readonly producerId: number
}

interface Scene {
  readonly cluster: MemoryCluster
  readonly brokers: number
  readonly maxDown: number
  readonly random: Random
  readonly clock: VirtualClock
  readonly down: Set<number>
  readonly held: Set<HeldRequest>
  readonly openTransactions: Transaction[]
  /** All of them: a new leader may lack the marker of one that was ended. */
  readonly transactions: Transaction[]
  /** Of the values that the nemesis itself writes. */
  fillers: number
  wallTimeAheadMs: number
}

const retriableProduceCodes = [
  brokerCode.NOT_LEADER_OR_FOLLOWER,
  brokerCode.REQUEST_TIMED_OUT,
  brokerCode.NOT_ENOUGH_REPLICAS,
  brokerCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  brokerCode.KAFKA_STORAGE_ERROR,
  brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
  brokerCode.CORRUPT_MESSAGE,
]
const retriableCodes: Partial<Record<ApiName, readonly number[]>> = {
  produce: retriableProduceCodes,
  initProducerId: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.NOT_COORDINATOR],
  metadata: [brokerCode.LEADER_NOT_AVAILABLE, brokerCode.UNKNOWN_TOPIC_OR_PARTITION],
  fetch: [brokerCode.NOT_LEADER_OR_FOLLOWER, brokerCode.UNKNOWN_LEADER_EPOCH, brokerCode.FENCED_LEADER_EPOCH],
  listOffsets: [brokerCode.NOT_LEADER_OR_FOLLOWER, brokerCode.LEADER_NOT_AVAILABLE],
  findCoordinator: [brokerCode.COORDINATOR_NOT_AVAILABLE],
  joinGroup: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.NOT_COORDINATOR],
  syncGroup: [brokerCode.REBALANCE_IN_PROGRESS, brokerCode.NOT_COORDINATOR],
  heartbeat: [brokerCode.REBALANCE_IN_PROGRESS, brokerCode.NOT_COORDINATOR, brokerCode.COORDINATOR_NOT_AVAILABLE],
  offsetCommit: [brokerCode.REBALANCE_IN_PROGRESS, brokerCode.NOT_COORDINATOR, brokerCode.COORDINATOR_LOAD_IN_PROGRESS],
  offsetFetch: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.UNSTABLE_OFFSET_COMMIT],
}
const apis = Object.keys(retriableCodes) as ApiName[]

/** Two settings apart stay within the hour by which brokers let a record be ahead of their clock. */
const maxClockErrorMs = 25 * 60_000

/** Each does one thing to the cluster and tells what; an empty text means that there was nothing to do it to. */
const disturbances: Readonly<Record<Disturbance, (scene: Scene) => string>> = {
  'lose-answer': ({ cluster, random }: Scene) => {
    const api = pick(random, apis)
    cluster.faults.loseNextAnswer({ api })
    return `loses the next answer to ${api}`
  },
  'lose-request': ({ cluster, random }: Scene) => {
    const api = pick(random, apis)
    cluster.faults.loseNextRequest({ api })
    return `loses the next ${api}`
  },
  straggler: (scene: Scene) => {
    const { cluster, random, clock, held } = scene
    const api = random.next() < 0.6 ? 'produce' : pick(random, apis)
    const request = cluster.faults.holdRequest({ api })
    held.add(request)
    const forMs = 200 + Math.floor(random.next() * 9_000)
    clock.setTimer(forMs, () => {
      request.release()
      held.delete(request)
    })
    return `holds the next ${api} for at most ${forMs} ms`
  },
  delay: ({ cluster, random }: Scene) => {
    const api = pick(random, apis)
    const delayMs = Math.floor(random.next() * 1_500)
    cluster.faults.delayNext({ api }, delayMs)
    return `delays the next ${api} by ${delayMs} ms`
  },
  refuse: ({ cluster, random }: Scene) => {
    const api = random.next() < 0.4 ? 'produce' : pick(random, apis)
    const code = pick(random, retriableCodes[api] ?? [])
    cluster.faults.failNext({ api }, code)
    return `refuses the next ${api} with ${code}`
  },
  throttle: ({ cluster, random }: Scene) => {
    const api = pick(random, apis)
    cluster.faults.throttleNext({ api }, 300)
    return `throttles the next ${api}`
  },
  silence: ({ cluster, random, brokers, down }: Scene) => {
    const node = draw(random, brokers)
    if (down.has(node)) return ''
    const forMs = 200 + Math.floor(random.next() * 4_000)
    cluster.faults.silence(node, forMs)
    return `silences broker ${node} for ${forMs} ms`
  },
  'move-leader': ({ cluster, random }: Scene) => {
    const at = anyPartition(cluster, random)
    if (at === null) return ''
    const { leader, isr } = cluster.partitionFacts(at.topic, at.partition)
    if (leader < 0 || isr.length < 2) return ''
    try {
      cluster.faults.moveLeader(at.topic, at.partition)
    } catch {
      return '' // its other in-sync replicas are all down
    }
    const now = cluster.partitionFacts(at.topic, at.partition).leader
    return `moves the leader of ${at.topic}-${at.partition} from ${leader} to ${now}`
  },
  'restart-broker': ({ cluster, random, brokers, down, maxDown, clock }: Scene) => {
    const node = draw(random, brokers)
    if (down.has(node) || down.size >= maxDown) return ''
    const forMs = 300 + Math.floor(random.next() * 5_000)
    down.add(node)
    cluster.faults.stopBroker(node)
    clock.setTimer(forMs, () => {
      cluster.faults.startBroker(node)
      down.delete(node)
    })
    return `stops broker ${node} for ${forMs} ms`
  },
  'lag-replication': ({ cluster, random, brokers, clock }: Scene) => {
    const node = draw(random, brokers)
    // Now and then longer than a send may take.
    const forMs = 100 + Math.floor(random.next() ** 3 * 12_000)
    cluster.faults.pauseReplication(node)
    const drop = random.next() < 0.3
    if (drop) cluster.faults.dropFollower(node)
    clock.setTimer(forMs, () => cluster.faults.resumeReplication(node))
    return `broker ${node} copies nothing for ${forMs} ms${drop ? ' and is out of sync' : ''}`
  },
  'move-coordinator': ({ cluster, random }: Scene) => {
    const group = pickOrNull(random, cluster.groupIds())
    if (group === null) return ''
    cluster.faults.moveCoordinator(group)
    return `moves the coordinator of ${group} to broker ${cluster.coordinatorOf(group)}`
  },
  'kick-member': ({ cluster, random }: Scene) => {
    const group = pickOrNull(random, cluster.groupIds())
    if (group === null || !cluster.faults.killMember(group, 'any')) return ''
    return `throws a member out of ${group}`
  },
  'add-partitions': ({ cluster, random, down }: Scene) => {
    const topic = pickOrNull(random, cluster.topicNames())
    // With too few brokers for its replicas the cluster would refuse.
    if (topic === null || down.size > 0) return ''
    const count = cluster.partitionCount(topic)
    if (count >= 8) return ''
    cluster.addPartitions(topic, count + 1)
    return `adds partition ${count} to ${topic}`
  },
  transaction: (scene: Scene) => {
    const { cluster, random, openTransactions, clock } = scene
    const at = anyPartition(cluster, random)
    if (at === null || cluster.partitionFacts(at.topic, at.partition).leader < 0) return ''
    const outcome = pick(random, ['commit', 'abort', 'open'] as const)
    const records = Array.from({ length: 1 + draw(random, 4) }, () => ({
      key: Buffer.from('filler'),
      value: Buffer.from(`filler ${(scene.fillers += 1)}`),
      headers: noHeaders,
      timestamp: clock.wallTime(),
    }))
    const { producerId } = cluster.appendTransaction(at.topic, at.partition, records, outcome)
    scene.transactions.push({ ...at, producerId })
    if (outcome === 'open') openTransactions.push({ ...at, producerId })
    return `writes a transaction (${outcome}) of ${records.length} to ${at.topic}-${at.partition}`
  },
  'end-transaction': ({ cluster, random, openTransactions }: Scene) => {
    while (openTransactions.length > 0 && !exists(cluster, openTransactions[0]!)) openTransactions.shift()
    const open = openTransactions[0]
    if (open === undefined || cluster.partitionFacts(open.topic, open.partition).leader < 0) return ''
    openTransactions.shift()
    const outcome = pick(random, ['commit', 'abort'] as const)
    cluster.endTransaction(open.topic, open.partition, open.producerId, outcome)
    return `ends the transaction in ${open.topic}-${open.partition} (${outcome})`
  },
  compact: ({ cluster, random }: Scene) => {
    const at = anyPartition(cluster, random)
    if (at === null) return ''
    const { highWatermark } = cluster.partitionFacts(at.topic, at.partition)
    const isFiller = (value: Buffer | null) => value?.toString().startsWith('filler ') ?? false
    cluster.compact(at.topic, at.partition, ({ offset, value }) => offset >= highWatermark || !isFiller(value))
    return `compacts ${at.topic}-${at.partition}`
  },
  'set-clock': (scene: Scene) => {
    const { random, clock } = scene
    const aheadMs = Math.floor((2 * random.next() - 1) * maxClockErrorMs)
    const byMs = aheadMs - scene.wallTimeAheadMs
    scene.wallTimeAheadMs = aheadMs
    clock.shiftWallTime(byMs)
    return `sets the wall clock ${byMs < 0 ? 'back' : 'forward'} by ${Math.abs(byMs)} ms`
  },
}

export const allDisturbances = Object.keys(disturbances) as readonly Disturbance[]

/** Disturbs a cluster at times and in ways that chance decides, until it is told to heal. */
export class Nemesis {
  readonly #scene: Scene
  readonly #kinds: readonly Disturbance[]
  readonly #pauseMs: readonly [min: number, max: number]
  readonly #requestFaults: number
  readonly #note: (event: string) => void
  #state: 'calm' | 'raging' = 'calm'
  #next: Timer | null = null
  readonly #counts = new Map<Disturbance, number>()

  /** @internal @param note is told everything that is done. */
  constructor(
    cluster: MemoryCluster,
    clock: VirtualClock,
    brokers: number,
    random: Random,
    options: NemesisOptions,
    note: (event: string) => void,
  ) {
    const { maxDown = 1, disturbances: kinds = allDisturbances, pauseMs = [50, 1_000], requestFaults = 0 } = options
    this.#scene = {
      cluster,
      brokers,
      maxDown: Math.min(maxDown, brokers),
      random,
      clock,
      down: new Set(),
      held: new Set(),
      openTransactions: [],
      transactions: [],
      fillers: 0,
      wallTimeAheadMs: 0,
    }
    this.#kinds = kinds
    this.#pauseMs = pauseMs
    this.#requestFaults = requestFaults
    this.#note = note
  }

  /** How many disturbances there were. */
  get done(): number {
    let sum = 0
    for (const count of this.#counts.values()) sum += count
    return sum
  }

  /** How many there were of each kind. */
  get counts(): Readonly<Partial<Record<Disturbance, number>>> {
    return Object.fromEntries(this.#counts)
  }

  start(): void {
    this.#state = 'raging'
    const chance = this.#requestFaults
    if (chance > 0) {
      this.#scene.cluster.faults.random({
        random: this.#scene.random,
        loseRequest: chance,
        loseAnswer: chance,
        delay: 2 * chance,
        maxDelayMs: 800,
        hold: chance / 4,
        maxHoldMs: 8_000,
      })
    }
    this.#scheduleNext()
  }

  /** Ends every disturbance: brokers up and heard, requests released, replication on, transactions ended. */
  heal(): void {
    const { cluster, brokers, held, down, openTransactions, transactions } = this.#scene
    this.#state = 'calm'
    this.#next?.cancel()
    cluster.faults.clear()
    for (const request of held) request.release()
    held.clear()
    down.clear()
    for (let node = 0; node < brokers; node += 1) {
      cluster.faults.resumeReplication(node)
      cluster.faults.startBroker(node)
    }
    openTransactions.length = 0
    for (const { topic, partition, producerId } of transactions.splice(0).filter((each) => exists(cluster, each))) {
      const ours = cluster.batches(topic, partition).filter((batch) => batch.producerId === producerId)
      const isOpen = ours.length > 0 && ours.every(({ control }) => control === 'none')
      if (isOpen) cluster.endTransaction(topic, partition, producerId, 'abort')
    }
    this.#note('nemesis heals everything')
  }

  #scheduleNext(): void {
    const [min, max] = this.#pauseMs
    const { clock, random } = this.#scene
    this.#next = clock.setTimer(min + (max - min) * random.next(), () => {
      if (this.#state === 'calm') return
      const kind = pick(random, this.#kinds)
      const told = disturbances[kind](this.#scene)
      if (told !== '') {
        this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
        this.#note(`nemesis ${told}`)
      }
      this.#scheduleNext()
    })
  }
}

/** Its topic may have been deleted. */
function exists(cluster: MemoryCluster, { topic, partition }: Transaction): boolean {
  return partition < cluster.partitionCount(topic)
}

function draw(random: Random, count: number): number {
  return Math.floor(random.next() * count)
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[draw(random, items.length)]!
}

function pickOrNull<Item>(random: Random, items: readonly Item[]): Item | null {
  return items.length === 0 ? null : pick(random, items)
}

function anyPartition(cluster: MemoryCluster, random: Random): { topic: string; partition: number } | null {
  const topic = pickOrNull(random, cluster.topicNames())
  return topic === null ? null : { topic, partition: draw(random, cluster.partitionCount(topic)) }
}
