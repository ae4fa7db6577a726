import type { ConsumerSettings } from '../../driver/consumer.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from './cluster.js'

/** What the parts of one client share; each names the settings that it needs. */
export interface ClientContext<Settings> {
  readonly cluster: Cluster
  readonly runtime: Runtime
  readonly settings: Settings
}

/** All that a consumer by pattern knows of the topics of its cluster. */
export interface KnownTopics {
  /** Asks for all topics now. Rejects when no broker answered until `deadline`. */
  look(deadline: number): Promise<void>
  /** It exists, and the consumer does not read it. */
  isOther(topicId: string): boolean
}

/** What the parts of one consumer share. */
export interface ConsumeContext extends ClientContext<ConsumerSettings> {
  /** `settings.topics` are others now; returns how to stop hearing of it. Missing: they never change. */
  readonly onTopicsChange?: ((listener: () => void) => () => void) | undefined
  /** Of a consumer that reads by pattern. */
  readonly known?: KnownTopics | undefined
}
