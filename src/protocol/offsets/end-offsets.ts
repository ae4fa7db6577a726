import type { FetchedPartition } from '../../connection/requests/fetch.js'
import type { AssignedPartition, ConsumerSettings, KnownEnd } from '../../driver/consumer.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { pause } from '../../runtime/pause.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from '../cluster/cluster.js'
import { latest, lookUpOffsets } from './look-up.js'

type EndOffsetSettings = Pick<ConsumerSettings, 'fetch' | 'isolation' | 'requestTimeoutMs' | 'logger'>

/** What is older than this, beside the time a fetch may wait, is asked for. */
const maxAgeMs = 5_000
const checkMs = 2_500

/**
 * Where the logs of our partitions end: of what may be read under the isolation level. Fetches tell it in passing; what
 * is not fetched, because it is paused or its broker is in trouble, is asked for every few seconds, each broker once.
 */
export class EndOffsets {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: EndOffsetSettings
  readonly #assigned: () => readonly AssignedPartition[]
  readonly #known = new Map<string, KnownEnd>()
  #followed: AbortSignal | null = null

  constructor(
    cluster: Cluster,
    runtime: Runtime,
    settings: EndOffsetSettings,
    assigned: () => readonly AssignedPartition[],
  ) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#assigned = assigned
  }

  /** `null` until a broker has told it. */
  of({ topic, partition }: TopicPartition): KnownEnd | null {
    return this.#known.get(partitionKey(topic, partition)) ?? null
  }

  /** From an answer without an error. */
  seen({ topic, partition, highWatermark, lastStableOffset }: FetchedPartition): void {
    const offset = this.#settings.isolation === 'read-committed' ? lastStableOffset : highWatermark
    this.#known.set(partitionKey(topic, partition), { offset, at: this.#runtime.clock.now() })
  }

  /** Keeps the ends of what is assigned known until `tenure` aborts; no timer is left then. Never rejects. */
  async follow(tenure: AbortSignal): Promise<void> {
    if (this.#followed === tenure) return
    this.#followed = tenure
    this.#known.clear()
    while (!tenure.aborted) {
      await pause(this.#runtime.clock, checkMs, tenure)
      if (!tenure.aborted) await this.#askForOld(tenure)
    }
  }

  async #askForOld(tenure: AbortSignal): Promise<void> {
    const { clock } = this.#runtime
    const askedAt = clock.now()
    const oldest = askedAt - maxAgeMs - this.#settings.fetch.maxWaitMs
    const old = this.#assigned().filter((partition) => (this.of(partition)?.at ?? -Infinity) < oldest)
    if (old.length === 0) return
    try {
      const context = { cluster: this.#cluster, runtime: this.#runtime, ...this.#settings }
      const questions = old.map(({ topic, partition }) => ({ topic, partition, timestamp: latest }))
      const findings = await lookUpOffsets(context, questions, askedAt + this.#settings.requestTimeoutMs, tenure)
      for (const [index, finding] of findings.entries()) {
        const place = old[index]
        if (place === undefined || finding.kind !== 'found' || tenure.aborted) continue
        // A fetch that came meanwhile knows better.
        if ((this.of(place)?.at ?? -Infinity) < askedAt) {
          this.#known.set(partitionKey(place.topic, place.partition), { offset: finding.offset, at: clock.now() })
        }
      }
    } catch (failure) {
      // Nothing rests on it but the lag, whose age can be seen.
      this.#settings.logger.warn({ error: String(failure) }, 'looking up the ends of logs failed; tried again later')
    }
  }
}
