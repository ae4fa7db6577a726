import { seededRandom } from '../support/seeded-random.js'
import type { KafkaCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'

/** What a fault works on. */
export interface Battlefield {
  readonly cluster: KafkaCluster
  readonly topic: string
  readonly random: () => number
  /** Told at the moment when the leader of these partitions is killed. */
  readonly onLeaderKilled: (partitions: ReadonlySet<number>) => void
}

/** Injects once, lets the cluster recover, and tells how many faults that were. */
type Inject = (field: Battlefield) => Promise<number>

export interface Nemesis {
  /** Faults that go on in the background while the others are injected. */
  readonly background?: (field: Battlefield) => () => void
  readonly inject: Inject
}

export const nemeses = {
  sigkill: { inject: killALeader },
  'sigterm-rolling': { inject: rollingRestart() },
  sigstop: { inject: (field) => pauseALeader(field, 5_000) },
  'controller-kill': { inject: killTheController },
  'lost-answers': { background: loseAnswers, inject: countFor(1_000) },
  cut: { background: cutConnections, inject: countFor(1_000) },
  'black-hole': { inject: (field) => blackHoleABroker(field, 4_000) },
  latency: { inject: slowEverything },
  mixed: { background: loseAndCut, inject: oneOfMany() },
} satisfies Record<string, Nemesis>
export type NemesisName = keyof typeof nemeses

async function killALeader(field: Battlefield): Promise<number> {
  const { cluster, topic } = field
  const victim = await cluster.leaderOf(topic, Math.floor(field.random() * (await partitionCount(field))))
  const led = await partitionsLedBy(field, victim)
  field.onLeaderKilled(led)
  await cluster.node(victim).kill()
  await until(`partitions of node ${victim} have new leaders`, async () => {
    const { topics } = await cluster.state([topic])
    return topics.get(topic)?.partitions.every(({ leader }) => leader > 0 && leader !== victim) === true
  })
  await delay(700)
  await bringBack(field, victim)
  return 1
}

async function killTheController(field: Battlefield): Promise<number> {
  const { cluster } = field
  const victim = await cluster.controllerId()
  await cluster.node(victim).kill()
  await until('another controller is active', async () => (await cluster.controllerId()) !== victim)
  await delay(700)
  await bringBack(field, victim)
  return 1
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
  const node = cluster.node(await cluster.leaderOf(topic, Math.floor(field.random() * (await partitionCount(field)))))
  node.pause()
  await delay(pauseMs)
  node.resume()
  await cluster.waitForFullIsr(topic)
  return 1
}

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
  const { cluster, topic, random } = field
  const partition = Math.floor(random() * (await partitionCount(field)))
  const leader = await cluster.leaderOf(topic, partition)
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

async function partitionCount({ cluster, topic }: Battlefield): Promise<number> {
  return (await cluster.state([topic])).topics.get(topic)?.partitions.length ?? 1
}

async function partitionsLedBy({ cluster, topic }: Battlefield, node: number): Promise<ReadonlySet<number>> {
  const partitions = (await cluster.state([topic])).topics.get(topic)?.partitions ?? []
  return new Set(partitions.filter(({ leader }) => leader === node).map(({ partition }) => partition))
}

export const battlefield = (
  cluster: KafkaCluster,
  topic: string,
  seed: number,
  onLeaderKilled: Battlefield['onLeaderKilled'],
): Battlefield => ({ cluster, topic, random: seededRandom(seed), onLeaderKilled })
