import type { FetchPartition, FetchRequest } from '../../connection/requests/fetch.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Asked, FetchCursor, Question } from './fetch-cursor.js'
import { askedPlaces, fetchRequest, patience } from './fetch-request.js'
import { FetchSession } from './fetch-session.js'

interface NextFetch {
  readonly asked: ReadonlyMap<string, Asked>
  readonly request: FetchRequest
  /** `null`: the request stands alone. */
  readonly session: FetchSession | null
}

/** Which broker each partition is fetched from, and what one request asks it for. */
export class ReadSources {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: ConsumeContext['settings']
  /** By broker. */
  readonly #sessions = new Map<number, FetchSession>()
  readonly #places = new WeakMap<ReadonlyMap<string, Asked>, ReadonlyMap<string, FetchPartition>>()

  constructor({ cluster, runtime, settings }: ConsumeContext) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
  }

  /** Whom to ask; -1 while nobody knows. */
  of({ assigned, source }: FetchCursor): number {
    return source.node(this.#cluster.leaderOf(assigned), this.#runtime.clock.now())
  }

  /**
   * What of `due` is asked of `node` next, and how. A request says where the reader is, or not, for all its partitions: as
   * long as one is with its leader alone, it is not said. Those that may be sent elsewhere are then asked for apart, once,
   * without a wait and outside the session, so that what one follower fails at keeps no other partition from being read nearby.
   *
   * @param due the same object again when nothing of it has changed
   * @param paused all that are
   */
  next(node: number, due: ReadonlyMap<string, Asked>, paused: Iterable<FetchCursor>): NextFetch {
    const { rackId, fetch } = this.#settings
    const now = this.#runtime.clock.now()
    if (rackId === undefined) {
      const maxWaitMs = this.#patience(node, paused, now)
      return this.#inSession(node, due, maxWaitMs, '')
    }
    const isMixed = !cursorsOf(due).every(({ source }) => source.mayFollow(now))
    const apart = isMixed ? [...due].filter(([, { partition }]) => partition.source.isUnsettled(now)) : []
    const asked = apart.length > 0 ? new Map(apart) : due
    const isTold = !isMixed || apart.length > 0
    if (isTold) for (const { source } of cursorsOf(asked)) source.settle(now + this.#settings.metadataMaxAgeMs)
    if (apart.length > 0) {
      const partitions = [...askedPlaces(asked, fetch).values()]
      return { asked, request: fetchRequest({ partitions }, 1, this.#settings, rackId), session: null }
    }
    const maxWaitMs = this.#patience(node, paused, now)
    return this.#inSession(node, asked, maxWaitMs, isTold ? rackId : '')
  }

  #inSession(node: number, asked: ReadonlyMap<string, Asked>, maxWaitMs: number, rackId: string): NextFetch {
    let session = this.#sessions.get(node)
    if (session === undefined) this.#sessions.set(node, (session = new FetchSession()))
    const next = session.next(this.#placesOf(asked))
    return { asked, request: fetchRequest(next, maxWaitMs, this.#settings, rackId), session }
  }

  /** A leader's answer named a follower, or none. */
  named({ partition, leader }: Question, node: number): 'stays' | 'follows' | 'failed-lately' {
    const now = this.#runtime.clock.now()
    return partition.source.named(node, leader, now, now + this.#settings.metadataMaxAgeMs)
  }

  followerFailed({ partition, node }: Question, reason: string): void {
    const { topic, partition: number } = partition.assigned
    this.#settings.logger.debug({ topic, partition: number, node, reason }, 'a follower failed; the leader is asked')
    partition.source.followerFailed(node, this.#runtime.clock.now(), this.#settings.metadataMaxAgeMs)
  }

  #placesOf(asked: ReadonlyMap<string, Asked>): ReadonlyMap<string, FetchPartition> {
    let places = this.#places.get(asked)
    if (places === undefined) this.#places.set(asked, (places = askedPlaces(asked, this.#settings.fetch)))
    return places
  }

  #patience(node: number, paused: Iterable<FetchCursor>, now: number): number {
    return patience(paused, (cursor) => this.of(cursor) === node, this.#settings.fetch.maxWaitMs, now)
  }
}

function cursorsOf(asked: ReadonlyMap<string, Asked>): FetchCursor[] {
  return [...asked.values()].map(({ partition }) => partition)
}
