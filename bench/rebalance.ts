import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { delay, until } from '../test/support/waiting.js'
import { sourceLibrary } from './library.js'
import { median } from './measure.js'
import { BenchMember, compileMember, nowMs, type RebalanceTask } from './rebalance-crew.js'

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
  { name: 'tidemark eager', client: 'tidemark', assignors: ['sticky'], groupProtocol: null },
  { name: 'kafkajs', client: 'kafkajs', assignors: null, groupProtocol: null },
]

/** One group in the middle of what happens to it. */
interface Field {
  readonly members: readonly BenchMember[]
  readonly join: (instance?: string | null) => BenchMember
}

interface Row {
  readonly name: string
  readonly isStatic?: boolean
  /** What happens; members that it touches are the concerned. */
  readonly happens: (field: Field) => Promise<readonly BenchMember[]>
  /** Longest time until everything is handled again. */
  readonly settlesWithinMs: number
}

const [quick, session] = [15_000, 65_000]

const rows: readonly Row[] = [
  { name: 'nothing (control)', settlesWithinMs: quick, happens: () => Promise.resolve([]) },
  { name: 'a member joins', settlesWithinMs: quick, happens: ({ join }) => Promise.resolve([join()]) },
  {
    name: 'SIGTERM',
    settlesWithinMs: quick,
    happens({ members: [first] }) {
      void first!.end('SIGTERM')
      return Promise.resolve([first!])
    },
  },
  {
    name: 'SIGKILL',
    settlesWithinMs: session,
    happens({ members: [first] }) {
      void first!.end('SIGKILL')
      return Promise.resolve([first!])
    },
  },
  {
    name: 'SIGKILL, a new member at once',
    settlesWithinMs: session,
    happens({ members: [first], join }) {
      void first!.end('SIGKILL')
      return Promise.resolve([first!, join()])
    },
  },
  {
    name: 'SIGKILL of an instance, started again at once',
    isStatic: true,
    settlesWithinMs: quick,
    async happens({ members: [first], join }) {
      await first!.end('SIGKILL')
      return [first!, join(first!.task.instance)]
    },
  },
  {
    name: 'all restarted, one after another',
    settlesWithinMs: 30_000,
    async happens({ members, join }) {
      const started: BenchMember[] = []
      for (const member of members) {
        await member.end('SIGTERM')
        const next = join()
        started.push(next)
        // The next is stopped when this one has its share, as an orchestrator does with a check of readiness.
        await until('the new member has its share', () => next.holds(nowMs() - 1_000).size > 0, { timeoutMs: 60_000 })
      }
      return [...members, ...started]
    },
  },
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
    process.stdout.write(
      `\nrebalance: Kafka ${cluster.version}, 3 members, ${partitions} partitions, ${runs} runs; ` +
        'longest standstill in ms, median (worst): bystanders · concerned\n',
    )
    for (const row of rows) {
      for (const client of clients) {
        if (row.isStatic === true && client.client === 'kafkajs') continue
        if (!only.some((part) => `${row.name}: ${client.name};`.includes(part))) continue
        const all = await measureAll(cluster, program.file, client, row)
        process.stdout.write(
          `  ${row.name.padEnd(46)} ${client.name.padEnd(16)} ` +
            `${told(all.map(({ bystanders }) => bystanders))} · ${told(all.map(({ concerned }) => concerned))}\n`,
        )
      }
    }
  } finally {
    await cluster.stop()
  }
}

/** What waits for a session runs side by side; what is quick has the machine for itself. */
async function measureAll(cluster: KafkaCluster, program: string, client: Client, row: Row): Promise<Standstill[]> {
  const measure = () => measureOne(cluster, program, client, row)
  if (row.settlesWithinMs === session) return Promise.all(Array.from({ length: runs }, measure))
  const all: Standstill[] = []
  for (let run = 0; run < runs; run += 1) all.push(await measure())
  return all
}

function told(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? '–' : `${median(known).toFixed(0)} (${Math.max(...known).toFixed(0)})`
}

let groups = 0

async function measureOne(
  cluster: KafkaCluster,
  program: string,
  { client, assignors, groupProtocol }: Client,
  { happens, settlesWithinMs, isStatic = false }: Row,
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
    await delay(3_000)

    const before = members.map((member) => member.holds(nowMs() - 1_000))
    const from = nowMs()
    const touched = await happens({ members, join })
    const goesOn = (at: number) => everyone.some((member) => member.lastOf(at) > nowMs() - 100)
    await delay(6_000)
    while (!allPartitions.every(goesOn) && nowMs() - from < settlesWithinMs) await delay(100)
    await delay(1_500)
    const to = nowMs() - 200

    const bystanders = members.flatMap((member, index) => {
      if (touched.includes(member)) return []
      const after = member.holds(to - 1_000)
      return [...before[index]!].filter((partition) => after.has(partition))
    })
    const concerned = allPartitions.filter((partition) => !bystanders.includes(partition))
    const longest = (some: readonly number[]) =>
      some.length === 0 ? null : Math.max(...some.map((partition) => standstill(everyone, partition, from, to)))
    return { bystanders: longest(bystanders), concerned: longest(concerned) }
  } finally {
    await Promise.all(everyone.map((member) => member.end('SIGKILL')))
    await stopLoad()
  }
}

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
