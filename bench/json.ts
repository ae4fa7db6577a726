import { performance } from 'node:perf_hooks'
import { z } from 'zod'
import { json } from '../src/serde/json.js'
import type { Serde } from '../src/serde/serde.js'
import { seededRandom } from '../src/runtime/random.js'

const blocks = 60 * Number(process.env['BENCH_ROUNDS'] ?? 3)
const decodesPerBlock = 1_000

const random = seededRandom(1)
const startedAt = 1_767_225_600_000

/** What services send: nothing in it changes when it is read. */
const shapes = {
  telemetry: (at: number) => ({ at: startedAt + at * 7_919, sensor: 'cpu.load', value: at / 4 }),
  event: (at: number) => ({
    id: random.uuid(),
    type: 'order.created',
    customer: 91_827 + at,
    email: 'jane@example.com',
    at: startedAt + at * 7_919,
    total: 44.98,
    currency: 'EUR',
    active: true,
  }),
  order: (at: number) => ({
    id: random.uuid(),
    at: new Date(startedAt + at * 7_919).toISOString(),
    customer: { id: 91_827 + at, name: 'Jane Miller', email: 'jane@example.com' },
    items: ['AB-1234', 'CD-5678', 'EF-9012'].map((sku, line) => ({ sku, quantity: line + 1, price: 19.99 * line })),
    note: 'Please leave it with the neighbours when nobody is at home.',
  }),
  points: (at: number) => ({ series: 'cpu.load', points: Array.from({ length: 50 }, (_, index) => (at * index) / 64) }),
  counts: (at: number) => Object.fromEntries(Array.from({ length: 30 }, (_, index) => [String(index * 7 + at), index])),
}
const schemas: Readonly<Record<keyof typeof shapes, z.ZodType>> = {
  telemetry: z.object({ at: z.number(), sensor: z.string(), value: z.number() }),
  event: z.object({
    id: z.uuid(),
    type: z.string(),
    customer: z.number(),
    email: z.email(),
    at: z.number(),
    total: z.number(),
    currency: z.string(),
    active: z.boolean(),
  }),
  order: z.object({
    id: z.uuid(),
    at: z.string(),
    customer: z.object({ id: z.number(), name: z.string(), email: z.email() }),
    items: z.array(z.object({ sku: z.string(), quantity: z.number(), price: z.number() })),
    note: z.string(),
  }),
  points: z.object({ series: z.string(), points: z.array(z.number()) }),
  counts: z.record(z.string(), z.number()),
}

/** What json() costs for each record, and the part of it that looks for numbers which reading would change. */
export function runJson(): void {
  const cases = Object.entries(shapes).flatMap(([name, make]) => {
    const records = Array.from({ length: 500 }, (_, at) => Buffer.from(JSON.stringify(make(at))))
    const schema = schemas[name as keyof typeof shapes]
    return [
      { name, records, serde: json(), plain: [] as number[], looking: [] as number[] },
      { name: `${name}, zod`, records, serde: json(schema), plain: [] as number[], looking: [] as number[] },
    ]
  })
  // In turn, so that whatever else the machine does meets both ways alike.
  for (let block = 0; block < blocks; block += 1) {
    for (const { records, serde, plain, looking } of cases) {
      plain.push(decodeAll(serde, records, undefined))
      looking.push(decodeAll(serde, records, tell))
    }
  }
  process.stdout.write(`\njson(): decode, ${blocks} blocks of ${decodesPerBlock}, the quicker quarter of them\n`)
  for (const { name, records, plain, looking } of cases) {
    const [without, all] = [quick(plain), quick(looking)]
    const share = ((100 * (all - without)) / all).toFixed(1)
    const bytes = records[0]!.length
    process.stdout.write(`  ${name.padEnd(16)} ${bytes} bytes: ${all.toFixed(0)} ns, of it for numbers ${share} %\n`)
  }
}

const tell = (): void => {
  throw new Error('a record that nothing changes in was told')
}

/** @returns nanoseconds for each; without a listener there is no look. */
function decodeAll(serde: Serde<unknown>, records: readonly Buffer[], onChanged: (() => void) | undefined): number {
  const from = performance.now()
  for (let index = 0; index < decodesPerBlock; index += 1) serde.decode(records[index % records.length]!, onChanged)
  return ((performance.now() - from) * 1e6) / decodesPerBlock
}

/** The blocks that nothing else disturbed. */
function quick(times: readonly number[]): number {
  const sorted = [...times].sort((one, other) => one - other).slice(0, Math.ceil(times.length / 4))
  return sorted.reduce((sum, time) => sum + time, 0) / sorted.length
}
