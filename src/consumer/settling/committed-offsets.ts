import type { Progress } from '../../offsets/progress.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Work } from '../partition/work.js'
import { Committer } from './committer.js'
import type { Ledger, LedgerParts } from './ledger.js'

/** The group's committed offsets as ledger: each partition's tracker says how far it is, the committer tells the group. */
class CommittedOffsets implements Ledger {
  readonly #committer: Committer
  readonly #isConfirmedFirst: boolean

  constructor(parts: LedgerParts) {
    this.#committer = new Committer(parts)
    this.#isConfirmedFirst = parts.policy === 'confirmed'
  }

  get counts() {
    return this.#committer.counts
  }

  get windowMs(): number {
    return this.#committer.windowMs
  }

  begins(partition: OwnedPartition): void {
    this.#committer.commitSoon(partition)
  }

  started(): void {
    // A commit says what is done; what has begun is nobody else's matter.
  }

  settled({ partition, count }: Work): void {
    this.#committer.settled(partition, count)
    if (this.#isConfirmedFirst) this.#confirmFirst(partition)
  }

  moved(partition: OwnedPartition): void {
    this.#committer.moved(partition)
  }

  flush(partitions: readonly OwnedPartition[], deadline: number): Promise<void> {
    return this.#committer.flush(partitions, deadline)
  }

  /** The place it is sought to is committed next, whatever was before. */
  beforeMove(): Promise<void> {
    return Promise.resolve()
  }

  confirmed(partition: OwnedPartition): Promise<boolean> {
    return this.#committer.confirmed(partition)
  }

  leastProgress(partition: OwnedPartition): Progress | null {
    return this.#committer.leastProgress(partition)
  }

  mayFallBack(partition: OwnedPartition): boolean {
    return this.#committer.isInDoubt(partition)
  }

  close(): void {
    this.#committer.close()
  }

  /** Nothing of the partition begins before that; what is given up meanwhile is committed by its drain. */
  #confirmFirst(partition: OwnedPartition): void {
    partition.gate.close('commit')
    void this.#committer.confirmedWhileThere(partition).then(() => partition.gate.lift('commit')) // never rejects
  }
}

export const committedOffsets = (parts: LedgerParts): Ledger => new CommittedOffsets(parts)
