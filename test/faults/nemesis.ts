import type { KafkaCluster } from '../support/kafka-cluster.js'
import type { PartitionState } from '../support/raw-requests.js'
import { delay } from '../support/waiting.js'

/** What a fault works on. */
export interface Battlefield {
  readonly cluster: KafkaCluster
  readonly topic: string
  readonly random: () => number
  /** Told at the moment when the leader of these partitions is killed, and when Kafka has given all of them new ones. */
  readonly onLeaderKilled: (partitions: ReadonlySet<number>) => void
  readonly onNewLeaders: () => void
}

/** Injects once, lets the cluster recover, and tells how many faults that were. */
type Inject = (field: Battlefield) => Promise<number>

export interface Nemesis {
  /** Faults that go on in the background while the others are injected. */
  readonly background?: (field: Battlefield) => () => void
  /** Many faults a second. */
  readonly dense?: boolean
  readonly inject: Inject
}

export type NemesisName =
  | 'sigkill'
  | 'sigterm-rolling'
  | 'sigstop'
  | 'controller-kill'
  | 'lost-answers'
  | 'cut'
  | 'black-hole'
  | 'latency'
  | 'mixed'

export const nemeses: Readonly<Record<NemesisName, Nemesis>> = {
  sigkill: { inject: killALeader },
  'sigterm-rolling': { inject: rollingRestart() },
  sigstop: { inject: (field) => pauseALeader(field, 5_000) },
  'controller-kill': { inject: killTheController },
  'lost-answers': { dense: true, background: loseAnswers, inject: countFor(1_000) },
  cut: { dense: true, background: cutConnections, inject: countFor(1_000) },
  'black-hole': { inject: (field) => blackHoleABroker(field, 6_000) },
  latency: { dense: true, inject: slowEverything },
  mixed: { background: loseAndCut, inject: oneOfMany() },
}

/** A leader that is not the active controller as well: without one, electing a controller comes before electing a leader. */
async function killALeader(field: Battlefield): Promise<number> {
  const controller = await field.cluster.controllerId()
  const leaders = [...new Set((await field.cluster.partitionsOf(field.topic)).map(({ leader }) => leader))].filter(
    (id) => id !== controller,
  )
  await killAndBringBack(field, leaders[Math.floor(field.random() * leaders.length)] ?? controller)
  return 1
}

async function killTheController(field: Battlefield): Promise<number> {
  await killAndBringBack(field, await field.cluster.controllerId())
  return 1
}

/**
 * Kills a broker that is alone in sync nowhere, as far as all brokers know. Kafka may have taken a
 * partition's followers out of sync at that moment all the same: what the victim alone holds has no leader until it is back.
 */
async function killAndBringBack(field: Battlefield, victim: number): Promise<void> {
  const { cluster, topic } = field
  await cluster.waitForFullIsr(topic)
  const led = (await cluster.partitionsOf(topic)).filter(({ leader }) => leader === victim)
  field.onLeaderKilled(new Set(led.map(({ partition }) => partition)))
  await cluster.node(victim).kill()
  if (await cluster.waitForElections(topic, victim)) {
    field.onNewLeaders()
    await delay(700)
    return bringBack(field, victim)
  }
  await cluster.node(victim).restart(cluster.nodes.length)
  await cluster.waitForLeaders(topic)
  field.onNewLeaders()
  await cluster.waitForFullIsr(topic)
}

function rollingRestart(): Inject {
  let turn = 0
  return async (field) => {
    const id = (turn++ % field.cluster.nodes.length) + 1
    await field.cluster.node(id).stop()
    await delay(300)
    await bringBack(field, id)
    return 1
  }
}

async function pauseALeader(field: Battlefield, pauseMs: number): Promise<number> {
  const { cluster, topic } = field
  const node = cluster.node((await anyPartition(field)).leader)
  node.pause()
  await delay(pauseMs)
  node.resume()
  await cluster.waitForFullIsr(topic)
  return 1
}

/** Longer than a client's own patience with one request, in the cell that is about nothing else. */
async function blackHoleABroker(field: Battlefield, silentMs: number): Promise<number> {
  const proxy = field.cluster.proxy(1 + Math.floor(field.random() * field.cluster.nodes.length))
  proxy.blackHole()
  await delay(silentMs)
  proxy.heal()
  await delay(700)
  return 1
}

async function slowEverything({ cluster }: Battlefield): Promise<number> {
  for (const proxy of cluster.proxies) proxy.delay(100)
  await delay(1_500)
  for (const proxy of cluster.proxies) proxy.delay(0)
  await delay(400)
  return 1
}

async function moveALeader(field: Battlefield): Promise<number> {
  const { cluster, topic } = field
  const { partition, leader } = await anyPartition(field)
  await cluster.moveLeader(topic, partition, (leader % cluster.nodes.length) + 1)
  await delay(500)
  return 1
}

/** Each kind in turn, in an order drawn from the seed, so that a cell meets all of them. */
function oneOfMany(): Inject {
  const kinds: readonly Inject[] = [
    killALeader,
    (field) => pauseALeader(field, 3_000),
    (field) => blackHoleABroker(field, 2_500),
    moveALeader,
    killTheController,
    slowEverything,
  ]
  let waiting: Inject[] = []
  return (field) => {
    if (waiting.length === 0) waiting = [...kinds]
    const [next] = waiting.splice(Math.floor(field.random() * waiting.length), 1)
    return (next ?? killALeader)(field)
  }
}

function loseAnswers(field: Battlefield): () => void {
  return randomOnAll(field, { loseAnswers: 0.02 })
}

function cutConnections(field: Battlefield): () => void {
  return randomOnAll(field, { cutEveryMs: [500, 1_500] })
}

function loseAndCut(field: Battlefield): () => void {
  return randomOnAll(field, { loseAnswers: 0.02, cutEveryMs: [500, 1_500] })
}

function randomOnAll(
  { cluster, random }: Battlefield,
  faults: { readonly loseAnswers?: number; readonly cutEveryMs?: readonly [number, number] },
): () => void {
  const stops = cluster.proxies.map((proxy) => proxy.random({ ...faults, seed: Math.floor(random() * 2 ** 31) }))
  return () => {
    for (const stop of stops) stop()
  }
}

/** Waits, and counts what the proxies did meanwhile by themselves. */
function countFor(ms: number): Inject {
  return async ({ cluster }) => {
    const before = injectedByProxies(cluster)
    await delay(ms)
    return injectedByProxies(cluster) - before
  }
}

export const injectedByProxies = ({ proxies }: KafkaCluster): number =>
  proxies.reduce((sum, { counts }) => sum + counts.answersLost + counts.connectionsCut + counts.requestsSwallowed, 0)

async function bringBack({ cluster, topic }: Battlefield, id: number): Promise<void> {
  await cluster.node(id).restart(cluster.nodes.length)
  await cluster.waitForFullIsr(topic)
}

async function anyPartition({ cluster, topic, random }: Battlefield): Promise<PartitionState> {
  const partitions = await cluster.partitionsOf(topic)
  const chosen = partitions[Math.floor(random() * partitions.length)]
  if (chosen === undefined) throw new Error(`topic ${topic} has no partitions`)
  return chosen
}
