import { performance } from 'node:perf_hooks'
import avsc from 'avsc'
import { avro } from '../src/avro.js'
import { json } from '../src/serde/json.js'
import type { Serde } from '../src/serde/serde.js'
import { schemaRegistry } from '../src/registry.js'
import { memoryRegistry } from '../src/testing.js'
import { orderAt, OrderCheck, orderSchema, type Order } from './avro-orders.js'
import { runAvroReads } from './serde-reads.js'

const blocks = 60 * Number(process.env['BENCH_ROUNDS'] ?? 3)
const perBlock = 1_000

interface Way {
  readonly name: string
  readonly encode: (value: Order) => Buffer
  readonly decode: (bytes: Buffer) => unknown
}

/** What values cost as Avro, beside avsc alone and beside JSON; then a topic of them, beside kafkajs with a registry. */
export async function runSerde(): Promise<void> {
  const type = avsc.Type.forSchema(orderSchema as unknown as avsc.Schema)
  const ways: readonly Way[] = [
    { name: 'avsc alone', encode: (value) => type.toBuffer(value), decode: (bytes) => type.fromBuffer(bytes) },
    await avroWay('avro()', undefined),
    await avroWay('avro(), zod', OrderCheck),
    { name: 'JSON alone', encode: (value) => Buffer.from(JSON.stringify(value)), decode: (bytes) => JSON.parse(String(bytes)) as unknown }, // prettier-ignore
    serdeWay('json()', json<Order>()),
    serdeWay('json(zod)', json(OrderCheck)),
  ]
  const values = Array.from({ length: 500 }, (_, index) => orderAt(index))
  const cases = ways.map((way) => ({
    ...way,
    bytes: values.map(way.encode),
    encodes: [] as number[],
    decodes: [] as number[],
  }))
  // In turn, so that whatever else the machine does meets all ways alike.
  for (let block = 0; block < blocks; block += 1) {
    for (const { encode, decode, bytes, encodes, decodes } of cases) {
      encodes.push(timeOf(encode, values))
      decodes.push(timeOf(decode, bytes))
    }
  }
  process.stdout.write(`\nserdes: ${blocks} blocks of ${perBlock}, the quicker quarter of them; ratios to avsc alone\n`)
  const [first] = cases
  for (const { name, bytes, encodes, decodes } of cases) {
    const told = (times: readonly number[], base: readonly number[]) =>
      `${quick(times).toFixed(0).padStart(6)} ns (${(quick(base) / quick(times)).toFixed(2)})`
    process.stdout.write(
      `  ${name.padEnd(12)} ${String(bytes[0]!.length).padStart(4)} bytes: encode ${told(encodes, first!.encodes)}, decode ${told(decodes, first!.decodes)}\n`,
    )
  }
  await runAvroReads()
}

async function avroWay(name: string, check: typeof OrderCheck | undefined): Promise<Way> {
  const registry = schemaRegistry({ transport: memoryRegistry() })
  const options = { registry, schema: JSON.stringify(orderSchema), check }
  const serde = avro<Order>(options).ofTopic!('orders')
  await serde.writing?.prepare()
  const way = serdeWay(name, serde)
  await serde.reading?.missing(way.encode(orderAt(0)))?.load()
  return way
}

function serdeWay(name: string, serde: Serde<Order>): Way {
  return {
    name,
    encode: (value) => {
      const bytes = serde.encode(value) as Buffer
      serde.writing?.complete(bytes)
      return bytes
    },
    decode: (bytes) => serde.decode(bytes),
  }
}

/** @returns nanoseconds for each */
function timeOf<Given>(run: (given: Given) => unknown, given: readonly Given[]): number {
  const from = performance.now()
  for (let index = 0; index < perBlock; index += 1) run(given[index % given.length]!)
  return ((performance.now() - from) * 1e6) / perBlock
}

/** The blocks that nothing else disturbed. */
function quick(times: readonly number[]): number {
  const sorted = [...times].sort((one, other) => one - other).slice(0, Math.ceil(times.length / 4))
  return sorted.reduce((sum, time) => sum + time, 0) / sorted.length
}
