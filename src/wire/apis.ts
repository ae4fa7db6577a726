import type { ApiName } from '../connection/requests/apis.js'
import {
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  describeConfigs,
  electLeaders,
  incrementalAlterConfigs,
} from './apis/admin.js'
import { apiVersions } from './apis/api-versions.js'
import type { ApiCodec, VersionRange } from './apis/codec.js'
import { consumerGroupHeartbeat } from './apis/consumer-groups.js'
import { fetch } from './apis/fetch.js'
import {
  consumerGroupDescribe,
  deleteGroups,
  describeGroups,
  listGroups,
  offsetDelete,
  shareGroupDescribe,
} from './apis/group-admin.js'
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from './apis/groups.js'
import { initProducerId } from './apis/init-producer-id.js'
import { listOffsets } from './apis/list-offsets.js'
import { offsetForLeaderEpoch } from './apis/offset-for-leader-epoch.js'
import { describeTopicPartitions, metadata } from './apis/metadata.js'
import { offsetCommit, offsetFetch } from './apis/offsets.js'
import { produce } from './apis/produce.js'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  describeProducers,
  describeTransactions,
  endTxn,
  listTransactions,
  txnOffsetCommit,
} from './apis/transactions.js'
import { WireError } from './wire-error.js'

/** Every API that tidemark speaks: its key, the versions it knows, and their bytes. All brokers from Kafka 2.4 to 4.x overlap. */
export const apis: { readonly [Name in ApiName]: ApiCodec<Name> } = {
  apiVersions,
  metadata,
  describeTopicPartitions,
  produce,
  initProducerId,
  fetch,
  listOffsets,
  offsetForLeaderEpoch,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  consumerGroupHeartbeat,
  offsetCommit,
  offsetFetch,
  listGroups,
  describeGroups,
  consumerGroupDescribe,
  shareGroupDescribe,
  deleteGroups,
  offsetDelete,
  createTopics,
  deleteTopics,
  createPartitions,
  describeConfigs,
  incrementalAlterConfigs,
  deleteRecords,
  electLeaders,
  addPartitionsToTxn,
  addOffsetsToTxn,
  txnOffsetCommit,
  endTxn,
  listTransactions,
  describeTransactions,
  describeProducers,
}

/** Of one broker, by API key. */
export type BrokerVersions = ReadonlyMap<number, VersionRange>

/**
 * The newest version both sides know.
 *
 * @param fit the oldest and the newest version that can carry what the request asks for.
 * @throws WireError `unsupported` when there is none.
 */
export function negotiate(api: ApiName, offered: VersionRange | undefined, fit: Partial<VersionRange> = {}): number {
  const known = apis[api]
  const oldest = Math.max(known.min, fit.min ?? 0)
  const newest = Math.min(known.max, fit.max ?? known.max)
  const wanted = oldest === newest ? `version ${oldest}` : `versions ${oldest} to ${newest}`
  if (offered === undefined) {
    const message = `the broker does not offer ${api}, which Kafka from ${known.since ?? '2.4'} on does; tidemark needs ${wanted}`
    throw new WireError('unsupported', message)
  }
  const version = Math.min(newest, offered.max)
  if (version >= oldest && version >= offered.min) return version
  const fix = offered.min > newest ? 'it is too new, take a newer tidemark' : 'it is too old, take Kafka 2.5 or newer'
  throw new WireError(
    'unsupported',
    `the broker offers ${api} in versions ${offered.min} to ${offered.max}; tidemark needs ${wanted}: ${fix}`,
  )
}
