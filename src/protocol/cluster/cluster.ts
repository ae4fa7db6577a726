import { brokerCode } from '../../connection/broker-error.js'
import type { Connection } from '../../connection/connection.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { FindCoordinatorRequest } from '../../connection/requests/groups.js'
import type {
  LeaderHint,
  MetadataAnswer,
  PartitionMetadata,
  TopicMetadata,
} from '../../connection/requests/metadata.js'
import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { identityText } from '../../offsets/log-identity.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import { withBrokerHealth } from './broker-health.js'
import { BrokerRotation } from './broker-rotation.js'
import { Coordinators } from './coordinators.js'
import { withLeaderHints, type HintedLeader } from './leader-hints.js'
import { MetadataCache } from './metadata-cache.js'
import { MetadataRefresher } from './metadata-refresher.js'
import { withSecondOpinion } from './second-opinion.js'

export interface ClusterSettings extends Telemetry {
  /** Silence of one broker after which a request counts as lost. */
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
}

const nobody: LeaderHint = { leader: -1, leaderEpoch: -1 }

/** One client's view of the cluster over its own connection: who leads what, who coordinates whom, and whom to ask. */
export class Cluster {
  readonly connection: Connection
  readonly #cache = new MetadataCache()
  readonly #rotation: BrokerRotation
  readonly #refresher: MetadataRefresher
  readonly #coordinators: Coordinators
  readonly #requestTimeoutMs: number
  readonly #runtime: Runtime
  readonly #telemetry: Telemetry
  readonly #closed = new AbortController()
  #state: 'new' | 'connected' = 'new'

  constructor(connection: Connection, runtime: Runtime, settings: ClusterSettings) {
    const knownBrokers = () => this.#cache.brokers
    const told = withBrokerHealth(connection, settings, knownBrokers)
    const hinted = withLeaderHints(told, (hints) => this.#hinted(hints))
    this.connection = withSecondOpinion(hinted, () => this.#refreshSoon())
    this.#telemetry = settings
    this.#runtime = runtime
    this.#requestTimeoutMs = settings.requestTimeoutMs
    this.#rotation = new BrokerRotation(
      told,
      runtime,
      { brokers: knownBrokers, clusterId: () => this.#cache.clusterId },
      this.#closed.signal,
    )
    this.#coordinators = new Coordinators(this.#rotation, runtime, settings.requestTimeoutMs)
    this.#refresher = new MetadataRefresher(this.#cache, this.#rotation, runtime, {
      logger: settings.logger,
      maxAgeMs: settings.metadataMaxAgeMs,
    })
  }

  /** Finds the brokers. */
  async connect(deadline: number): Promise<void> {
    await this.refresh([], deadline)
  }

  /** As last told; check `errorCode`. `undefined` until asked for. */
  topic(name: string): TopicMetadata | undefined {
    return this.#cache.topic(name)
  }

  /** Brokers disagree whether the topic was made anew: what is known of it may be of a former one, or of a later one. */
  isDisputed(topic: string): boolean {
    return this.#cache.isDisputed(topic)
  }

  /** Which log the offsets of a topic count in, as far as brokers tell. */
  logOf(topic: string, topicId = this.#cache.topic(topic)?.topicId ?? null): string {
    return identityText({ clusterId: this.#cache.clusterId ?? '', topicId: topicId ?? '' })
  }

  /** Of the brokers that are up, each once. */
  get racks(): readonly string[] {
    return this.#cache.racks
  }

  /** Whom to ask about a partition; `leader` is -1 while nobody knows. */
  leaderOf({ topic, partition }: TopicPartition): LeaderHint {
    return this.#cache.partition(topic, partition) ?? nobody
  }

  /** `leader` is -1 while there is none. */
  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.#cache.partition(topic, partition)
  }

  /** Resolves once an answer asked for after this call was taken in. Rejects when no broker answered until `deadline`. */
  async refresh(topics: readonly string[], deadline: number): Promise<void> {
    await this.#refresher.refresh(topics, deadline)
    if (this.#state === 'connected') return
    this.#state = 'connected'
    const { brokers, clusterId } = this.#cache
    tell(this.#telemetry, { kind: 'connected', clusterId, brokers })
  }

  /** Takes in an answer that was asked for on another account, as to topics of which nothing is known yet: nobody asks again. */
  learn(answer: MetadataAnswer): void {
    const isNew = ({ name, errorCode }: TopicMetadata) =>
      errorCode === brokerCode.NONE && this.#cache.topic(name) === undefined
    this.#cache.take({ ...answer, topics: answer.topics.filter(isNew) })
  }

  /** Asks in the background until every leader of `topic` is known. */
  noteStale(topic: string): void {
    this.#refresher.noteStale(topic)
  }

  /**
   * The broker that was taken for the leader of a partition does not serve it: asks in the background until brokers name
   * another one, or the same in a later epoch, or `leaderServes`.
   */
  leaderLost(place: TopicPartition, leader: LeaderHint): void {
    this.#refresher.leaderLost(place, leader)
  }

  /** After `leaderLost`: it serves after all, so nobody is looked for any more. */
  leaderServes(place: TopicPartition): void {
    this.#refresher.leaderServes(place)
  }

  /** Called after every metadata answer, and when a broker has named another leader; returns how to stop that. */
  onChange(listener: () => void): () => void {
    return this.#cache.onChange(listener)
  }

  /** Asks brokers in turn until one answers. Only for requests that may be carried out twice. */
  async anyBroker<R extends Request>(request: R, deadline: number, signal?: AbortSignal): Promise<AnswerTo<R>> {
    return this.#rotation.ask(request, deadline, this.#requestTimeoutMs, signal)
  }

  /** One attempt at the controller; NOT_CONTROLLER in the answer means `refresh([])` and ask again. */
  async controller<R extends Request>(request: R, deadline: number, signal?: AbortSignal): Promise<AnswerTo<R>> {
    if (this.#cache.controllerId < 0) await this.#refresher.refresh([], deadline)
    return this.connection.request(this.#cache.controllerId, 'main', request, this.#attemptUntil(deadline), signal)
  }

  /** One attempt at one broker, for what each knows by itself. */
  async broker<R extends Request>(node: number, request: R, deadline: number): Promise<AnswerTo<R>> {
    return this.connection.request(node, 'metadata', request, this.#attemptUntil(deadline))
  }

  async coordinator(
    key: string,
    keyType: FindCoordinatorRequest['keyType'],
    deadline: number,
    signal?: AbortSignal,
  ): Promise<number> {
    return this.#coordinators.find(key, keyType, deadline, signal)
  }

  forgetCoordinator(key: string, keyType: FindCoordinatorRequest['keyType']): void {
    this.#coordinators.forget(key, keyType)
  }

  #attemptUntil(deadline: number): number {
    return Math.min(deadline, this.#runtime.clock.now() + this.#requestTimeoutMs)
  }

  /** What was told by the way is confirmed by metadata. */
  #hinted(hints: readonly HintedLeader[]): void {
    for (const topic of this.#cache.takeHints(hints)) this.noteStale(topic)
  }

  async #refreshSoon(): Promise<void> {
    await this.#refresher.refresh([], this.#runtime.clock.now() + this.#requestTimeoutMs)
  }

  /** No timer is left: who waits to ask again asks now, and learns that the connection is closed. */
  async close(): Promise<void> {
    this.#telemetry.troubles?.forget('broker-silent')
    this.#refresher.close()
    const closed = this.connection.close()
    this.#closed.abort(new DriverError('closed', 'the client was closed'))
    await closed
  }
}
