import type { Broker } from '../../../connection/requests/metadata.js'
import { brokerAddress } from './broker-address.js'
import type { ClusterState } from './cluster-state.js'

/** Which broker coordinates what: a name gives it its place, until it is moved. */
export class CoordinatorPlaces {
  /** What was moved away from where its name puts it. */
  readonly #movedTo = new Map<string, number>()

  constructor(private readonly cluster: ClusterState) {}

  /** Whether it is up or not. */
  of(name: string): number {
    return this.#movedTo.get(name) ?? hashOf(name) % this.cluster.settings.brokers
  }

  /** `undefined` while its broker is taken for dead. */
  addressOf(name: string): Broker | undefined {
    const node = this.of(name)
    return this.cluster.registeredNodes.includes(node) ? brokerAddress(node, this.cluster.rackOf(node)) : undefined
  }

  /** To `node`, else to the next that is up; false when there is none. */
  move(name: string, node: number | undefined = this.#nextUp(this.of(name))): boolean {
    if (node === undefined) return false
    this.#movedTo.set(name, node)
    return true
  }

  #nextUp(from: number): number | undefined {
    const { brokers } = this.cluster.settings
    for (let step = 1; step < brokers; step += 1) {
      const node = (from + step) % brokers
      if (this.cluster.isUp(node)) return node
    }
    return undefined
  }
}

/** Any stable spread does (FNV-1a). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash
}
