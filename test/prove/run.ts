import { availableParallelism } from 'node:os'
import { heal } from '../faults/heal.js'
import type { Workload } from '../faults/workload.js'
import { CompiledProgram } from '../support/compiled-program.js'
import { scanTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { Ledger } from '../support/ledger.js'
import { seededRandom } from '../support/seeded-random.js'
import { projectRoot } from '../support/source-tree.js'
import { delay } from '../support/waiting.js'
import { provenClients, sessionTimeoutMs, type ProvenClient } from './clients.js'
import { ProvenConsumer } from './consumer.js'
import { injectAll } from './faults.js'
import { Judge } from './judged.js'
import { keysByPartition, OpenLoad } from './open-load.js'
import { format, packed, type ClientData, type ProofData } from './proof-data.js'

export interface RunOptions {
  readonly seed: number
  readonly perSecond: number
}

/** One moment of the run, for who watches it. */
export interface Progress {
  readonly phase: string
  readonly atMs: number
  readonly clients: readonly { readonly name: string; readonly sent: number; readonly acknowledged: number }[]
}

export const runMs = 60_000
/** Until consumers are up, brokers known and pages of code read. */
const upWithinMs = 6_000
const partitions = 10
const keys = 100
const valueBytes = 100
const sampleMs = 500
/** Of sends that are out when the last record was due: kafkajs gives up within, tidemark has long been answered. */
const outcomeWithinMs = 30_000
const caughtUpWithinMs = 15_000

class Contender {
  readonly lag: (number | null)[] = []

  constructor(
    readonly client: ProvenClient,
    readonly topic: string,
    readonly workload: Workload,
    readonly load: OpenLoad,
    readonly consumer: ProvenConsumer,
    readonly records: number,
  ) {}

  behind(): number {
    let behind = 0
    for (let record = 0; record < this.records; record++)
      if (this.load.acknowledgedAt[record] !== Infinity && !this.consumer.hasHandled(record)) behind++
    return behind
  }
}

/** Both clients on one cluster, in the same minute, under the same faults. */
export async function prove(
  { seed, perSecond }: RunOptions,
  onProgress: (progress: Progress) => void,
): Promise<ProofData> {
  const records = (runMs / 1_000) * perSecond
  onProgress({ phase: 'three brokers start', atMs: 0, clients: [] })
  await using cluster = await startCluster({ nodes: 3, proxies: true })
  await using program = await CompiledProgram.compile(projectRoot, 'test/prove/consuming-process.ts', 'proof-consumer')
  const contenders = await Promise.all(
    provenClients.map((client) => enter(cluster, client, program.file, records, perSecond)),
  )
  await delay(upWithinMs)

  const startedAt = performance.now()
  const wallTime = new Date().toISOString()
  const now = () => performance.now() - startedAt
  let phase = 'no fault yet'
  const tell = () => onProgress({ phase, atMs: now(), clients: contenders.map(standing) })
  const watching = watch(contenders, now, tell)
  const sending = contenders.map(({ load }) => load.run(startedAt, () => false))
  const field = {
    cluster,
    topic: contenders[0]?.topic ?? '',
    random: seededRandom(seed),
    onLeaderKilled: () => undefined,
    onNewLeaders: () => undefined,
    killConsumers: () => contenders.forEach(({ consumer }) => consumer.killAndReplace()),
  }
  const faults = await injectAll(field, now, runMs - 6_000, (target) => (phase = target))
  phase = 'no fault any more'
  await Promise.all(sending)
  await watching
  onProgress({ phase: 'what is out gets its answer', atMs: now(), clients: contenders.map(standing) })
  for (const { topic } of contenders) await heal(cluster, topic)
  const giveUpAt = performance.now() + outcomeWithinMs
  while (contenders.some(({ load }) => load.outstanding > 0) && performance.now() < giveUpAt) await delay(50)
  const caughtUpBy = performance.now() + caughtUpWithinMs
  while (contenders.some((contender) => contender.behind() > 0) && performance.now() < caughtUpBy) await delay(200)
  for (const { consumer } of contenders) consumer.end()
  await Promise.all(contenders.map(({ workload }) => Promise.race([workload.close(), delay(10_000)])))
  onProgress({ phase: 'the log is read', atMs: now(), clients: contenders.map(standing) })
  return {
    format,
    run: {
      seed,
      startedAt: wallTime,
      kafka: cluster.version,
      nodes: 3,
      node: process.version,
      cores: availableParallelism(),
    },
    load: { records, perSecond, partitions, keys, valueBytes },
    faults,
    clients: await Promise.all(contenders.map((contender) => judged(cluster, contender, startedAt, perSecond))),
  }
}

async function enter(
  cluster: KafkaCluster,
  client: ProvenClient,
  program: string,
  records: number,
  perSecond: number,
): Promise<Contender> {
  const topic = `proof-${client.name}`
  await cluster.createTopic(topic, { partitions })
  const workload = await client.open({ brokers: cluster.brokers, topic, profile: 'cp' })
  const options = { records, perSecond, valueBytes, keys: keysByPartition(keys, partitions) }
  const load = new OpenLoad(workload, new Ledger(topic), options)
  const task = { client: client.name, brokers: cluster.brokers, topic, group: topic, sessionTimeoutMs }
  return new Contender(client, topic, workload, load, new ProvenConsumer(program, task, records), records)
}

const standing = ({ client, load }: Contender) => ({
  name: client.name,
  sent: load.ledger.producers === 0 ? 0 : load.ledger.sent(0),
  acknowledged: load.ledger.counts.stored,
})

/** Notes how far each consumer is behind, twice a second: the moments that a busy machine missed are not known. */
async function watch(contenders: readonly Contender[], now: () => number, tell: () => void): Promise<void> {
  const samples = runMs / sampleMs
  for (const { lag } of contenders) lag.push(...Array.from({ length: samples }, () => null))
  for (let sample = 1; sample <= samples; sample = Math.floor(now() / sampleMs) + 1) {
    await delay(sample * sampleMs - now())
    for (const contender of contenders) contender.lag[sample - 1] = contender.behind()
    tell()
  }
}

async function judged(
  cluster: KafkaCluster,
  { client, topic, load, consumer, lag, records }: Contender,
  startedAt: number,
  perSecond: number,
): Promise<ClientData> {
  const judge = new Judge(load.ledger, records)
  await scanTopic(cluster, topic, (record) => judge.record(record))
  const { map, totals } = judge.verdict()
  const { name, version, settings } = client
  const running = (...wanted: readonly number[]) => {
    const counts = new Array<number>(runMs / sampleMs).fill(0)
    map.forEach((state, record) => {
      if (wanted.includes(state)) inSample(counts, (record / perSecond) * 1_000)
    })
    let sum = 0
    return counts.map((count) => (sum += count))
  }
  const acknowledged = new Array<number>(runMs / sampleMs).fill(0)
  let acknowledgedLater = 0
  for (const at of load.acknowledgedAt) {
    if (at < runMs) inSample(acknowledged, at)
    else if (at !== Infinity) acknowledgedLater++
  }
  return {
    name,
    version,
    settings,
    totals,
    acknowledgedLater,
    every500ms: { acknowledged, lost: running(1), doubled: running(2, 3), lag },
    rebalances: consumer.rebalances.map(({ at, tookMs }) => ({
      atMs: Math.round(at - startedAt),
      tookMs: Math.round(tookMs),
    })),
    map: packed(map),
  }
}

function inSample(counts: number[], atMs: number): void {
  const sample = Math.floor(atMs / sampleMs)
  counts[sample] = (counts[sample] ?? 0) + 1
}
