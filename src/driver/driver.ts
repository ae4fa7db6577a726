import type { Compression } from '../connection/requests/produce.js'
import type { Runtime } from '../runtime/runtime.js'
import type { DriverAdmin } from './admin.js'
import type { ClientSettings } from './client-settings.js'
import type { ConsumerListener, ConsumerSettings, DriverConsumer } from './consumer.js'
import type { DriverProducer, ProducerSettings } from './producer.js'

/**
 * What tidemark needs from a Kafka client. `protocol/` implements it over any `Connection`; another client may
 * implement it directly. Keys and values are `Buffer | null`, headers ordered pairs, offsets safe
 * integers, times milliseconds. No method creates a topic by the way, commits by itself, or calls back after `close`.
 */
export interface Driver {
  readonly name: string
  /** Why records cannot be written with this compression, and what to do; `null` when they can. Missing: all can. */
  readonly compressionProblem?: ((compression: Compression) => string | null) | undefined
  /** Time and chance of everything built on this driver. */
  readonly runtime: Runtime
  createProducer(settings: ProducerSettings): DriverProducer
  createConsumer(settings: ConsumerSettings, listener: ConsumerListener): DriverConsumer
  createAdmin(settings: ClientSettings): DriverAdmin
}
