import type { TopicPartition } from '../message/topic-partition.js'
import type { Threshold } from '../offsets/order-snapshot.js'

/** The order of partitions, which breaks ties of time. */
export function comparePlaces(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition
}

/** Is a record at or before the threshold, in the order of (time, topic, partition, offset)? */
export function isThrough(threshold: Threshold, timestamp: number, place: TopicPartition, offset: number): boolean {
  if (timestamp !== threshold.timestamp) return timestamp < threshold.timestamp
  if (threshold.place === null) return true
  return (comparePlaces(place, threshold.place) || offset - threshold.place.offset) <= 0
}

export function reaches(threshold: Threshold, other: Threshold): boolean {
  if (other.place !== null) return isThrough(threshold, other.timestamp, other.place, other.place.offset)
  if (threshold.timestamp !== other.timestamp) return threshold.timestamp > other.timestamp
  return threshold.place === null
}
