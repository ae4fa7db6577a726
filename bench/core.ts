import { coreBenches, coreRecords, valueBytes } from './core-measures.js'
import { sourceLibrary } from './library.js'
import type { Bench, Measured } from './measure.js'
import { printTable } from './table.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

export async function runCore(): Promise<void> {
  const benches = coreBenches(await sourceLibrary())
  const results: Measured[] = []
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`core: round ${round} of ${rounds}\n`)
    for (const bench of benches) results.push(await bench.run())
  }
  printTable(
    `core: ${coreRecords.toLocaleString('en-US')} records of ${valueBytes} bytes, 8 partitions, in process`,
    results,
  )
  await whereTheTimeGoes(benches.filter(({ name }) => mixed.includes(name)))
}

const mixed = ['single sends, 4096 in flight', 'handled one by one, by key, 64 lanes']

/** Self time by file, from Node's own sampling profiler. */
async function whereTheTimeGoes(benches: readonly Bench[]): Promise<void> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  for (const bench of benches) await bench.run()
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
