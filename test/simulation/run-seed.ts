import { simulate, SimulationError } from '../../src/testing/simulation/simulate.js'
import { InvariantBroken } from './invariant.js'
import { planOf, type Plan } from './plan.js'
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

/** Never rejects. */
export async function runSeed(
  seed: number,
  plan: Plan = planOf(seed),
  onEvent: (event: string) => void = () => undefined,
): Promise<SeedResult> {
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
    if (!(failure instanceof SimulationError)) throw failure
    const { cause } = failure
    const invariant = cause instanceof InvariantBroken ? cause.invariant : cause instanceof Error ? cause.name : 'error'
    const detail = cause instanceof InvariantBroken ? cause.message : cause instanceof Error ? (cause.stack ?? '') : ''
    return { outcome: 'failed', seed, hash: failure.hash, invariant, detail, lastEvents: failure.lastEvents }
  }
}

/** These seeds run the copying scenario besides. */
export function isCopying(seed: number): boolean {
  return seed % 10 === 0
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
