import TinyQueue from 'tinyqueue'
import { TimeBuckets } from '../src/reorder/time-buckets.js'
import { median } from './measure.js'
import { consumerRates } from './reorder-consumer.js'
import { batchRecords, inputOf, profiles, type Input, type Profile } from './reorder-profiles.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const records = 1_000_000

/** What is ordered: as large as what is kept of a record at the least. */
interface Entry {
  readonly timestamp: number
  readonly lane: number
  readonly offset: number
}

interface Store {
  push(entry: Entry): void
  release(through: number, give: (entry: Entry) => void): void
}

const stores: Readonly<Record<'tidemark' | 'tinyqueue', (partitions: number) => Store>> = {
  tidemark: (partitions) => {
    const buckets = new TimeBuckets<Entry>(partitions)
    return {
      push: (entry) => buckets.push(entry.timestamp, entry.lane, entry),
      release: (through, give) =>
        buckets.release(through, (some, order) => {
          for (let at = 0; at < some.length; at += 1) give(some[order === null ? at : order[at]!]!)
        }),
    }
  },
  tinyqueue: () => {
    const queue = new TinyQueue<Entry>(
      [],
      (one, other) => one.timestamp - other.timestamp || one.lane - other.lane || one.offset - other.offset,
    )
    return {
      push: (entry) => queue.push(entry),
      release: (through, give) => {
        for (let least = queue.peek(); least !== undefined && least.timestamp <= through; least = queue.peek())
          give(queue.pop() as Entry)
      },
    }
  },
}
type StoreName = keyof typeof stores

/** Of this process: others on the machine do not count. Collecting garbage does, also on threads of its own. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Records per second, over the whole input: pushed in batches, released behind each. */
function rateOf(name: StoreName, input: Input, entries: readonly Entry[]): number {
  const { partitions, maxOutOfOrdernessMs } = input
  const store = stores[name](partitions)
  const max = new Float64Array(partitions).fill(-Infinity)
  let [out, last, disorder] = [0, -Infinity, 0]
  const give = ({ timestamp }: Entry) => {
    out += 1
    if (timestamp < last) disorder += 1
    last = timestamp
  }
  globalThis.gc?.()
  const startedAt = cpuSeconds()
  for (let at = 0; at < entries.length; at += 1) {
    const entry = entries[at] as Entry
    if (entry.timestamp > max[entry.lane]!) max[entry.lane] = entry.timestamp
    store.push(entry)
    if (at % batchRecords !== batchRecords - 1) continue
    let least = Infinity
    for (const one of max) if (one < least) least = one
    store.release(least - maxOutOfOrdernessMs - 1, give)
  }
  store.release(Infinity, give)
  const seconds = cpuSeconds() - startedAt
  if (out !== entries.length || disorder > 0)
    throw new Error(`${name}: ${out} of ${entries.length}, ${disorder} out of order`)
  return entries.length / seconds
}

function entriesOf({ lanes, timestamps, partitions }: Input): Entry[] {
  const offsets = new Uint32Array(partitions)
  return Array.from(timestamps, (timestamp, at) => {
    const lane = lanes[at] as number
    return { timestamp, lane, offset: offsets[lane]!++ }
  })
}

/** Milliseconds in which so many records are let go at once: the event loop stands still for so long. */
function burstMs(name: StoreName): number {
  const [profile] = profiles.filter((one) => one.name === 'heavy') as [Profile]
  const entries = entriesOf(inputOf({ ...profile, recordsPerMs: 200 }, 200_000))
  const store = stores[name](profile.partitions)
  for (const entry of entries) store.push(entry)
  globalThis.gc?.()
  const startedAt = cpuSeconds()
  let out = 0
  store.release(Infinity, () => (out += 1))
  if (out !== entries.length) throw new Error(`${name} lost ${entries.length - out}`)
  return (cpuSeconds() - startedAt) * 1_000
}

/** Bytes of the structure for each record that it keeps, the record aside. */
function bytesPerRecord(name: StoreName): number | null {
  if (globalThis.gc === undefined) return null
  const [profile] = profiles.filter((one) => one.name === 'large') as [Profile]
  const entries = entriesOf(inputOf(profile, 200_000))
  collectAll()
  const before = memoryUsed()
  const store = stores[name](profile.partitions)
  for (const entry of entries) store.push(entry)
  collectAll()
  const bytes = (memoryUsed() - before) / entries.length
  store.release(Infinity, () => undefined)
  return bytes
}

/** Memory outside the heap is given back one or two collections later. */
function collectAll(): void {
  for (let time = 0; time < 4; time += 1) globalThis.gc?.()
}

function memoryUsed(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

export async function runReorder(): Promise<void> {
  const write = (text: string) => process.stdout.write(`${text}\n`)
  write(`reorder: ${records.toLocaleString('en-US')} records, batches of ${batchRecords}, released behind each`)
  const ratios: number[] = []
  const rates: number[] = []
  for (const profile of profiles) {
    const input = inputOf(profile, records)
    const entries = entriesOf(input)
    const measured: Record<StoreName, number[]> = { tidemark: [], tinyqueue: [] }
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ['tidemark', 'tinyqueue'] as const) measured[name].push(rateOf(name, input, entries))
    }
    const [ours, theirs] = [median(measured.tidemark), median(measured.tinyqueue)]
    ratios.push(ours / theirs)
    rates.push(ours)
    const millions = (rate: number) => (rate / 1e6).toFixed(1).padStart(5)
    write(
      `  ${profile.name.padEnd(14)} ${millions(ours)} M/s · tinyqueue ${millions(theirs)} M/s · ` +
        `ratio ${(ours / theirs).toFixed(2)} (goal 2.5, gate 2)   ${profile.meaning}`,
    )
  }
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
  write(
    `  geometric mean ${mean.toFixed(2)} (goal 3) · best / worst profile ${(Math.max(...rates) / Math.min(...rates)).toFixed(2)} (goal at most 2.5)`,
  )
  const bursts = { tidemark: [] as number[], tinyqueue: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    for (const name of ['tidemark', 'tinyqueue'] as const) bursts[name].push(burstMs(name))
  }
  const [ours, theirs] = [median(bursts.tidemark), median(bursts.tinyqueue)]
  write(
    `  200,000 at once ${ours.toFixed(1)} ms · tinyqueue ${theirs.toFixed(1)} ms · ratio ${(theirs / ours).toFixed(1)} (goal 10)`,
  )
  const bytes = bytesPerRecord('tidemark')
  const consumers = { plain: [] as number[], reorder: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    const { plain, reorder } = await consumerRates(400_000, cpuSeconds)
    consumers.plain.push(plain)
    consumers.reorder.push(reorder)
  }
  const [plain, reorder] = [median(consumers.plain), median(consumers.reorder)]
  write(
    `  a consumer, ordered input: ${Math.round(reorder / 1_000)} k/s with reorder, ${Math.round(plain / 1_000)} k/s without · ` +
      `ratio ${(reorder / plain).toFixed(2)} (goal 0.8)`,
  )
  write(bytes === null ? '  run with --expose-gc for bytes' : `  ${bytes.toFixed(1)} bytes a record (goal at most 24)`)
}
