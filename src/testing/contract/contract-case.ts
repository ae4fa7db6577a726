import { AssertionError } from 'node:assert'
import type { ContractAbility, ContractHost } from './contract-host.js'
import { CaseWorld, type ContractWorld } from './contract-world.js'

/** More may come. */
export type ContractGroup =
  | 'producing'
  | 'reading'
  | 'flow'
  | 'committing'
  | 'rebalancing'
  | 'transactions and holes'
  | 'brokers'
  | 'administration'
  | 'group administration'

/** One promise of the driver port. */
export interface ContractCase {
  /** The promise that would break. */
  readonly name: string
  readonly group: ContractGroup
  readonly needs?: readonly ContractAbility[] | undefined
  /** @internal Rejects with an `AssertionError` when the driver breaks the promise. */
  run(world: ContractWorld): Promise<void>
}

/** How long a case may take before it counts as hanging. */
const caseLimitMs = 60_000

/** Runs one case in a world of its own and closes what it opened. Rejects when the promise is broken. */
export async function runContractCase(contractCase: ContractCase, host: ContractHost): Promise<void> {
  const world = new CaseWorld(host)
  try {
    await bounded(world, caseLimitMs + 8 * world.slackMs, `"${contractCase.name}" did not end`, contractCase.run(world))
  } finally {
    await bounded(world, 10_000 + world.slackMs, `the clients of "${contractCase.name}" did not close`, world.end())
  }
}

/** What the host can run, and by name what it cannot, with the abilities it lacks. */
export function casesFor(
  cases: readonly ContractCase[],
  abilities: ContractHost['abilities'],
): {
  readonly offered: readonly ContractCase[]
  readonly notOffered: readonly { readonly name: string; readonly lacking: readonly ContractAbility[] }[]
} {
  const lackingOf = ({ needs = [] }: ContractCase) => needs.filter((need) => abilities[need] === undefined)
  return {
    offered: cases.filter((each) => lackingOf(each).length === 0),
    notOffered: cases
      .filter((each) => lackingOf(each).length > 0)
      .map((each) => ({ name: each.name, lacking: lackingOf(each) })),
  }
}

async function bounded(world: CaseWorld, limitMs: number, complaint: string, work: Promise<void>): Promise<void> {
  const cancel = new AbortController()
  const late = world.runtime.clock.sleep(limitMs, cancel.signal).then(
    () => {
      throw new AssertionError({ message: `${complaint} within ${limitMs} ms` })
    },
    () => undefined, // cancelled below: the work ended in time
  )
  try {
    await Promise.race([work, late])
  } finally {
    cancel.abort(new Error('ended'))
  }
}
