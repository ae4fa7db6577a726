/**
 * The requests of Kafka's protocol that tidemark uses, as values. `wire/` turns them into bytes for a real broker; the
 * in-process cluster answers them as they are. Fields follow the protocol's own names; partitions are listed flat.
 * Error codes are Kafka's numbers (`broker-error.ts` names them). Offsets and ids are safe integers.
 */
import type {
  AlterConfigsAnswer,
  AlterConfigsRequest,
  CreatePartitionsAnswer,
  CreatePartitionsRequest,
  CreateTopicsAnswer,
  CreateTopicsRequest,
  DeleteRecordsAnswer,
  DeleteRecordsRequest,
  DeleteTopicsAnswer,
  DeleteTopicsRequest,
  DescribeConfigsAnswer,
  DescribeConfigsRequest,
  ElectLeadersAnswer,
  ElectLeadersRequest,
} from './admin.js'
import type { ApiVersionsAnswer, ApiVersionsRequest } from './api-versions.js'
import type { ConsumerGroupHeartbeatAnswer, ConsumerGroupHeartbeatRequest } from './consumer-groups.js'
import type { FetchAnswer, FetchRequest } from './fetch.js'
import type {
  DeleteGroupsAnswer,
  DeleteGroupsRequest,
  DescribeClassicGroupsRequest,
  DescribeConsumerGroupsRequest,
  DescribeGroupsAnswer,
  DescribeShareGroupsRequest,
  ListGroupsAnswer,
  ListGroupsRequest,
  OffsetDeleteAnswer,
  OffsetDeleteRequest,
} from './group-admin.js'
import type {
  FindCoordinatorAnswer,
  FindCoordinatorRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  JoinGroupAnswer,
  JoinGroupRequest,
  LeaveGroupAnswer,
  LeaveGroupRequest,
  SyncGroupAnswer,
  SyncGroupRequest,
} from './groups.js'
import type { InitProducerIdAnswer, InitProducerIdRequest } from './init-producer-id.js'
import type { ListOffsetsAnswer, ListOffsetsRequest } from './list-offsets.js'
import type {
  DescribeTopicPartitionsAnswer,
  DescribeTopicPartitionsRequest,
  MetadataAnswer,
  MetadataRequest,
} from './metadata.js'
import type { OffsetForLeaderEpochAnswer, OffsetForLeaderEpochRequest } from './offset-for-leader-epoch.js'
import type { OffsetCommitAnswer, OffsetCommitRequest, OffsetFetchAnswer, OffsetFetchRequest } from './offsets.js'
import type { ProduceAnswer, ProduceRequest } from './produce.js'
import type {
  AddOffsetsToTxnAnswer,
  AddOffsetsToTxnRequest,
  AddPartitionsToTxnAnswer,
  AddPartitionsToTxnRequest,
  DescribeProducersAnswer,
  DescribeProducersRequest,
  DescribeTransactionsAnswer,
  DescribeTransactionsRequest,
  EndTxnAnswer,
  EndTxnRequest,
  ListTransactionsAnswer,
  ListTransactionsRequest,
  TxnOffsetCommitAnswer,
  TxnOffsetCommitRequest,
} from './transactions.js'

