import type { CommittedPartition } from '../../connection/requests/offsets.js'
import { leaderEpochsOf, type EpochRange } from '../../offsets/leader-epochs.js'
import { originOf } from '../../offsets/log-identity.js'
import type { Cluster } from '../cluster/cluster.js'

/** What a group's commit says about where to read on in the log of now. */
export type CommitPlace =
  | {
      readonly kind: 'here'
      /** Of the record before the offset; -1 when unknown. */
      readonly leaderEpoch: number
      /** Who wrote what is done. */
      readonly epochs: readonly EpochRange[]
    }
  /** The topic was made anew since: the offset counts in a log that is gone. */
  | { readonly kind: 'in-former-log' }

export function commitPlace(committed: CommittedPartition, cluster: Cluster): CommitPlace {
  const { topic, leaderEpoch, metadata } = committed
  switch (originOf(metadata, cluster.logOf(topic))) {
    case 'former-log':
      return { kind: 'in-former-log' }
    case 'elsewhere':
      // Leaders of another cluster have epochs of their own.
      return { kind: 'here', leaderEpoch: -1, epochs: [] }
    case 'unmarked':
      return { kind: 'here', leaderEpoch, epochs: [] }
    case 'this-log':
      return { kind: 'here', leaderEpoch, epochs: leaderEpochsOf(committed) }
  }
}
