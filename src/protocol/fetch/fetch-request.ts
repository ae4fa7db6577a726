import type { FetchRequest } from '../../connection/requests/fetch.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import type { FetchCursor } from './fetch-cursor.js'

/** What these cursors ask one broker for. */
export function fetchRequest(
  cursors: readonly FetchCursor[],
  maxWaitMs: number,
  { fetch, isolation }: Pick<ConsumerSettings, 'fetch' | 'isolation'>,
  rackId: string,
): FetchRequest {
  const { minBytes, maxBytes, partitionMaxBytes } = fetch
  const partitions = cursors.map(({ assigned, topicId, checkedEpoch, position }) => {
    const { topic, partition } = assigned
    const currentLeaderEpoch = checkedEpoch ?? -1
    return { topic, topicId, partition, currentLeaderEpoch, fetchOffset: position, partitionMaxBytes }
  })
  return { api: 'fetch', maxWaitMs, minBytes, maxBytes, isolation, rackId, partitions }
}

/**
 * How long a broker may wait for records. A paused partition cannot be asked for before the answer is there, so that is
 * no longer than it has been paused already: a short pause is not made long, a long one costs few requests.
 *
 * @param cursors all that are fetched from the broker.
 */
export function patience(cursors: readonly FetchCursor[], maxWaitMs: number, now: number): number {
  let waitMs = maxWaitMs
  for (const { pausedAt, health } of cursors) {
    if (pausedAt !== null && health.kind === 'ready' && now - pausedAt < waitMs) waitMs = now - pausedAt
  }
  return Math.max(1, waitMs)
}
