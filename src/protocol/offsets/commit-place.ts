import type { CommittedPartition } from '../../connection/requests/offsets.js'
import { originOf } from '../../offsets/log-identity.js'
import type { Cluster } from '../cluster/cluster.js'

/** What a group's commit says about where to read on in the log of now. */
export type CommitPlace =
  | { readonly kind: 'here'; readonly leaderEpoch: number }
  /** The topic was made anew since: the offset counts in a log that is gone. */
  | { readonly kind: 'in-former-log' }

export function commitPlace({ topic, leaderEpoch, metadata }: CommittedPartition, cluster: Cluster): CommitPlace {
  switch (originOf(metadata, cluster.logOf(topic))) {
    case 'former-log':
      return { kind: 'in-former-log' }
    case 'elsewhere':
      // Leaders of another cluster have epochs of their own.
      return { kind: 'here', leaderEpoch: -1 }
    case 'this-log':
    case 'unmarked':
      return { kind: 'here', leaderEpoch }
  }
}
