import { pause } from '../../runtime/pause.js'
import type { Logger } from '../../telemetry/logger.js'
import type { ClientContext } from './client-context.js'
import type { Cluster } from './cluster.js'

/** While a subscribed topic does not exist it is looked for more often. */
const missingTopicCheckMs = 2_000

type WatchContext = ClientContext<{
  readonly logger: Logger
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
}>

/** How many partitions each topic has, as far as it is known to exist. */
export function partitionCounts(cluster: Cluster, topics: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of topics) {
    const count = cluster.topic(name)?.partitions.length ?? 0
    if (count > 0) counts.set(name, count)
  }
  return counts
}

/**
 * Resolves when a topic has another number of partitions than in `known`, or was missing there and exists now. A topic
 * that cannot be seen at the moment has not changed. Rejects when `signal` aborts.
 */
export async function partitionCountsChanged(
  { cluster, runtime, settings }: WatchContext,
  topics: readonly string[],
  known: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = runtime
  const differs = () => [...partitionCounts(cluster, topics)].some(([topic, count]) => known.get(topic) !== count)
  const seen = new AbortController()
  const stopWatching = cluster.onChange(() => {
    if (differs()) seen.abort()
  })
  const either = AbortSignal.any([signal, seen.signal])
  try {
    while (!differs()) {
      const isMissing = topics.some((topic) => !known.has(topic))
      const { metadataMaxAgeMs } = settings
      await pause(clock, isMissing ? Math.min(missingTopicCheckMs, metadataMaxAgeMs) : metadataMaxAgeMs, either)
      if (signal.aborted) throw signal.reason
      if (differs()) return
      await cluster.refresh(topics, clock.now() + settings.requestTimeoutMs).catch((failure: unknown) => {
        settings.logger.debug(
          { topics, error: String(failure) },
          'looking for new partitions failed; tried again later',
        )
      })
      if (signal.aborted) throw signal.reason
    }
  } finally {
    stopWatching()
  }
}
