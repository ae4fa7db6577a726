import { brokerCode } from '../../../connection/broker-error.js'
import type { Broker, LeaderHint, MetadataAnswer, MetadataRequest } from '../../../connection/requests/metadata.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { brokerAddress } from '../cluster/broker-address.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { describeMetadata, describeUnknown } from './administration.js'

interface HintingAnswer {
  readonly partitions: readonly (TopicPartition & {
    readonly errorCode: number
    readonly currentLeader?: LeaderHint | undefined
  })[]
  readonly nodeEndpoints?: readonly Broker[] | undefined
}

function isOfLeadership(errorCode: number): boolean {
  return errorCode === brokerCode.NOT_LEADER_OR_FOLLOWER || errorCode === brokerCode.FENCED_LEADER_EPOCH
}

/** What each broker knows of topics and leaders: the truth, unless it lags, then what was true when it began to. */
export class MetadataViews {
  readonly #lagging = new Map<number, MetadataAnswer>()

  constructor(private readonly cluster: ClusterState) {}

  /** The broker hears of no change any more, until it catches up. */
  lag(node: number): void {
    if (!this.#lagging.has(node))
      this.#lagging.set(node, describeMetadata(this.cluster, { api: 'metadata', topics: null }))
  }

  catchUp(node: number): void {
    this.#lagging.delete(node)
  }

  /** Whom the broker takes for the leader of a partition that it does not lead; `undefined` when it knows none. */
  hint(node: number, { topic, partition }: TopicPartition): LeaderHint | undefined {
    const view = this.#lagging.get(node)
    const known =
      view === undefined
        ? this.cluster.partition(topic, partition)
        : view.topics.find(({ name }) => name === topic)?.partitions[partition]
    if (known === undefined || known.leader < 0) return undefined
    return { leader: known.leader, leaderEpoch: known.leaderEpoch }
  }

  /** With the leaders of what the broker does not lead, as Kafka from 3.7 on tells them. */
  withHints<Answer extends HintingAnswer>(node: number, answer: Answer): Answer {
    if (!answer.partitions.some(({ errorCode }) => isOfLeadership(errorCode))) return answer
    const partitions = answer.partitions.map((each) =>
      isOfLeadership(each.errorCode) ? { ...each, currentLeader: this.hint(node, each) } : each,
    )
    const leaders = new Set(partitions.flatMap(({ currentLeader }) => currentLeader?.leader ?? []))
    return {
      ...answer,
      partitions,
      nodeEndpoints: [...leaders].map((leader) => brokerAddress(leader, this.cluster.rackOf(leader))),
    }
  }

  answer(node: number, request: MetadataRequest): MetadataAnswer {
    const view = this.#lagging.get(node)
    if (view === undefined) return describeMetadata(this.cluster, request)
    if (request.topics === null) return view
    const known = new Map(view.topics.map((topic) => [topic.name, topic]))
    return { ...view, topics: request.topics.map((name) => known.get(name) ?? describeUnknown(name)) }
  }
}
