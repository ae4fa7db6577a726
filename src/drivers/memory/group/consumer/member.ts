import type { Timer } from '../../../../runtime/clock.js'
import type { PartitionSet } from './partition-set.js'

/** How far a member has come towards what is meant for it. */
export interface Standing {
  /** What the member has reached. */
  readonly epoch: number
  /** The one before, of a member that may have missed the answer with the present one. */
  readonly previousEpoch: number
  /**
   * `unrevoked`: it has to give something back first. `unreleased`: others still have some of what is meant for it.
   */
  readonly state: 'stable' | 'unrevoked' | 'unreleased'
  /** What it is told to be its own. */
  readonly assigned: PartitionSet
  /** What it was told to give back and has not. */
  readonly revoking: PartitionSet
}

/** A member as the coordinator keeps it. */
export interface ConsumerMember extends Standing {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly rackId: string | null
  readonly topics: readonly string[]
  readonly regex: string | null
  readonly serverAssignor: string | null
  readonly rebalanceTimeoutMs: number
}

/** Timers of one member; they do not move with the group. */
export interface MemberTimers {
  session: Timer | null
  rebalance: Timer | null
}
