import type { FetchPartition, FetchRequest } from '../../connection/requests/fetch.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import type { Asked, FetchCursor } from './fetch-cursor.js'

/** What is asked of each partition, under the same keys. */
export function askedPlaces(
  asked: ReadonlyMap<string, Asked>,
  { partitionMaxBytes }: ConsumerSettings['fetch'],
): Map<string, FetchPartition> {
  const places = new Map<string, FetchPartition>()
  for (const [key, { partition: cursor }] of asked) {
    const { topicId, checkedEpoch, position } = cursor
    const { topic, partition } = cursor.assigned
    const currentLeaderEpoch = checkedEpoch ?? -1
    places.set(key, { topic, topicId, partition, currentLeaderEpoch, fetchOffset: position, partitionMaxBytes })
  }
  return places
}

export function fetchRequest(
  asked: Pick<FetchRequest, 'partitions' | 'session'>,
  maxWaitMs: number,
  { fetch, isolation }: Pick<ConsumerSettings, 'fetch' | 'isolation'>,
  rackId: string,
): FetchRequest {
  const { minBytes, maxBytes } = fetch
  return { api: 'fetch', maxWaitMs, minBytes, maxBytes, isolation, rackId, ...asked }
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
