import { brokerCode } from '../../connection/broker-error.js'
import type { ApiName } from '../../connection/requests/apis.js'
import type { MemoryCluster } from '../../drivers/memory/memory-cluster.js'
import type { HeldRequest } from '../../drivers/memory/network/fault-rules.js'
import { noHeaders } from '../../message/record.js'
import type { Random } from '../../runtime/random.js'
import { isNamedForDelay } from '../../topic/delay-topic-name.js'
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
  | 'turn-away'
  | 'lag-metadata'
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
  | 'move-transaction-coordinator'
  | 'lose-of-transaction'
  | 'hold-of-transaction'
  | 'refuse-of-transaction'
  | 'raise-transaction-version'
  | 'silence-transaction-coordinator'

interface Transaction {
  readonly topic: string
  readonly partition: number
  readonly producerId: number
}

/** What disturbances act on, and what they have to remember. */
export interface Scene {
  readonly cluster: MemoryCluster
  readonly brokers: number
  readonly maxDown: number
  readonly random: Random
  readonly clock: VirtualClock
  readonly down: Set<number>
  readonly held: Set<HeldRequest>
  /** The broker that takes no connections; one at a time. */
  turningAway: number | null
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
  consumerGroupHeartbeat: [
    brokerCode.NOT_COORDINATOR,
    brokerCode.COORDINATOR_NOT_AVAILABLE,
    brokerCode.COORDINATOR_LOAD_IN_PROGRESS,
    brokerCode.FENCED_MEMBER_EPOCH,
  ],
  offsetCommit: [brokerCode.REBALANCE_IN_PROGRESS, brokerCode.NOT_COORDINATOR, brokerCode.COORDINATOR_LOAD_IN_PROGRESS],
  offsetFetch: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.UNSTABLE_OFFSET_COMMIT],
}
const membersAsk: readonly ApiName[] = ['joinGroup', 'syncGroup', 'heartbeat']
const apis = (Object.keys(retriableCodes) as ApiName[]).filter((api) => api !== 'consumerGroupHeartbeat')

/** One of all; where coordinators divide, members say everything with their heartbeats. */
function pickApi({ cluster, random }: Pick<Scene, 'cluster' | 'random'>): ApiName {
  const api = pick(random, apis)
  const isDivided = cluster.groupIds().some((group) => cluster.group(group)?.type === 'consumer')
  return isDivided && membersAsk.includes(api) ? 'consumerGroupHeartbeat' : api
}

/** The requests of transactions, and what their coordinators may always answer. */
const transactionCodes: Partial<Record<ApiName, readonly number[]>> = {
  initProducerId: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.CONCURRENT_TRANSACTIONS],
  addPartitionsToTxn: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.NOT_COORDINATOR],
  addOffsetsToTxn: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.NOT_COORDINATOR],
  txnOffsetCommit: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.TRANSACTION_ABORTABLE],
  endTxn: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, brokerCode.NOT_COORDINATOR, brokerCode.CONCURRENT_TRANSACTIONS],
  produce: [brokerCode.NOT_ENOUGH_REPLICAS, brokerCode.TRANSACTION_ABORTABLE],
  describeTransactions: [brokerCode.COORDINATOR_LOAD_IN_PROGRESS],
}
const transactionApis = Object.keys(transactionCodes) as ApiName[]

/** Two settings apart stay within the hour by which brokers let a record be ahead of their clock. */
const maxClockErrorMs = 25 * 60_000

