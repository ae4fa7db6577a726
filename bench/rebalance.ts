import type { AssignorName } from '../src/driver/consumer.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { delay, until } from '../test/support/waiting.js'
import { sourceLibrary } from './library.js'
import { median } from './measure.js'
import { BenchMember, MemberProgram, nowMs, type RebalanceTask } from './rebalance-crew.js'

const runs = Number(process.env['BENCH_ROUNDS'] ?? 5)
const partitions = 6
const everyMs = 10
/** What is measured, by a part of the row's name; everything else is left out. */
const only = process.env['BENCH_ONLY'] ?? ''

interface Client {
  readonly name: string
  readonly client: RebalanceTask['client']
  readonly assignors: readonly AssignorName[] | null
}

const clients: readonly Client[] = [
  { name: 'tidemark', client: 'tidemark', assignors: null },
  { name: 'tidemark, eager', client: 'tidemark', assignors: ['sticky'] },
  { name: 'kafkajs', client: 'kafkajs', assignors: null },
]

/** One group in the middle of what happens to it. */
interface Field {
  readonly members: BenchMember[]
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

const [quick, session] = [12_000, 62_000]

const rows: readonly Row[] = [
  { name: 'nothing (control)', settlesWithinMs: 5_000, happens: async () => [] },
  {
    name: 'a member joins',
    settlesWithinMs: quick,
    happens: async ({ join }) => [join()],
  },
  {
    name: 'SIGTERM',
    settlesWithinMs: quick,
    async happens({ members: [first] }) {
      void first?.end('SIGTERM')
      return first ? [first] : []
    },
  },
  {
    name: 'SIGKILL',
    settlesWithinMs: session,
    async happens({ members: [first] }) {
      void first?.end('SIGKILL')
      return first ? [first] : []
    },
  },
  {
    name: 'SIGKILL, a new member at once',
    settlesWithinMs: session,
    async happens({ members: [first], join }) {
      void first?.end('SIGKILL')
      return first ? [first, join()] : [join()]
    },
  },
  {
    name: 'SIGKILL of an instance, started again at once',
    isStatic: true,
    settlesWithinMs: quick,
    async happens({ members: [first], join }) {
      await first?.end('SIGKILL')
      return first ? [first, join(first.task.instance)] : []
    },
  },
  {
    name: 'all restarted, one after another',
    settlesWithinMs: 30_000,
    async happens({ members, join }) {
      const former = [...members]
      const all = [...former]
      for (const member of former) {
        await member.end('SIGTERM')
        all.push(join())
        await delay(4_000)
      }
      return all
    },
  },
]

interface Standstill {
  readonly bystandersMs: number | null
  readonly concernedMs: number | null
}

/**
 * Longest standstill of partitions while something happens to their group: of those whose owner was not touched and stays
 * (bystanders), and of the others. Members are processes of their own with default settings, one record for each partition
 * every 10 ms. Groups of one row run side by side, so that a session is waited for once.
 */
export async function runRebalance(): Promise<void> {
  await using program = await MemberProgram.compile()
  const cluster = await startCluster({ nodes: 1 })
  try {
    process.stdout.write(
      `\nrebalance: Kafka ${cluster.version}, 3 members, ${partitions} partitions, ${runs} runs; ` +
        'longest standstill in ms, median (worst): bystanders · concerned\n',
    )
    for (const row of rows) {
      for (const client of clients) {
        if (row.isStatic === true && client.client === 'kafkajs') continue
        if (!`${row.name}: ${client.name}`.includes(only)) continue
        const all: Standstill[] = []
        // What waits for a session is cheap to run side by side; what is quick is measured alone.
        const width = row.settlesWithinMs === session ? runs : 1
        for (let run = 0; run < runs; run += width) {
          const names = Array.from({ length: width }, (_, at) => `r${nextName()}-${at}`)
          all.push(...(await Promise.all(names.map((name) => measureOne(cluster, program.file, client, row, name)))))
        }
        const told = (values: readonly (number | null)[]) => {
          const known = values.filter((value) => value !== null)
          return known.length === 0 ? '–' : `${median(known).toFixed(0)} (${Math.max(...known).toFixed(0)})`
        }
        process.stdout.write(
          `  ${row.name.padEnd(46)} ${client.name.padEnd(18)} ` +
            `${told(all.map(({ bystandersMs }) => bystandersMs))} · ${told(all.map(({ concernedMs }) => concernedMs))}\n`,
        )
      }
    }
  } finally {
    await cluster.stop()
  }
}

let names = 0
const nextName = () => (names += 1)

async function measureOne(
  cluster: KafkaCluster,
  program: string,
  { client, assignors }: Client,
  { happens, settlesWithinMs, isStatic = false }: Row,
  topic: string,
): Promise<Standstill> {
  await cluster.createTopic(topic, { partitions, replicationFactor: 1 })
  const everyone: BenchMember[] = []
  const join = (instance: string | null = null) => {
    const name = `${topic}-m${everyone.length}`
    const task = { client, assignors, brokers: cluster.brokers, topic, group: topic, name, instance }
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
    const touched = await happens({ members: [...members], join })
    const isBack = () =>
      Array.from({ length: partitions }, (_, at) => at).every((at) => lastOf(everyone, at) > nowMs() - 100)
    const startedAt = nowMs()
    await delay(Math.min(settlesWithinMs, 6_000))
    while (!isBack() && nowMs() - startedAt < settlesWithinMs) await delay(100)
    await delay(1_000)
    const end = nowMs() - 200
    if (process.env['BENCH_DEBUG']) process.stdout.write(JSON.stringify(everyone.map((m) => ({ running: m.isRunning, before: [...(before[members.indexOf(m)] ?? [])], last: Array.from({ length: 6 }, (_, p) => Math.round(end - (m.handled.filter((h) => h.partition === p).at(-1)?.at ?? NaN))) }))) + '\n')
    const bystanders = members.flatMap((member, index) => {
      const after = member.holds(end - 1_000)
      return touched.includes(member) ? [] : [...before[index]!].filter((partition) => after.has(partition))
    })
    const others = Array.from({ length: partitions }, (_, at) => at).filter((at) => !bystanders.includes(at))
    const worst = (some: readonly number[]) =>
      some.length === 0 ? null : Math.max(...some.map((partition) => standstill(everyone, partition, from, end)))
    return { bystandersMs: worst(bystanders), concernedMs: worst(others) }
  } finally {
    await Promise.all(everyone.map((member) => member.end('SIGKILL')))
    await stopLoad()
  }
}

function timesOf(members: readonly BenchMember[], partition: number): number[] {
  return members
    .flatMap(({ handled }) => handled.filter((one) => one.partition === partition).map(({ at }) => at))
    .sort((left, right) => left - right)
}

const lastOf = (members: readonly BenchMember[], partition: number) => timesOf(members, partition).at(-1) ?? 0

function standstill(members: readonly BenchMember[], partition: number, from: number, to: number): number {
  const times = [from, ...timesOf(members, partition).filter((at) => at > from && at < to), to]
  return Math.max(...times.slice(1).map((at, index) => at - times[index]!))
}

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
  const sending = (async () => {
    while (goesOn) {
      for (let partition = 0; partition < partitions; partition += 1)
        void producer.send(topic, value, { partition }).catch(() => undefined)
      await delay(everyMs)
    }
  })()
  return async () => {
    goesOn = false
    await sending
    await messaging.close()
  }
}
