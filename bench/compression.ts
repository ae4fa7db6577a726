import { performance } from 'node:perf_hooks'
import { seededRandom } from '../src/runtime/random.js'
import { builtInCodecs, builtInProblem } from '../src/wire/compression.js'
import { median } from './measure.js'

const rounds = 5 * Number(process.env['BENCH_ROUNDS'] ?? 3)

/** The records of one batch as services send them, and what no codec makes smaller. */
function contents(bytes: number): Readonly<Record<string, Buffer>> {
  const lines: string[] = []
  for (let at = 0, size = 0; size < bytes; at += 1) {
    const customer = { id: 91_827 + at, name: `Jane Miller ${at}`, email: `jane${at}@example.com` }
    const line = JSON.stringify({ id: (at * 7_919) % 100_003, type: 'order.created', customer, total: (at * 37) / 100 })
    lines.push(line)
    size += line.length
  }
  const random = seededRandom(1)
  const noise = Uint8Array.from({ length: bytes }, () => Math.floor(random.next() * 256))
  return { 'JSON text': Buffer.from(lines.join('')).subarray(0, bytes), noise: Buffer.from(noise) }
}

/** What each codec does with one batch of 64 KiB and one of 1 MiB, in turn. */
export async function runCompression(): Promise<void> {
  const codecs = (['gzip', 'snappy', 'lz4', 'zstd'] as const).filter((codec) => builtInProblem(codec) === null)
  process.stdout.write(`\ncompression: Node ${process.versions.node}, MB/s of unpacked bytes, median of ${rounds}\n`)
  for (const bytes of [65_536, 1_048_576]) {
    for (const [what, unpacked] of Object.entries(contents(bytes))) {
      const times = codecs.map((codec) => ({ codec, size: 0, writes: [] as number[], reads: [] as number[] }))
      for (let round = 0; round < rounds; round += 1) {
        for (const row of times) {
          const codec = builtInCodecs(row.codec)
          const repeats = Math.ceil(2_097_152 / bytes)
          const from = performance.now()
          let packed: Buffer = unpacked
          for (let at = 0; at < repeats; at += 1) packed = await codec.compress(unpacked)
          const between = performance.now()
          for (let at = 0; at < repeats; at += 1) await codec.decompress(packed)
          row.writes.push((between - from) / repeats)
          row.reads.push((performance.now() - between) / repeats)
          row.size = packed.length
        }
      }
      for (const { codec, size, writes, reads } of times) {
        const [write, read] = [writes, reads].map((all) => (bytes / 1_000 / median(all)).toFixed(0))
        const ratio = (bytes / size).toFixed(2)
        process.stdout.write(
          `  ${what.padEnd(9)} ${String(bytes / 1_024).padStart(5)} KiB  ${codec.padEnd(6)} to 1/${ratio.padEnd(6)} writes ${write} reads ${read}\n`,
        )
      }
    }
  }
}
