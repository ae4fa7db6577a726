import { bytes, createMessaging, defineTopic } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { countTo, keepInFlight, measure, type Measured } from './measure.js'
import { printTable } from './table.js'

const records = 400_000
const rounds = 3
const value = Buffer.alloc(200, 'x')

/** The library's own part: the production protocol over the in-process cluster, no bytes, no network. */
export async function runCore(): Promise<void> {
  const results: Measured[] = []
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`core: round ${round} of ${rounds}\n`)
    for (const inFlight of [256, 4_096]) results.push(await produceSingles(inFlight))
    results.push(await produceMany())
    results.push(await consume('handled one by one, by partition', 'partition', 1))
    results.push(await consume('handled one by one, by key, 64 lanes', 'key', 64))
    results.push(await consumeBatches())
  }
  printTable(
    `core: ${records.toLocaleString('en-US')} records of ${value.length} bytes, 8 partitions, in process`,
    results,
  )
  await whereTheTimeGoes()
}

const topic = defineTopic({ name: 'bench', value: bytes(), partitions: 8 })
const keys = Array.from({ length: 4_096 }, (_, index) => `key-${index}`)

async function withCluster<T>(work: (messaging: ReturnType<typeof createMessaging>) => Promise<T>): Promise<T> {
  const messaging = createMessaging({ driver: memory({ cluster: createMemoryCluster({ brokers: 1 }) }), profile: 'cp' })
  try {
    await messaging.ensureTopics([topic])
    return await work(messaging)
  } finally {
    await messaging.close()
  }
}

async function fill(messaging: ReturnType<typeof createMessaging>): Promise<void> {
  const producer = messaging.producer()
  await keepInFlight(records, 4_096, (index) =>
    producer.send(topic, value, { key: keys[index % keys.length] as string }),
  )
}

function produceSingles(inFlight: number): Promise<Measured> {
  return withCluster(async (messaging) => {
    const producer = messaging.producer()
    await producer.send(topic, value)
    return measure(`single sends, ${inFlight} in flight`, () =>
      keepInFlight(records, inFlight, () => producer.send(topic, value)),
    )
  })
}

function produceMany(): Promise<Measured> {
  return withCluster(async (messaging) => {
    const producer = messaging.producer()
    const thousand = Array.from({ length: 1_000 }, () => value)
    await producer.send(topic, value)
    return measure('sendMany of 1,000, 4 in flight', async () => {
      await keepInFlight(records / 1_000, 4, () => producer.sendMany(topic, thousand))
      return records
    })
  })
}

function consume(name: string, order: 'partition' | 'key', concurrency: number): Promise<Measured> {
  return withCluster(async (messaging) => {
    await fill(messaging)
    return measure(name, async () => {
      const handled = countTo(records)
      const consumer = messaging.consumer({
        group: 'bench',
        topics: [topic],
        from: 'earliest',
        order,
        concurrency,
        handle: () => handled.add(1),
      })
      await consumer.start()
      await handled.reached
      await consumer.stop()
      return records
    })
  })
}

function consumeBatches(): Promise<Measured> {
  return withCluster(async (messaging) => {
    await fill(messaging)
    return measure('handleBatch', async () => {
      const handled = countTo(records)
      const consumer = messaging.consumer({
        group: 'bench',
        topics: [topic],
        from: 'earliest',
        handleBatch: (messages) => handled.add(messages.length),
      })
      await consumer.start()
      await handled.reached
      await consumer.stop()
      return records
    })
  })
}

/** Self time by file, from Node's own sampling profiler. */
async function whereTheTimeGoes(): Promise<void> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  await produceSingles(4_096)
  await consume('profiled', 'key', 64)
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  const hits = new Map<string, number>()
  let all = 0
  for (const node of profile.nodes) {
    const file = node.callFrame.url.split('/').slice(-2).join('/') || `(${node.callFrame.functionName})`
    hits.set(file, (hits.get(file) ?? 0) + (node.hitCount ?? 0))
    all += node.hitCount ?? 0
  }
  process.stdout.write('\nwhere the time goes (self time, single sends and handling by key)\n')
  const rows = [...hits].sort((a, b) => b[1] - a[1]).slice(0, 14)
  for (const [file, count] of rows)
    process.stdout.write(`  ${((100 * count) / all).toFixed(1).padStart(5)} %  ${file}\n`)
}
