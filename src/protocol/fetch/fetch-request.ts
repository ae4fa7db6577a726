import type { FetchPartition, FetchRequest } from '../../connection/requests/fetch.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import type { Asked, FetchCursor } from './fetch-cursor.js'

/** What is asked of each partition, under the same keys. */
export function askedPlaces(
  asked: ReadonlyMap<string, Asked>,
  { partitionMaxBytes }: ConsumerSettings['fetch'],
): ReadonlyMap<string, FetchPartition> {
  const places = new Map<string, FetchPartition>()
  for (const [key, { partition }] of asked) places.set(key, partition.place(partitionMaxBytes))
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
 * @param paused all that are
 * @param isAsked whether it is fetched from the broker
 */
export function patience(
  paused: Iterable<FetchCursor>,
  isAsked: (cursor: FetchCursor) => boolean,
  maxWaitMs: number,
  now: number,
): number {
  let waitMs = maxWaitMs
  for (const cursor of paused) {
    const { pausedAt, health } = cursor
    if (pausedAt === null || health.kind !== 'ready' || now - pausedAt >= waitMs) continue
    if (isAsked(cursor)) waitMs = now - pausedAt
  }
  return Math.max(1, waitMs)
}
