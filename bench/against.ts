import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { startCluster } from '../test/support/kafka-cluster.js'
import { dieWithUs } from '../test/support/reaper.js'
import { projectRoot, sourcesOf } from '../test/support/source-tree.js'
import type { RoundTask } from './against-round.js'
import { built, workingCopy } from './built.js'
import { compare, printComparison, type Pair } from './comparison.js'
import type { Measured } from './measure.js'
import { fillKafka, type BenchKafka, type SuiteName } from './suites.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 7)

/**
 * This version beside the one of a commit: both built, each round in a fresh process for each, one right after the
 * other, so that whatever else the machine does meets both.
 */
export async function runAgainst(commit: string, suites: readonly SuiteName[]): Promise<void> {
  const former = await built(await sourcesOf(commit))
  const present = await built(await workingCopy())
  const cluster = suites.some((suite) => suite !== 'core') ? await startCluster({ nodes: 1 }) : null
  try {
    const kafka = cluster === null ? null : await fillKafka(cluster)
    for (const suite of suites) {
      const pairs: Pair[] = []
      for (let round = 1; round <= rounds; round += 1) {
        process.stderr.write(`${suite} against ${commit}: round ${round} of ${rounds}\n`)
        pairs.push(...(await oneRound({ suite, kafka }, former, present, round % 2 === 0)))
      }
      printComparison(`${suite}: this version beside ${commit}, ${rounds} rounds in turn`, compare(pairs))
    }
  } finally {
    await cluster?.stop()
  }
}

async function oneRound(
  task: { readonly suite: SuiteName; readonly kafka: BenchKafka | null },
  former: string,
  present: string,
  presentFirst: boolean,
): Promise<readonly Pair[]> {
  const measured = new Map<string, readonly Measured[]>()
  for (const dist of presentFirst ? [present, former] : [former, present])
    measured.set(dist, await inOwnProcess({ ...task, dist }))
  const after = measured.get(present) ?? []
  return (measured.get(former) ?? []).flatMap((before) => {
    const same = after.find(({ name }) => name === before.name)
    return same === undefined ? [] : [{ before, after: same }]
  })
}

async function inOwnProcess(task: RoundTask): Promise<readonly Measured[]> {
  const program = fileURLToPath(new URL('./against-round.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', '--expose-gc', program, JSON.stringify(task)], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  dieWithUs(child)
  const output = await text(child.stdout)
  try {
    return JSON.parse(output) as readonly Measured[]
  } catch (cause) {
    throw new Error(`a round of ${task.suite} over ${task.dist} did not end well`, { cause })
  }
}