/** For every API its request and its answer. */
export interface Apis {
  apiVersions: { request: ApiVersionsRequest; answer: ApiVersionsAnswer }
  metadata: { request: MetadataRequest; answer: MetadataAnswer }
  describeTopicPartitions: { request: DescribeTopicPartitionsRequest; answer: DescribeTopicPartitionsAnswer }
  produce: { request: ProduceRequest; answer: ProduceAnswer }
  initProducerId: { request: InitProducerIdRequest; answer: InitProducerIdAnswer }
  fetch: { request: FetchRequest; answer: FetchAnswer }
  listOffsets: { request: ListOffsetsRequest; answer: ListOffsetsAnswer }
  offsetForLeaderEpoch: { request: OffsetForLeaderEpochRequest; answer: OffsetForLeaderEpochAnswer }
  findCoordinator: { request: FindCoordinatorRequest; answer: FindCoordinatorAnswer }
  joinGroup: { request: JoinGroupRequest; answer: JoinGroupAnswer }
  syncGroup: { request: SyncGroupRequest; answer: SyncGroupAnswer }
  heartbeat: { request: HeartbeatRequest; answer: HeartbeatAnswer }
  leaveGroup: { request: LeaveGroupRequest; answer: LeaveGroupAnswer }
  consumerGroupHeartbeat: { request: ConsumerGroupHeartbeatRequest; answer: ConsumerGroupHeartbeatAnswer }
  offsetCommit: { request: OffsetCommitRequest; answer: OffsetCommitAnswer }
  offsetFetch: { request: OffsetFetchRequest; answer: OffsetFetchAnswer }
  listGroups: { request: ListGroupsRequest; answer: ListGroupsAnswer }
  describeGroups: { request: DescribeClassicGroupsRequest; answer: DescribeGroupsAnswer }
  consumerGroupDescribe: { request: DescribeConsumerGroupsRequest; answer: DescribeGroupsAnswer }
  shareGroupDescribe: { request: DescribeShareGroupsRequest; answer: DescribeGroupsAnswer }
  deleteGroups: { request: DeleteGroupsRequest; answer: DeleteGroupsAnswer }
  offsetDelete: { request: OffsetDeleteRequest; answer: OffsetDeleteAnswer }
  createTopics: { request: CreateTopicsRequest; answer: CreateTopicsAnswer }
  deleteTopics: { request: DeleteTopicsRequest; answer: DeleteTopicsAnswer }
  createPartitions: { request: CreatePartitionsRequest; answer: CreatePartitionsAnswer }
  describeConfigs: { request: DescribeConfigsRequest; answer: DescribeConfigsAnswer }
  incrementalAlterConfigs: { request: AlterConfigsRequest; answer: AlterConfigsAnswer }
  deleteRecords: { request: DeleteRecordsRequest; answer: DeleteRecordsAnswer }
  electLeaders: { request: ElectLeadersRequest; answer: ElectLeadersAnswer }
  addPartitionsToTxn: { request: AddPartitionsToTxnRequest; answer: AddPartitionsToTxnAnswer }
  addOffsetsToTxn: { request: AddOffsetsToTxnRequest; answer: AddOffsetsToTxnAnswer }
  txnOffsetCommit: { request: TxnOffsetCommitRequest; answer: TxnOffsetCommitAnswer }
  endTxn: { request: EndTxnRequest; answer: EndTxnAnswer }
  listTransactions: { request: ListTransactionsRequest; answer: ListTransactionsAnswer }
  describeTransactions: { request: DescribeTransactionsRequest; answer: DescribeTransactionsAnswer }
  describeProducers: { request: DescribeProducersRequest; answer: DescribeProducersAnswer }
}
/** Kafka's APIs that are used; more may come. Written out, so that a public type that names one does not carry every request. */
export type ApiName =
  | 'apiVersions'
  | 'metadata'
  | 'describeTopicPartitions'
  | 'produce'
  | 'initProducerId'
  | 'fetch'
  | 'listOffsets'
  | 'offsetForLeaderEpoch'
  | 'findCoordinator'
  | 'joinGroup'
  | 'syncGroup'
  | 'heartbeat'
  | 'leaveGroup'
  | 'consumerGroupHeartbeat'
  | 'offsetCommit'
  | 'offsetFetch'
  | 'listGroups'
  | 'describeGroups'
  | 'consumerGroupDescribe'
  | 'shareGroupDescribe'
  | 'deleteGroups'
  | 'offsetDelete'
  | 'createTopics'
  | 'deleteTopics'
  | 'createPartitions'
  | 'describeConfigs'
  | 'incrementalAlterConfigs'
  | 'deleteRecords'
  | 'electLeaders'
  | 'addPartitionsToTxn'
  | 'addOffsetsToTxn'
  | 'txnOffsetCommit'
  | 'endTxn'
  | 'listTransactions'
  | 'describeTransactions'
  | 'describeProducers'
export type Request = Apis[ApiName]['request']
export type AnswerTo<R extends Request> = Apis[R['api']]['answer']
