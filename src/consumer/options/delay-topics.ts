import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import type { Failed, Rung } from '../handling/ladder.js'
import type { Stage } from '../intake/stage.js'
import type { Delivery } from '../partition/delivery.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Settlement } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import type { Ledger } from '../settling/ledger.js'
import type { Topic } from '../../topic/topic.js'

/** What delay topics are given by the consumer that reads them, for one run of it. */
export interface DelayTopicsParts {
  readonly ledger: Pick<Ledger, 'confirmed'>
  readonly partition: (topic: string, partition: number) => OwnedPartition | undefined
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

/** Topics that keep, until it is time, what failed in place, and by which it comes back to the consumer that put it there. */
export interface DelayTopics {
  /** Of each topic that is read: whoever has one of its partitions reads theirs of the same number. */
  readonly ofTopic: ReadonlyMap<string, readonly string[]>
  /** For `ensureTopics`. */
  definitions(): readonly Topic[]
  begin(parts: DelayTopicsParts): DelayTopicsRun
}

export interface DelayTopicsRun {
  readonly rung: Rung
  /** Whether the rung takes what its handler wants to be tried again later. */
  takes(failed: Failed): boolean
  /** `null` for what is no partition of a delay topic. */
  stage(partition: OwnedPartition): Stage | null
  /** Where the records of a partition of a delay topic come from; `undefined` for all others. */
  sourceOf(partition: OwnedPartition): OwnedPartition | undefined
  around(delivery: Delivery): Delivery
  /** A partition was taken, or goes on elsewhere. */
  taken(partition: OwnedPartition): void
  /** An attempt has come to this end, and what follows from it is done. */
  ended(work: Work, end: Settlement): void
}
