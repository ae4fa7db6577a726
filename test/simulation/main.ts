/**
 * Runs many seeds: `--seeds 2000`, `--from 1`, `--fail-fast`, `--jobs 2` (processes; default one for each processor),
 * or one: `--seed 4711` (with its plan and figures), `--trace` (all its events). Every tenth seed runs the copying scenario
 * too; with `--copying` that alone.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { copyingPlanOf } from './copying/copying-plan.js'
import { runCopying } from './copying/run-copying.js'
import { addCounts, coverageTable, shortfalls } from './coverage.js'
import { planOf } from './plan.js'
import { addTotals, noTotals, runSeeds, type Totals } from './run-many.js'
import { describeFailure, isCopying, runSeed } from './run-seed.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    step: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'fail-fast': { type: 'boolean', default: false },
    copying: { type: 'boolean', default: false },
  },
})

async function runOne(seed: number, trace: boolean): Promise<number> {
  const plan = planOf(seed)
  console.log(JSON.stringify(plan, null, 2))
  const result = await runSeed(seed, plan, trace ? (event) => console.log(event) : undefined)
  console.log(result.outcome === 'passed' ? result : describeFailure(result))
  if (!isCopying(seed) && !values.copying) return result.outcome === 'passed' ? 0 : 1
  const copyingPlan = copyingPlanOf(seed)
  console.log(JSON.stringify(copyingPlan, null, 2))
  const copied = await runCopying(seed, copyingPlan, trace ? (event) => console.log(event) : undefined)
  console.log(copied.outcome === 'passed' ? copied : describeFailure({ seed, ...copied }))
  return result.outcome === 'passed' && copied.outcome === 'passed' ? 0 : 1
}

function* row(from: number, until: number, step: number): Generator<number> {
  for (let seed = from; seed < until; seed += step) yield seed
}

/** The copying scenario alone. */
async function runCopies(): Promise<number> {
  const from = Number(values.from)
  const coverage: Record<string, number> = {}
  const failed: number[] = []
  for (const seed of row(from, from + Number(values.seeds), Number(values.step))) {
    const copied = await runCopying(seed)
    if (copied.outcome === 'passed') addCounts(coverage, copied.coverage)
    else {
      failed.push(seed)
      console.log(describeFailure({ seed, ...copied }))
      if (values['fail-fast']) break
    }
  }
  console.log(coverage)
  if (failed.length > 0) console.log(`failed seeds: ${failed.join(' ')}`)
  console.log(`${Number(values.seeds) - failed.length} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}

async function runHere(): Promise<Totals> {
  const from = Number(values.from)
  return runSeeds(row(from, from + Number(values.seeds), Number(values.step)), (description) => {
    console.log(description)
    return values['fail-fast'] ? 'stop' : 'go-on'
  })
}

/** Every job takes each n-th seed, so that all have alike to do. */
async function runInProcesses(jobs: number): Promise<Totals> {
  const from = Number(values.from)
  const count = Number(values.seeds)
  const parts = await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      const range = [
        '--from',
        String(from + job),
        '--seeds',
        String(count - job),
        '--step',
        String(jobs),
        '--jobs',
        '1',
      ]
      const child = fork(fileURLToPath(import.meta.url), values['fail-fast'] ? [...range, '--fail-fast'] : range)
      return new Promise<Totals>((resolve, reject) => {
        child.once('message', (totals) => resolve(totals as Totals))
        child.once('error', reject)
        child.once('exit', (code) => reject(new Error(`job ${job} ended with ${code} before it told what it did`)))
      })
    }),
  )
  return parts.reduce(addTotals, noTotals)
}

async function runMany(): Promise<number> {
  const startedAt = process.hrtime.bigint()
  const jobs = Math.min(Number(values.jobs), Number(values.seeds))
  const totals = jobs === 1 ? await runHere() : await runInProcesses(jobs)
  if (process.send !== undefined) {
    process.send(totals)
    return 0
  }
  const { passed, failedSeeds, figures, coverage } = totals
  const seeds = passed + failedSeeds.length
  console.log(`what ${seeds} seeds met, by number:\n${coverageTable(coverage)}`)
  console.log(JSON.stringify(figures))
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
  console.log(
    `${seconds.toFixed(1)} s, ${((seconds * jobs * 1_000) / seeds).toFixed(0)} ms a seed in ${jobs} process(es)`,
  )
  const missing = shortfalls(coverage, passed)
  for (const shortfall of missing) console.log(`too little was met: ${shortfall}`)
  if (failedSeeds.length > 0) console.log(`failed seeds: ${failedSeeds.join(' ')}`)
  console.log(`${passed} passed, ${failedSeeds.length} failed`)
  return failedSeeds.length === 0 && missing.length === 0 ? 0 : 1
}

if (values.seed !== undefined) process.exitCode = await runOne(Number(values.seed), values.trace)
else process.exitCode = await (values.copying ? runCopies() : runMany())
