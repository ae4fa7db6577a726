import type { ApiName } from '../connection/requests.js'
import { createPartitions, createTopics, deleteTopics, describeConfigs } from './apis/admin.js'
import type { ApiCodec } from './apis/codec.js'
import { fetch } from './apis/fetch.js'
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from './apis/groups.js'
import { initProducerId } from './apis/init-producer-id.js'
import { listOffsets } from './apis/list-offsets.js'
import { metadata } from './apis/metadata.js'
import { offsetCommit, offsetFetch } from './apis/offsets.js'
import { produce } from './apis/produce.js'
import { WireError } from './wire-error.js'

/** Every API that tidemark speaks: its key, the versions it knows, and their bytes. All brokers from Kafka 2.4 to 4.x overlap. */
export const apis: { readonly [Name in ApiName]: ApiCodec<Name> } = {
  metadata,
  produce,
  initProducerId,
  fetch,
  listOffsets,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  offsetCommit,
  offsetFetch,
  createTopics,
  deleteTopics,
  createPartitions,
  describeConfigs,
}

/** The versions of one API that a broker offers. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

/**
 * The newest version both sides know.
 *
 * @param atLeast the oldest version that can carry what the request asks for.
 * @throws WireError `unsupported` when there is none.
 */
export function negotiate(api: ApiName, offered: VersionRange | undefined, atLeast = 0): number {
  const known = apis[api]
  const oldest = Math.max(known.min, atLeast)
  const wanted = oldest === known.max ? `version ${oldest}` : `versions ${oldest} to ${known.max}`
  if (offered === undefined) {
    throw new WireError('unsupported', `the broker does not offer ${api}; tidemark needs ${wanted}: Kafka 2.4 or newer`)
  }
  const version = Math.min(known.max, offered.max)
  if (version >= oldest && version >= offered.min) return version
  throw new WireError(
    'unsupported',
    `the broker offers ${api} in versions ${offered.min} to ${offered.max}; tidemark needs ${wanted}: Kafka 2.4 or newer`,
  )
}
