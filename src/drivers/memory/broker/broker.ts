import { brokerCode } from '../../../connection/broker-error.js'
import type { AnswerTo, ApiName, Apis, Request } from '../../../connection/requests/apis.js'
import type { InitProducerIdRequest } from '../../../connection/requests/init-producer-id.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'
import { createPartitions, createTopics, deleteTopics, describeConfigs, describeVersions } from './administration.js'
import { fetch } from './fetch.js'
import { listOffsets } from './list-offsets.js'
import type { MetadataViews } from './metadata-views.js'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.js'
import { produce } from './produce.js'

export type AnyAnswer = Apis[ApiName]['answer']
export type Reply = (answer: AnyAnswer) => void

/** One broker's answers. It keeps no state of its own: logs and groups belong to the cluster, `node` says what it leads. */
export class Broker {
  constructor(
    readonly node: number,
    private readonly cluster: ClusterState,
    private readonly groups: GroupCoordinators,
    private readonly views: MetadataViews,
  ) {}

  /** Carries out a request and replies once, now or later. */
  handle(request: Request, clientId: string, reply: Reply): void {
    const { node, cluster, groups } = this
    switch (request.api) {
      case 'apiVersions':
        reply(describeVersions())
        break
      case 'produce':
        produce(cluster, node, request, reply)
        break
      case 'fetch':
        fetch(cluster, node, request, reply)
        break
      case 'metadata':
        reply(this.views.answer(node, request))
        break
      case 'initProducerId':
        reply(this.#initProducerId(request))
        break
      case 'listOffsets':
        reply(listOffsets(cluster, node, request))
        break
      case 'offsetForLeaderEpoch':
        reply(offsetForLeaderEpoch(cluster, node, request))
        break
      case 'findCoordinator':
        reply(groups.find(request))
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
      case 'offsetCommit':
        reply(groups.commit(node, request))
        break
      case 'offsetFetch':
        reply(groups.fetchOffsets(node, request))
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
    }
  }

  #initProducerId(request: InitProducerIdRequest): AnswerTo<InitProducerIdRequest> {
    // Transactions are not part of this cluster yet.
    if (request.transactionalId !== null) {
      return { throttleTimeMs: 0, errorCode: brokerCode.UNSUPPORTED_VERSION, producerId: -1, producerEpoch: -1 }
    }
    return {
      throttleTimeMs: 0,
      errorCode: brokerCode.NONE,
      producerId: this.cluster.takeProducerId(),
      producerEpoch: 0,
    }
  }
}
