import type { MemoryClusterOptions } from '../../../src/drivers/memory/memory-options.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { ofTransactions, type Disturbance } from '../../../src/testing/simulation/disturbances.js'
import type { NemesisOptions } from '../../../src/testing/simulation/nemesis.js'
import { between, chance } from '../plan.js'

/** What a seed decides of a run in which members copy, exactly once, what transactions write. */
export interface CopyingPlan {
  readonly cluster: Omit<MemoryClusterOptions, 'runtime'> & { readonly brokers: number }
  readonly nemesis: NemesisOptions
  readonly partitions: number
  readonly members: number
  /** Members have instance ids, and so transactional ids that come again. */
  readonly isStatic: boolean
  readonly order: 'partition' | 'key' | 'none'
  readonly handling: 'each' | 'batch'
  readonly everyMs: number
  readonly everyMessages: number
  readonly timeoutMs: number
  /** Transactions that the source runs. */
  readonly transactions: number
  /** Chance that the source throws in one of them. */
  readonly aborted: number
  /** Chance that a record is one that no handler takes. */
  readonly poison: number
  /** Chance that a record is tried again later, by a delay topic; where it is 0 there is none. */
  readonly later: number
  readonly crashes: boolean
  readonly slowHandlers: boolean
}

const disturbing: readonly Disturbance[] = [
  ...['lose-answer', 'lose-request', 'straggler', 'delay', 'refuse', 'silence', 'turn-away', 'lag-metadata'],
  ...['move-leader', 'restart-broker', 'lag-replication', 'move-coordinator', 'kick-member', 'throttle'],
] as readonly Disturbance[]

export function copyingPlanOf(seed: number): CopyingPlan {
  const random = seededRandom(seed ^ 0x1b873593)
  const version = chance(random, 0.5) ? 2 : 1
  const isRough = chance(random, 0.8)
  const ours = ofTransactions.filter((kind) => kind !== 'raise-transaction-version' || chance(random, 0.3))
  return {
    cluster: {
      brokers: 3,
      transactionVersion: version,
      markerDelayMs: between(random, 0, 1) * between(random, 0, 60),
      replicationDelayMs: between(random, 0, 1) * between(random, 0, 20),
      failoverMs: between(random, 0, 800),
      transactionCheckMs: 1_000,
      firstProducerEpoch: chance(random, 0.1) ? 32_760 : 0,
    },
    nemesis: {
      disturbances: isRough ? [...disturbing, ...ours, ...ours] : ours,
      pauseMs: [30, between(random, 200, 1_500)],
      requestFaults: chance(random, 0.3) ? 0.01 * random.next() : 0,
    },
    partitions: between(random, 1, 3),
    members: between(random, 1, 3),
    isStatic: chance(random, 0.4),
    order: (['partition', 'partition', 'key', 'none'] as const)[between(random, 0, 3)]!,
    handling: chance(random, 0.3) ? 'batch' : 'each',
    everyMs: between(random, 10, 200),
    everyMessages: between(random, 3, 100),
    timeoutMs: between(random, 2_500, 8_000),
    transactions: between(random, 10, 40),
    aborted: chance(random, 0.5) ? 0.2 : 0,
    poison: chance(random, 0.4) ? 0.1 : 0,
    crashes: chance(random, 0.7),
    slowHandlers: chance(random, 0.4),
    later: chance(random, 0.3) ? 0.15 : 0,
  }
}
