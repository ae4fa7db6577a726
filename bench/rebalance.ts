import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { delay, until } from '../test/support/waiting.js'
import { sourceLibrary } from './library.js'
import { median } from './measure.js'
import { BenchMember, compileMember, hasLibrdkafka, nowMs, type RebalanceTask } from './rebalance-crew.js'
import { rows, waitsForSession, type Row } from './rebalance-rows.js'

const runs = Number(process.env['BENCH_ROUNDS'] ?? 5)
const partitions = 6
const allPartitions = Array.from({ length: partitions }, (_, at) => at)
const everyMs = 10
/** What is measured, by parts of the row's name, separated by commas; everything else is left out. */
const only = (process.env['BENCH_ONLY'] ?? '').split(',')

interface Client extends Pick<RebalanceTask, 'client' | 'assignors' | 'groupProtocol'> {
  readonly name: string
}

const clients: readonly Client[] = [
  { name: 'tidemark', client: 'tidemark', assignors: null, groupProtocol: null },
  { name: 'tidemark 848', client: 'tidemark', assignors: null, groupProtocol: 'consumer' },
  { name: 'librdkafka cooperative', client: 'librdkafka', assignors: ['cooperative-sticky'], groupProtocol: null },
  { name: 'librdkafka 848', client: 'librdkafka', assignors: null, groupProtocol: 'consumer' },
  { name: 'tidemark eager', client: 'tidemark', assignors: ['sticky'], groupProtocol: null },
  { name: 'kafkajs', client: 'kafkajs', assignors: null, groupProtocol: null },
]

/** Of one run, in ms; `null` where there is no such partition. */
interface Standstill {
  readonly bystanders: number | null
  readonly concerned: number | null
}

/**
 * Longest standstill of partitions while something happens to their group: of those whose owner was not touched and keeps
 * them (bystanders), and of the others. Members are processes of their own with default settings, one record for each
 * partition every 10 ms.
 */
export async function runRebalance(): Promise<void> {
  await using program = await compileMember()
  const cluster = await startCluster({ nodes: 1 })
  try {
    const present = clients.filter(({ client }) => client !== 'librdkafka' || hasLibrdkafka())
    process.stdout.write(
      `\nrebalance: Kafka ${cluster.version}, 3 members, ${partitions} partitions, ${runs} runs; ` +
        'longest standstill in ms, median (worst) of the runs: bystanders · concerned\n',
    )
    for (const row of rows) {
      const wanted = present.filter(
        (client) =>
          only.some((part) => `${row.name}: ${client.name};`.includes(part)) &&
          !(row.isStatic === true && (client.client === 'kafkajs' || client.groupProtocol === 'consumer')),
      )
      const measure: Measure = (client, notBefore) => measureOne(cluster, program.file, client, row, notBefore)
      const found = await measureAll(wanted, waitsForSession(row), measure)
      for (const [client, all] of found) {
        process.stdout.write(
          `  ${row.name.padEnd(46)} ${client.name.padEnd(23)} ` +
            `${told(all.map(({ bystanders }) => bystanders))} · ${told(all.map(({ concerned }) => concerned))}\n`,
        )
      }
    }
  } finally {
    await cluster.stop()
  }
}

/** A group of one client is measured; nothing happens to it before this time. */
type Measure = (client: Client, notBefore: number) => Promise<Standstill>

/**
 * Every client in every round, in turn: two groups side by side where it is quick, and one of each client where a session is
 * waited for. There what happens is spread in time, so that no process starts while another one does.
 */
async function measureAll(
  wanted: readonly Client[],
  isLong: boolean,
  measure: Measure,
): Promise<ReadonlyMap<Client, readonly Standstill[]>> {
  const found = new Map<Client, Standstill[]>(wanted.map((client) => [client, []]))
  const turn = async (client: Client, notBefore = 0) => void found.get(client)!.push(await measure(client, notBefore))
  if (isLong) {
    for (let round = 0; round < runs; round += 1) {
      const allReady = nowMs() + 12_000
      await Promise.all(wanted.map((client, at) => turn(client, allReady + at * 3_000)))
    }
    return found
  }
  const turns = Array.from({ length: runs }, () => wanted).flat()
  const lane = async () => {
    for (let client = turns.shift(); client !== undefined; client = turns.shift()) await turn(client)
  }
  await Promise.all([lane(), lane()])
  return found
}

