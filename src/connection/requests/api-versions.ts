import type { Throttled, WithError } from './answer.js'

/** The handshake's question; later it tells what the cluster has switched on meanwhile. */
export interface ApiVersionsRequest {
  readonly api: 'apiVersions'
}
export interface OfferedVersions {
  readonly apiKey: number
  readonly min: number
  readonly max: number
}
export interface FinalizedFeature {
  readonly name: string
  readonly minLevel: number
  readonly maxLevel: number
}
export interface ApiVersionsAnswer extends Throttled, WithError {
  readonly offered: readonly OfferedVersions[]
  /** What the whole cluster has agreed on, such as `group.version` and `transaction.version`. Empty before Kafka 2.7. */
  readonly finalizedFeatures: readonly FinalizedFeature[]
  /** Rises with every change of the features; -1 when the broker does not know them, so that nothing can be said. */
  readonly finalizedFeaturesEpoch: number
}
