import { simulate, SimulationError } from '../../src/testing/simulation/simulate.js'
import { InvariantBroken } from './invariant.js'
import { planOf, type Plan } from './plan.js'
import { RedriveScenario } from './redrive-scenario.js'
import { Scenario, type ScenarioFigures } from './scenario.js'

export type SeedResult =
  | ({
      readonly outcome: 'passed'
      readonly seed: number
      readonly hash: string
      readonly events: number
      readonly virtualMs: number
      readonly disturbances: number
    } & ScenarioFigures)
  | {
      readonly outcome: 'failed'
      readonly seed: number
      readonly hash: string
      readonly invariant: string
      readonly detail: string
      readonly lastEvents: readonly string[]
    }

/** Of these seeds dead letters are redriven. */
function redrives(seed: number): boolean {
  return seed % 20 === 7
}

/** Never rejects. */
export async function runSeed(
  seed: number,
  plan: Plan = planOf(seed),
  onEvent: (event: string) => void = () => undefined,
): Promise<SeedResult> {
  return redrives(seed) ? runRedrives(seed, plan, onEvent) : runTraffic(seed, plan, onEvent)
}

async function runRedrives(seed: number, plan: Plan, onEvent: (event: string) => void): Promise<SeedResult> {
  let figures: ScenarioFigures | null = null
  // What it compacts away may not have been handled yet, and a clock that is set tells letters of the same place apart.
  const disturbances = plan.nemesis.disturbances.filter((one) => one !== 'compact')
  try {
    const report = await simulate(
      seed,
      async (simulation) => {
        const { effects, coverage } = await new RedriveScenario(plan, simulation).run()
        figures = { sent: noSends, handled: effects, repeated: 0, commits: 0, coverage }
      },
      { cluster: plan.cluster, nemesis: { ...plan.nemesis, disturbances }, limitMs: 7_200_000, onEvent },
    )
    return { outcome: 'passed', ...report, ...(figures as unknown as ScenarioFigures) }
  } catch (failure) {
    return failed(seed, failure)
  }
}

const noSends = { stored: 0, notStored: 0, unknown: 0, lost: 0, doubled: 0 }

async function runTraffic(seed: number, plan: Plan, onEvent: (event: string) => void): Promise<SeedResult> {
  let scenario: Scenario | null = null
  let figures: ScenarioFigures | null = null
  try {
    const report = await simulate(
      seed,
      async (simulation) => {
        scenario = new Scenario(plan, simulation)
        figures = await scenario.run()
      },
      {
        cluster: plan.cluster,
        nemesis: plan.nemesis,
        limitMs: 600_000,
        onEvent: (event) => {
          scenario?.heard(event)
          onEvent(event)
        },
        observer: {
          asked: (client, request) => scenario?.asked(client, request),
          failed: (client, request) => scenario?.failed(client, request),
          answered: (client, request, answer) => scenario?.answered(client, request, answer),
        },
      },
    )
    return { outcome: 'passed', ...report, ...(figures as unknown as ScenarioFigures) }
  } catch (failure) {
    return failed(seed, failure)
  }
}

/** These seeds run the copying scenario besides. */
export function isCopying(seed: number): boolean {
  return seed % 10 === 0
}

function failed(seed: number, failure: unknown): SeedResult {
  if (!(failure instanceof SimulationError)) throw failure
  const { cause } = failure
  const invariant = cause instanceof InvariantBroken ? cause.invariant : cause instanceof Error ? cause.name : 'error'
  const detail = cause instanceof InvariantBroken ? cause.message : cause instanceof Error ? (cause.stack ?? '') : ''
  return { outcome: 'failed', seed, hash: failure.hash, invariant, detail, lastEvents: failure.lastEvents }
}

function replayLine(seed: number): string {
  return `npm run test:simulation -- --seed ${seed}`
}

type Failure = Pick<Extract<SeedResult, { outcome: 'failed' }>, 'seed' | 'invariant' | 'detail' | 'lastEvents'>

/** What a person needs: what broke, the last of what happened, and how to see it again. */
export function describeFailure(result: Failure): string {
  return [
    `seed ${result.seed} broke: ${result.invariant}`,
    result.detail,
    'last events:',
    ...result.lastEvents.map((event) => `  ${event}`),
    `replay: ${replayLine(result.seed)}`,
  ].join('\n')
}
