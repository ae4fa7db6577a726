import type { MetadataAnswer, MetadataRequest } from '../../../connection/requests/metadata.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { describeMetadata, describeUnknown } from './administration.js'

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

  answer(node: number, request: MetadataRequest): MetadataAnswer {
    const view = this.#lagging.get(node)
    if (view === undefined) return describeMetadata(this.cluster, request)
    if (request.topics === null) return view
    const known = new Map(view.topics.map((topic) => [topic.name, topic]))
    return { ...view, topics: request.topics.map((name) => known.get(name) ?? describeUnknown(name)) }
  }
}
