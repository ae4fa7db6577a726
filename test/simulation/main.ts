/** Runs many seeds: `--seeds 2000`, `--from 1`, `--seed 4711` (one, with its plan and figures), `--fail-fast`, `--trace` (all events of one). */
import { parseArgs } from 'node:util'
import { describeFailure, runSeed } from './run-seed.js'
import { planOf } from './plan.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'fail-fast': { type: 'boolean', default: false },
  },
})

async function runOne(seed: number, trace: boolean): Promise<number> {
  const plan = planOf(seed)
  console.log(JSON.stringify(plan, null, 2))
  const result = await runSeed(seed, plan, trace ? (event) => console.log(event) : undefined)
  console.log(result.outcome === 'passed' ? result : describeFailure(result))
  return result.outcome === 'passed' ? 0 : 1
}

async function runMany(from: number, count: number, failFast: boolean): Promise<number> {
  const startedAt = process.hrtime.bigint()
  const totals = {
    stored: 0,
    unknown: 0,
    notStored: 0,
    lostInAp: 0,
    doubledInAp: 0,
    handled: 0,
    repeated: 0,
    disturbances: 0,
  }
  let passed = 0
  const failed: number[] = []
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await runSeed(seed)
    if (result.outcome === 'failed') {
      failed.push(seed)
      console.log(describeFailure(result))
      if (failFast) break
      continue
    }
    passed += 1
    totals.stored += result.sent.stored
    totals.unknown += result.sent.unknown
    totals.notStored += result.sent.notStored
    totals.lostInAp += result.sent.lost
    totals.doubledInAp += result.sent.doubled
    totals.handled += result.handled
    totals.repeated += result.repeated
    totals.disturbances += result.disturbances
    if ((passed + failed.length) % 100 === 0) console.log(`${passed + failed.length} of ${count} seeds`)
  }
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
  const { user, system } = process.cpuUsage()
  console.log(JSON.stringify(totals))
  console.log(
    `${seconds.toFixed(1)} s, ${((user + system) / 1000 / (passed + failed.length)).toFixed(0)} ms of CPU a seed`,
  )
  if (failed.length > 0) console.log(`failed seeds: ${failed.join(' ')}`)
  console.log(`${passed} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}

process.exitCode =
  values.seed === undefined
    ? await runMany(Number(values.from), Number(values.seeds), values['fail-fast'])
    : await runOne(Number(values.seed), values.trace)
