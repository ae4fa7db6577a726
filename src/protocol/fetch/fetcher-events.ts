import type { FetchedPartition } from '../../connection/requests/fetch.js'
import type { AssignedPartition, FetchedRecords } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { LeftOut } from './left-out.js'
import type { Loss } from './place-check.js'

export interface FetcherEvents {
  /** A broker told where the log ends; a follower, how far it has copied it. */
  endSeen(fetched: FetchedPartition, by: 'leader' | 'follower'): void
  /** Their leaders had nothing to tell of these: their logs end where they said before. Comes after `endSeen`. */
  endsStand(leftOut: LeftOut): void
  records(fetched: FetchedRecords): void
  /** The position is not in the log, or not in this one. The partition waits for `seek` or `fail`. */
  outOfRange(partition: AssignedPartition, position: number, loss: Loss): void
  /** The partition is not fetched any more, until `seek`. */
  partitionFailed(partition: AssignedPartition, error: TidemarkError): void
  /** The cluster refuses this client altogether. */
  refused(error: TidemarkError): void
}
