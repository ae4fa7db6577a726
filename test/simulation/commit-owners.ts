import type { OffsetCommitAnswer, OffsetCommitRequest } from '../../src/connection/requests/offsets.js'
import { partitionKey } from '../../src/message/topic-partition.js'
import type { Coverage } from './coverage.js'
import type { Report } from './invariant.js'
import type { Tenure } from './tenures.js'

/** One owner whose commits were taken, from the first of them that we know of. */
interface Owner {
  readonly tenure: Tenure
  /** When the first answer came. */
  readonly since: number
}

interface Asked {
  readonly at: number
  readonly tenures: ReadonlyMap<string, Tenure>
}

/**
 * Where the coordinator divides, each member has an epoch of its own, so commits cannot be compared by generation. What it
 * takes must come from one owner after the other: who asks after another's commit was taken has lost the partition.
 */
export class CommitOwners {
  readonly #asked = new WeakMap<OffsetCommitRequest, Asked>()
  /** The last one, by partition. */
  readonly #owners = new Map<string, Owner>()
  #turns = 0

  /** @param tenures in the order in which they began */
  constructor(
    private readonly tenures: () => readonly Tenure[],
    private readonly coverage: Coverage,
    private readonly report: Report,
  ) {}

  asked(request: OffsetCommitRequest, tenures: ReadonlyMap<string, Tenure>): void {
    this.#turns += 1
    this.#asked.set(request, { at: this.#turns, tenures })
  }

  answered(request: OffsetCommitRequest, { partitions }: OffsetCommitAnswer): void {
    this.#turns += 1
    const asked = this.#asked.get(request)
    if (asked === undefined) return
    for (const { topic, partition, errorCode } of partitions) {
      const key = partitionKey(topic, partition)
      const tenure = asked.tenures.get(key)
      if (errorCode === 0 && tenure !== undefined) this.#taken(key, beginningOf(tenure), asked.at)
    }
  }

  #taken(key: string, tenure: Tenure, askedAt: number): void {
    const owner = this.#owners.get(key)
    if (owner?.tenure === tenure) return
    const isEarlier = owner !== undefined && this.#order(tenure) < this.#order(owner.tenure)
    if (isEarlier && askedAt > owner.since) {
      const what = `${tenure.consumer} commits ${key} after ${owner.tenure.consumer}, which was given it later`
      this.report('one owner after the other commits a partition', what)
    }
    // Its answer came late.
    if (isEarlier) return
    if (owner !== undefined) this.coverage.met('divided by the coordinator: a partition is committed by its next owner')
    this.#owners.set(key, { tenure, since: this.#turns })
  }

  #order(tenure: Tenure): number {
    return this.tenures().indexOf(tenure)
  }
}

/** Before any seek. */
function beginningOf(tenure: Tenure): Tenure {
  return tenure.continues === null ? tenure : beginningOf(tenure.continues)
}
