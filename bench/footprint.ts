import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { slopeOf } from '../test/simulation/scale-steps.js'
import { median } from './measure.js'
import { footprints, type FootprintTask } from './users/footprint-cell.js'
import { BenchWorld, type Competitor } from './users/world.js'

type Kind = FootprintTask['of']

/** Of each kind how many there are, and how many partitions the topic has. */
const sizes: Readonly<Record<Kind, readonly number[]>> = {
  partition: [100, 200, 400, 800],
  member: [1, 4, 16, 32],
  producer: [1, 8, 32, 64],
  'record in flight': [1_000, 4_000, 16_000, 64_000],
}
const fewPartitions = 32

const competitors: readonly Competitor[] = ['tidemark', 'kafkajs']
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const loads = Number(process.env['BENCH_LOADS'] ?? 21)

/** What a client costs where it does nothing: loading it, and memory for each thing there is more and more of. */
export async function runFootprint(): Promise<void> {
  await using world = await BenchWorld.open()
  await tellLoading(world.dist)
  for (const of of footprints) await tellSlope(world, of)
}

/** A cold process each, in turn, on a disk that has the files in its cache. */
async function tellLoading(dist: string): Promise<void> {
  const entries = ['index', 'kafkajs']
  const imports = (names: readonly string[]) =>
    names.map((name) => `await import(${JSON.stringify(pathToFileURL(join(dist, `${name}.js`)).href)});`).join('')
  const requires = (names: readonly string[]) =>
    names.map((name) => `require(${JSON.stringify(join(dist, `${name}.cjs`))});`).join('')
  const kafkajs = JSON.stringify(join(dist, '..', 'node_modules', 'kafkajs'))
  const ways: readonly (readonly [name: string, code: string, type: 'module' | 'commonjs'])[] = [
    ['tidemark and tidemark/kafkajs, import', imports(entries), 'module'],
    ['tidemark and tidemark/kafkajs, require', requires(entries), 'commonjs'],
    ['tidemark alone, import', imports(['index']), 'module'],
    ['tidemark alone, require', requires(['index']), 'commonjs'],
    ['kafkajs alone, require', `require(${kafkajs});`, 'commonjs'],
  ]
  const times = new Map<string, Loading[]>(ways.map(([name]) => [name, []]))
  for (let round = 0; round < loads; round += 1)
    for (const [name, code, type] of ways) times.get(name)?.push(await loading(code, type))
  process.stdout.write(`\nloading in a cold process, median of ${loads} (least to most)\n`)
  for (const [name, of] of times) {
    const shown = (values: readonly number[]) =>
      `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`
    const [all, cpu] = [of.map(({ ms }) => ms), of.map(({ cpuMs }) => cpuMs)].map(shown)
    process.stdout.write(`  ${name.padEnd(40)}${all} ms, ${cpu} ms of CPU time\n`)
  }
}

interface Loading {
  readonly ms: number
  readonly cpuMs: number
}

async function loading(code: string, type: 'module' | 'commonjs'): Promise<Loading> {
  const before = 'const startedAt = performance.now(), cpu = process.cpuUsage();'
  const after =
    'const { user, system } = process.cpuUsage(cpu);console.log(performance.now() - startedAt, user + system)'
  const child = spawn(process.execPath, [`--input-type=${type}`, '--eval', `${before}${code}${after}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [ms = 0, micros = 0] = (await text(child.stdout)).split(' ').map(Number)
  if (!(ms > 0)) throw new Error(`a process that loads ${code} did not end well`)
  return { ms, cpuMs: micros / 1_000 }
}

async function tellSlope(world: BenchWorld, of: Kind): Promise<void> {
  const points = new Map<Competitor, (readonly [many: number, bytes: number])[]>(
    competitors.map((competitor) => [competitor, []]),
  )
  for (const many of sizes[of]) {
    const partitions = of === 'partition' ? many : fewPartitions
    const topic = await world.topic(partitions)
    const bytes = new Map<Competitor, number[]>(competitors.map((competitor) => [competitor, []]))
    for (let round = 1; round <= rounds; round += 1) {
      for (const competitor of competitors) {
        const group = `footprint-${of}-${many}-${round}-${competitor}`
        const figures = await world.run(competitor, { kind: 'footprint', of, many, topic, partitions, group })
        if (figures?.heapMb !== undefined) bytes.get(competitor)?.push(figures.heapMb * 1e6)
      }
    }
    for (const [competitor, each] of bytes) points.get(competitor)?.push([many, median(each)])
  }
  process.stdout.write(
    `\nmemory of each ${of}: heap and buffers, slope over ${sizes[of].join(', ')}; rounds: ${rounds}\n`,
  )
  for (const [competitor, all] of points) {
    const each = all.map(([many, bytes]) => `${many}: ${(bytes / 1e6).toFixed(2)} MB`).join(' · ')
    process.stdout.write(`  ${competitor.padEnd(10)}${inKb(slopeOf(all))} each (${each})\n`)
  }
}

const inKb = (bytes: number) => `${(bytes / 1_000).toFixed(2)} kB`