function told(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return '–'
  const each = known.map((value) => value.toFixed(0)).join(' ')
  return `${median(known).toFixed(0)} (${Math.max(...known).toFixed(0)}) [${each}]`
}

let groups = 0

async function measureOne(
  cluster: KafkaCluster,
  program: string,
  { client, assignors, groupProtocol }: Client,
  { happens, settlesWithinMs, isStatic = false }: Row,
  notBefore: number,
): Promise<Standstill> {
  groups += 1
  const topic = `rebalance-${groups}`
  await cluster.createTopic(topic, { partitions, replicationFactor: 1 })
  const everyone: BenchMember[] = []
  const join = (instance: string | null = null) => {
    const name = `${topic}-m${everyone.length}`
    const { brokers } = cluster
    const task = { client, assignors, groupProtocol, brokers, topic, group: topic, name, instance }
    const member = new BenchMember(program, task)
    everyone.push(member)
    return member
  }
  const stopLoad = await startLoad(cluster, topic)
  try {
    const members = Array.from({ length: 3 }, (_, at) => join(isStatic ? `${topic}-i${at}` : null))
    const isShared = () => members.every((member) => member.holds(nowMs() - 1_000).size === partitions / members.length)
    await until('three members share the partitions', isShared, { timeoutMs: 90_000 })
    await delay(Math.max(2_000, notBefore - nowMs()))

    const steps: Step[] = []
    const from = nowMs()
    await happens({ members, join, step: (...touched) => steps.push({ from: nowMs(), touched }) })
    const goesOn = (at: number) => everyone.some((member) => member.lastOf(at) > nowMs() - 100)
    await delay(6_000)
    while (!allPartitions.every(goesOn) && nowMs() - from < settlesWithinMs) await delay(100)
    await delay(1_200)
    const to = nowMs() - 200

    const bystanders: number[] = []
    const concerned = new Set<number>()
    for (const [index, step] of steps.entries()) {
      const until = steps[index + 1]?.from ?? to
      for (const partition of allPartitions) {
        if (standsBy(everyone, partition, step, until))
          bystanders.push(standstill(everyone, partition, step.from, until))
        else concerned.add(partition)
      }
    }
    const moved = [...concerned].map((partition) => standstill(everyone, partition, from, to))
    return { bystanders: longest(bystanders), concerned: longest(moved) }
  } finally {
    await Promise.all(everyone.map((member) => member.end('SIGKILL')))
    await stopLoad()
  }
}

interface Step {
  readonly from: number
  readonly touched: readonly BenchMember[]
}

/** Whether one member that the step does not touch has the partition all the time. */
function standsBy(everyone: readonly BenchMember[], partition: number, { from, touched }: Step, to: number): boolean {
  const owners = everyone.filter((member) => member.timesOf(partition).some((at) => at > from - 500 && at < to))
  return owners.length === 1 && !touched.includes(owners[0]!)
}

const longest = (times: readonly number[]) => (times.length === 0 ? null : Math.max(...times))

function standstill(members: readonly BenchMember[], partition: number, from: number, to: number): number {
  const handled = members.flatMap((member) => member.timesOf(partition).filter((at) => at > from && at < to))
  const times = [from, ...handled.sort((left, right) => left - right), to]
  return Math.max(...times.slice(1).map((at, index) => at - times[index]!))
}

/** One record for each partition every 10 ms, until it is told to end. */
async function startLoad(cluster: KafkaCluster, name: string): Promise<() => Promise<void>> {
  const { tidemark, kafkajs } = await sourceLibrary()
  const messaging = tidemark.createMessaging({
    driver: kafkajs.kafkajs({ brokers: [...cluster.brokers], logLevel: 0 }),
    durability: 'off',
  })
  const producer = messaging.producer()
  const topic = tidemark.defineTopic({ name, value: tidemark.bytes() })
  const value = Buffer.from('x')
  let goesOn = true
  const send = async () => {
    while (goesOn) {
      for (const partition of allPartitions)
        void producer
          .send(topic, value, { partition })
          .catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
      await delay(everyMs)
    }
  }
  const sending = send()
  return async () => {
    goesOn = false
    await sending
    await messaging.close()
  }
}
