import { spawn } from 'node:child_process'
import { loadavg } from 'node:os'
import { text } from 'node:stream/consumers'
import { CompiledProgram } from '../test/support/compiled-program.js'
import { dieWithUs } from '../test/support/reaper.js'
import { projectRoot } from '../test/support/source-tree.js'
import { exponentOf, scaleSteps, type Size } from '../test/simulation/scale-steps.js'
import type { ScaleOrder } from './scale-cell.js'

const partitions = [2_500, 5_000, 10_000, 20_000] as const
const members = [63, 125, 250, 500] as const
/** What does not grow meanwhile. */
const few: Size = { partitions: 2_000, members: 4 }
const warm: Size = { partitions: 250, members: 4 }

/** The least of so many: a collection of garbage more or less is a large part of what is short. */
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 1)
const only = process.env['BENCH_ONLY'] ?? ''
const megabytes = 12_000

/**
 * CPU time of what clients do on the in-process cluster, its own share included, while partitions or members grow; each
 * size in a process of its own. An exponent of 1 is linear.
 */
export async function runScale(): Promise<void> {
  await using program = await CompiledProgram.compile(projectRoot, 'bench/scale-cell.ts', 'bench-scale')
  process.stdout.write('| step | grows | CPU, ms, at each size | µs for each | exponent |\n|---|---|---|---|---|\n')
  for (const [number, { name, growsWith }] of scaleSteps.entries()) {
    if (!name.includes(only)) continue
    const sizes = growsWith === 'partitions' ? partitions : members
    const points: [number, number][] = []
    for (const many of sizes) {
      const order: ScaleOrder = { step: number, warm, size: { ...few, [growsWith]: many } }
      const ms: number[] = []
      for (let round = 0; round < rounds; round += 1) ms.push(await cpuMs(program.file, order))
      points.push([many, Math.min(...ms)])
      process.stderr.write(
        `${name}, ${many} ${growsWith}: ${points.at(-1)?.[1].toFixed(0)} ms (load ${loadavg()[0]?.toFixed(0)})\n`,
      )
    }
    process.stdout.write(lineOf(name, growsWith, points))
  }
  if (only === '') await tellLargest(program.file)
}

function lineOf(name: string, growsWith: keyof Size, points: readonly (readonly [number, number])[]): string {
  const costs = points.map(([many, ms]) => `${many.toLocaleString('en-US')}: ${ms.toFixed(0)}`).join(' · ')
  const each = points.map(([many, ms]) => ((1_000 * ms) / many).toFixed(0)).join(' · ')
  return `| ${name} | ${growsWith} | ${costs} | ${each} | ${exponentOf(points).toFixed(2)} |\n`
}

/** Both at once: each of 500 members knows all 20,000 partitions. */
async function tellLargest(file: string): Promise<void> {
  const size = { partitions: partitions.at(-1)!, members: members.at(-1)! }
  const joining = scaleSteps.findIndex(({ growsWith }) => growsWith === 'members')
  const ms = await cpuMs(file, { step: joining, warm, size })
  const pairs = size.partitions * size.members
  process.stdout.write(
    `\n${scaleSteps[joining]?.name}, ${size.members} of them and ${size.partitions} partitions: ${(ms / 1_000).toFixed(1)} s, ${((1_000 * ms) / pairs).toFixed(2)} µs for each partition that a member knows\n`,
  )
}

async function cpuMs(file: string, order: ScaleOrder): Promise<number> {
  const flags = ['--expose-gc', `--max-old-space-size=${megabytes}`]
  const child = spawn(process.execPath, [...flags, file, JSON.stringify(order)], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  dieWithUs(child)
  const ms = Number(await text(child.stdout))
  if (!(ms > 0)) throw new Error(`${JSON.stringify(order)}: the process did not end well`)
  return ms
}