/** Each does one thing to the cluster and tells what; an empty text means that there was nothing to do it to. */
export const disturbances: Readonly<Record<Disturbance, (scene: Scene) => string>> = {
  'lose-answer': ({ cluster, random }: Scene) => {
    const api = pickApi({ cluster, random })
    cluster.faults.loseNextAnswer({ api })
    return `loses the next answer to ${api}`
  },
  'lose-request': ({ cluster, random }: Scene) => {
    const api = pickApi({ cluster, random })
    cluster.faults.loseNextRequest({ api })
    return `loses the next ${api}`
  },
  straggler: (scene: Scene) => {
    return holdNext(scene, scene.random.next() < 0.6 ? 'produce' : pickApi(scene))
  },
  delay: ({ cluster, random }: Scene) => {
    const api = pickApi({ cluster, random })
    const delayMs = Math.floor(random.next() * 1_500)
    cluster.faults.delayNext({ api }, delayMs)
    return `delays the next ${api} by ${delayMs} ms`
  },
  refuse: ({ cluster, random }: Scene) => {
    const api = random.next() < 0.4 ? 'produce' : pickApi({ cluster, random })
    const code = pick(random, retriableCodes[api] ?? [])
    cluster.faults.failNext({ api }, code)
    return `refuses the next ${api} with ${code}`
  },
  throttle: ({ cluster, random }: Scene) => {
    const api = pickApi({ cluster, random })
    // Now and then longer than a request may take.
    const forMs = 100 + Math.floor(random.next() ** 3 * 6_000)
    cluster.faults.throttleNext({ api }, forMs)
    return `throttles the next ${api} for ${forMs} ms`
  },
  silence: ({ cluster, random, brokers, down }: Scene) => {
    const node = draw(random, brokers)
    if (down.has(node)) return ''
    const forMs = 200 + Math.floor(random.next() * 4_000)
    cluster.faults.silence(node, forMs)
    return `silences broker ${node} for ${forMs} ms`
  },
  'turn-away': (scene: Scene) => {
    const { cluster, random, brokers, down, clock } = scene
    const node = draw(random, brokers)
    // A client that every broker turns away gives up, and may.
    if (brokers === 1 || down.size > 0 || scene.turningAway !== null) return ''
    const forMs = 200 + Math.floor(random.next() * 4_000)
    scene.turningAway = node
    cluster.faults.turnAway(node)
    clock.setTimer(forMs, () => {
      cluster.faults.endTurningAway(node)
      scene.turningAway = null
    })
    return `broker ${node} turns everyone away for ${forMs} ms`
  },
  'lag-metadata': ({ cluster, random, brokers }: Scene) => {
    const node = draw(random, brokers)
    const forMs = 500 + Math.floor(random.next() ** 2 * 20_000)
    cluster.faults.lagMetadata(node, forMs)
    return `broker ${node} hears of no change for ${forMs} ms`
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
  'restart-broker': ({ cluster, random, brokers, down, maxDown, turningAway, clock }: Scene) => {
    const node = draw(random, brokers)
    if (down.has(node) || down.size >= maxDown || turningAway !== null) return ''
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
    // Delay topics are their consumer's own: what others write there would be told as records of their source.
    if (at === null || isNamedForDelay(at.topic)) return ''
    if (cluster.partitionFacts(at.topic, at.partition).leader < 0) return ''
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
  'move-transaction-coordinator': ({ cluster, random }: Scene) => {
    const id = pickOrNull(random, cluster.transactionalIds())
    if (id === null) return ''
    cluster.faults.moveTransactionCoordinator(id)
    return `moves the coordinator of transactions of ${id} to broker ${cluster.transaction(id)?.coordinator}`
  },
  'lose-of-transaction': ({ cluster, random }: Scene) => {
    const api = pick(random, transactionApis)
    const isAnswer = random.next() < 0.6
    if (isAnswer) cluster.faults.loseNextAnswer({ api })
    else cluster.faults.loseNextRequest({ api })
    return isAnswer ? `loses the next answer to ${api}` : `loses the next ${api}`
  },
  'hold-of-transaction': (scene: Scene) => holdNext(scene, pick(scene.random, transactionApis)),
  'refuse-of-transaction': ({ cluster, random }: Scene) => {
    const api = pick(random, transactionApis)
    const code = pick(random, transactionCodes[api] ?? [])
    cluster.faults.failNext({ api }, code)
    return `refuses the next ${api} with ${code}`
  },
  'silence-transaction-coordinator': ({ cluster, random, down }: Scene) => {
    const id = pickOrNull(random, cluster.transactionalIds())
    const node = id === null ? undefined : cluster.transaction(id)?.coordinator
    if (node === undefined || down.has(node)) return ''
    // Mostly until after whoever waits for an end has given up; then it does what it was asked.
    const forMs = 1_000 + Math.floor(random.next() * 12_000)
    cluster.faults.silence(node, forMs)
    return `silences broker ${node}, which coordinates ${id}, for ${forMs} ms`
  },
  'raise-transaction-version': ({ cluster }: Scene) => {
    cluster.agreeOnTransactionVersion(2)
    return 'agrees on transaction version 2'
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

/** These do nothing where nobody has transactions. */
export const ofTransactions: readonly Disturbance[] = [
  'move-transaction-coordinator',
  'lose-of-transaction',
  'hold-of-transaction',
  'refuse-of-transaction',
  'raise-transaction-version',
  'silence-transaction-coordinator',
]

/** All that clients without transactions meet. */
export const allDisturbances = (Object.keys(disturbances) as readonly Disturbance[]).filter(
  (kind) => !ofTransactions.includes(kind),
)

/** Its topic may have been deleted. */
export function exists(cluster: MemoryCluster, { topic, partition }: Transaction): boolean {
  return partition < cluster.partitionCount(topic)
}

/** Somewhat longer than a request may take, so that some arrive when nobody waits for them. */
function holdNext({ cluster, random, clock, held }: Scene, api: ApiName): string {
  const request = cluster.faults.holdRequest({ api })
  held.add(request)
  const forMs = 200 + Math.floor(random.next() * 9_000)
  clock.setTimer(forMs, () => {
    request.release()
    held.delete(request)
  })
  return `holds the next ${api} for at most ${forMs} ms`
}

function draw(random: Random, count: number): number {
  return Math.floor(random.next() * count)
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[draw(random, items.length)]!
}

function pickOrNull<Item>(random: Random, items: readonly Item[]): Item | null {
  return items.length === 0 ? null : pick(random, items)
}

function anyPartition(cluster: MemoryCluster, random: Random): { topic: string; partition: number } | null {
  const topic = pickOrNull(random, cluster.topicNames())
  return topic === null ? null : { topic, partition: draw(random, cluster.partitionCount(topic)) }
}
