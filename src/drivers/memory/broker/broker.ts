import type { ApiName, Apis, Request } from '../../../connection/requests/apis.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'
import type { TransactionCoordinators } from '../transactions/transaction-coordinators.js'
import {
  alterConfigs,
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  describeConfigs,
  describeTopicPartitions,
  describeVersions,
  electLeaders,
} from './administration.js'
import { fetch } from './fetch.js'
import { FetchSessions } from './fetch-sessions.js'
import { deleteGroups, deleteOffsets, describeGroups, listGroups } from './groups.js'
import { listOffsets } from './list-offsets.js'
import type { MetadataViews } from './metadata-views.js'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.js'
import { produce } from './produce.js'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  describeProducers,
  describeTransactions,
  endTxn,
  initProducerId,
  listTransactions,
  txnOffsetCommit,
} from './transactions.js'

export type AnyAnswer = Apis[ApiName]['answer']
export type Reply = (answer: AnyAnswer) => void

/**
 * One broker's answers. It keeps no state of its own but what readers ask it for: logs and groups belong to the cluster,
 * `node` says what it leads.
 */
export class Broker {
  readonly #fetchSessions: FetchSessions

  constructor(
    readonly node: number,
    private readonly cluster: ClusterState,
    private readonly groups: GroupCoordinators,
    private readonly transactions: TransactionCoordinators,
    private readonly views: MetadataViews,
  ) {
    this.#fetchSessions = new FetchSessions(cluster, node)
  }

  /** Carries out a request and replies once, now or later. */
  handle(request: Request, clientId: string, reply: Reply): void {
    const { node, cluster, groups, transactions } = this
    switch (request.api) {
      case 'apiVersions':
        reply(describeVersions(cluster))
        break
      case 'produce':
        produce(cluster, transactions, node, request, (answer) => reply(this.views.withHints(node, answer)))
        break
      case 'fetch':
        fetch(cluster, this.#fetchSessions, node, request, (answer) => reply(this.views.withHints(node, answer)))
        break
      case 'metadata':
        reply(this.views.answer(node, request))
        break
      case 'describeTopicPartitions':
        reply(describeTopicPartitions(cluster, request))
        break
      case 'initProducerId':
        initProducerId(cluster, transactions, node, request, reply)
        break
      case 'listOffsets':
        reply(listOffsets(cluster, node, request))
        break
      case 'offsetForLeaderEpoch':
        reply(offsetForLeaderEpoch(cluster, node, request))
        break
      case 'findCoordinator':
        reply(request.keyType === 'transaction' ? transactions.find(request) : groups.find(request))
        break
      case 'joinGroup':
        groups.join(node, request, clientId, reply)
        break
      case 'syncGroup':
        groups.sync(node, request, reply)
        break
      case 'heartbeat':
        reply(groups.heartbeat(node, request))
        break
      case 'leaveGroup':
        reply(groups.leave(node, request))
        break
      case 'consumerGroupHeartbeat':
        reply(groups.heartbeatOfConsumer(node, request, clientId))
        break
      case 'offsetCommit':
        reply(groups.commit(node, request))
        break
      case 'offsetFetch':
        reply(groups.fetchOffsets(node, request))
        break
      case 'listGroups':
        reply(listGroups(groups, node, request))
        break
      case 'describeGroups':
      case 'consumerGroupDescribe':
      case 'shareGroupDescribe':
        reply(describeGroups(cluster, groups, node, request))
        break
      case 'deleteGroups':
        reply(deleteGroups(groups, node, request))
        break
      case 'offsetDelete':
        reply(deleteOffsets(groups, node, request))
        break
      case 'createTopics':
        reply(createTopics(cluster, node, request))
        break
      case 'deleteTopics':
        reply(deleteTopics(cluster, node, request, (topic) => groups.forgetTopic(topic)))
        break
      case 'createPartitions':
        reply(createPartitions(cluster, node, request))
        break
      case 'describeConfigs':
        reply(describeConfigs(cluster, node, request))
        break
      case 'incrementalAlterConfigs':
        reply(alterConfigs(cluster, request))
        break
      case 'deleteRecords':
        reply(deleteRecords(cluster, node, request))
        break
      case 'electLeaders':
        reply(electLeaders(cluster, node, request))
        break
      case 'addPartitionsToTxn':
        addPartitionsToTxn(cluster, transactions, node, request, reply)
        break
      case 'addOffsetsToTxn':
        addOffsetsToTxn(transactions, node, request, reply)
        break
      case 'txnOffsetCommit':
        txnOffsetCommit(cluster, groups, transactions, node, request, reply)
        break
      case 'endTxn':
        endTxn(transactions, node, request, reply)
        break
      case 'listTransactions':
        reply(listTransactions(transactions, node, request))
        break
      case 'describeTransactions':
        reply(describeTransactions(cluster, transactions, node, request))
        break
      case 'describeProducers':
        reply(describeProducers(cluster, node, request))
        break
    }
  }
}
