import type { TopicPartition } from '../../message/topic-partition.js'
import type { Cluster } from './cluster.js'

/** Whom to ask about what, so that each is asked once; -1 where no leader is known. In the order of the places. */
export function byLeader<Place extends TopicPartition>(
  cluster: Pick<Cluster, 'leaderOf'>,
  places: Iterable<Place>,
): ReadonlyMap<number, readonly Place[]> {
  const led = new Map<number, Place[]>()
  for (const place of places) {
    const { leader } = cluster.leaderOf(place)
    const mates = led.get(leader)
    if (mates === undefined) led.set(leader, [place])
    else mates.push(place)
  }
  return led
}
