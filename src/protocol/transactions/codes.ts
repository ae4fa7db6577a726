import { judgeBy } from '../../connection/verdicts.js'

/** What the codes of the coordinators' answers mean for whoever asked. Unlisted codes claim nothing. */

/**
 * - `repeat`: nothing was done; the same again helps.
 * - `look-up`: somebody else coordinates, or nobody knows who; it may have been carried out all the same.
 * - `fenced`: the coordinator knows another owner, another epoch, or nothing of us any more.
 * - `refused`: asking again cannot help.
 */
export type InitVerdict = 'given' | 'repeat' | 'look-up' | 'fenced' | 'refused'

export const judgeInit = judgeBy<InitVerdict>(
  {
    NONE: 'given',
    // A transition is under way: mostly the predecessor's transaction that is being aborted.
    CONCURRENT_TRANSACTIONS: 'repeat',
    COORDINATOR_LOAD_IN_PROGRESS: 'repeat',
    REQUEST_TIMED_OUT: 'repeat',
    UNKNOWN_SERVER_ERROR: 'repeat',
    THROTTLING_QUOTA_EXCEEDED: 'repeat',
    NOT_COORDINATOR: 'look-up',
    COORDINATOR_NOT_AVAILABLE: 'look-up',
    NETWORK_EXCEPTION: 'look-up',
    INVALID_PRODUCER_EPOCH: 'fenced',
    PRODUCER_FENCED: 'fenced',
    INVALID_PRODUCER_ID_MAPPING: 'fenced',
  },
  'refused',
)

/** Of AddPartitionsToTxn and AddOffsetsToTxn. `abort`: this transaction cannot go on, the next one can. */
export type JoinVerdict = 'joined' | 'repeat' | 'look-up' | 'abort'

export const judgeJoin = judgeBy<JoinVerdict>(
  {
    NONE: 'joined',
    CONCURRENT_TRANSACTIONS: 'repeat',
    COORDINATOR_LOAD_IN_PROGRESS: 'repeat',
    UNKNOWN_TOPIC_OR_PARTITION: 'repeat',
    REQUEST_TIMED_OUT: 'repeat',
    THROTTLING_QUOTA_EXCEEDED: 'repeat',
    NOT_COORDINATOR: 'look-up',
    COORDINATOR_NOT_AVAILABLE: 'look-up',
    NETWORK_EXCEPTION: 'look-up',
  },
  'abort',
)

/** Of TxnOffsetCommit: as `JoinVerdict`, by the group's coordinator. What the group refuses ends the transaction. */
export const judgeOffsets = judgeBy<JoinVerdict>(
  {
    NONE: 'joined',
    CONCURRENT_TRANSACTIONS: 'repeat',
    COORDINATOR_LOAD_IN_PROGRESS: 'repeat',
    UNKNOWN_TOPIC_OR_PARTITION: 'repeat',
    THROTTLING_QUOTA_EXCEEDED: 'repeat',
    NOT_COORDINATOR: 'look-up',
    COORDINATOR_NOT_AVAILABLE: 'look-up',
    REQUEST_TIMED_OUT: 'look-up',
    NETWORK_EXCEPTION: 'look-up',
  },
  'abort',
)

/**
 * - `wait`: nothing was decided by this attempt; an earlier one may be under way.
 * - `repeat`, `look-up`: it may have been carried out.
 * - `not-open`: there is no such transaction to end so: it was ended already, and not by us, or nothing had joined it.
 * - `abortable`: it can only be aborted.
 */
export type EndVerdict = 'ended' | 'wait' | 'repeat' | 'look-up' | 'not-open' | 'abortable' | 'fenced' | 'refused'

export const judgeEnd = judgeBy<EndVerdict>(
  {
    NONE: 'ended',
    CONCURRENT_TRANSACTIONS: 'wait',
    COORDINATOR_LOAD_IN_PROGRESS: 'wait',
    THROTTLING_QUOTA_EXCEEDED: 'wait',
    // The coordinator may have written it down before it lost its place.
    NOT_COORDINATOR: 'look-up',
    COORDINATOR_NOT_AVAILABLE: 'look-up',
    NETWORK_EXCEPTION: 'look-up',
    INVALID_TXN_STATE: 'not-open',
    TRANSACTION_ABORTABLE: 'abortable',
    INVALID_PRODUCER_EPOCH: 'fenced',
    PRODUCER_FENCED: 'fenced',
    INVALID_PRODUCER_ID_MAPPING: 'fenced',
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'refused',
    CLUSTER_AUTHORIZATION_FAILED: 'refused',
    UNSUPPORTED_VERSION: 'refused',
    INVALID_REQUEST: 'refused',
  },
  'repeat',
)

/** Of DescribeTransactions. */
export type DescribeVerdict = 'described' | 'not-known' | 'repeat' | 'look-up' | 'refused'

export const judgeDescribe = judgeBy<DescribeVerdict>(
  {
    NONE: 'described',
    TRANSACTIONAL_ID_NOT_FOUND: 'not-known',
    COORDINATOR_LOAD_IN_PROGRESS: 'repeat',
    UNKNOWN_SERVER_ERROR: 'repeat',
    NOT_COORDINATOR: 'look-up',
    COORDINATOR_NOT_AVAILABLE: 'look-up',
    NETWORK_EXCEPTION: 'look-up',
  },
  'refused',
)
