import type { CommitOutcome, DriverConsumer } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { CommitPolicy } from '../../offsets/commit-policy.js'
import type { Progress } from '../../offsets/progress.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Done } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'

/**
 * Keeps on record which records are done, so that whoever gets a partition next goes on there: as offsets committed to
 * the group, nowhere, or inside the transactions that carry what handlers send. The partition's tracker knows already what
 * a ledger is told.
 */
export interface Ledger {
  /** The partition begins where nobody would begin again: that must be on record at once. */
  begins(partition: OwnedPartition): void
  /** Handling has begun, so what is abandoned may have had effects. */
  started(work: Work): void
  /** Handling has ended for good. Called often: must be cheap. */
  settled(work: Work, settlement: Done): void
  /** The place to go on may have moved without a record: holes were passed, or it was sought. */
  moved(partition: OwnedPartition): void
  /** Puts on record what these partitions have settled, by `deadline` (a moment of `clock.now()`) or not at all. */
  flush(partitions: readonly OwnedPartition[], deadline: number): Promise<void>
  /** The partition is about to be sought elsewhere: what has to go on record first does. Never rejects. */
  beforeMove(partition: OwnedPartition, deadline: number): Promise<void>
  /**
   * Puts on record what the partition has settled by now. Resolves to true when that is confirmed, to false when the
   * partition is given up before, or nothing is put on record any more. Never rejects.
   */
  confirmed(partition: OwnedPartition): Promise<boolean>
  /** What the next owner of the partition finds done at the least; `null` when that may be nothing. */
  leastProgress(partition: OwnedPartition): Progress | null
  /** What is on record may still fall back behind what was confirmed. */
  mayFallBack(partition: OwnedPartition): boolean
  /** Offsets answered so far, by outcome. */
  readonly counts: Readonly<Record<CommitOutcome, number>>
  /** How long what is settled stays off record at the most while all is well, as it stands, ms; `null`: for ever. */
  readonly windowMs: number | null
  /** Nothing is put on record any more. */
  close(): void
}

/** What a ledger is given. */
export interface LedgerParts {
  readonly policy: CommitPolicy
  /** Partitions that may have something to put on record. */
  readonly partitions: () => readonly OwnedPartition[]
  readonly driver: () => Pick<DriverConsumer, 'commit' | 'facts'>
  readonly runtime: Runtime
  readonly telemetry: Telemetry
  /** The group says that the partition has another owner, or that this member is none. */
  readonly onLost: (partition: OwnedPartition) => void
  readonly onDefect: (error: unknown) => void
  /** The consumer cannot go on. */
  readonly onFailed: (error: TidemarkError) => void
  /** What the partition settled does not count: it goes on where it was last on record. */
  readonly rewind: (partition: OwnedPartition) => void
}

export type LedgerFactory = (parts: LedgerParts) => Ledger

export const noCounts: Readonly<Record<CommitOutcome, number>> = {
  committed: 0,
  lost: 0,
  pending: 0,
  'in-doubt': 0,
  'no-partition': 0,
  'metadata-too-large': 0,
  'commit-too-large': 0,
}
