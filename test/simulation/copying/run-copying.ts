import { simulate, SimulationError } from '../../../src/testing/simulation/simulate.js'
import type { Counts } from '../coverage.js'
import { InvariantBroken } from '../invariant.js'
import { copyingPlanOf, type CopyingPlan } from './copying-plan.js'
import { CopyingScenario } from './copying-scenario.js'

export type CopyingResult =
  | { readonly outcome: 'passed'; readonly hash: string; readonly coverage: Counts }
  | {
      readonly outcome: 'failed'
      readonly hash: string
      readonly invariant: string
      readonly detail: string
      readonly lastEvents: readonly string[]
    }

/** Never rejects. */
export async function runCopying(
  seed: number,
  plan: CopyingPlan = copyingPlanOf(seed),
  onEvent?: (event: string) => void,
): Promise<CopyingResult> {
  let coverage: Counts = {}
  try {
    const { hash } = await simulate(
      seed,
      async (simulation) => {
        coverage = await new CopyingScenario(plan, simulation).run()
      },
      { cluster: plan.cluster, nemesis: plan.nemesis, limitMs: 900_000, onEvent },
    )
    return { outcome: 'passed', hash, coverage }
  } catch (failure) {
    if (!(failure instanceof SimulationError)) throw failure
    const { cause, hash, lastEvents } = failure
    const invariant = cause instanceof InvariantBroken ? cause.invariant : cause instanceof Error ? cause.name : 'error'
    const detail =
      cause instanceof Error ? (cause instanceof InvariantBroken ? cause.message : (cause.stack ?? '')) : ''
    return { outcome: 'failed', hash, invariant, detail, lastEvents }
  }
}
