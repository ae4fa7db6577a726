import { tdHeader, textHeader } from './headers.js'
import type { Header, ReceivedRecord } from './record.js'
import type { TopicPartition } from './topic-partition.js'

/** Where a record came from first; none when it tells already, as one that was moved before does. */
export function originHeaders({ topic, partition }: TopicPartition, record: ReceivedRecord): readonly Header[] {
  if (record.headers.some(([name]) => name === tdHeader.originTopic)) return []
  return [
    textHeader(tdHeader.originTopic, topic),
    textHeader(tdHeader.originPartition, String(partition)),
    textHeader(tdHeader.originOffset, String(record.offset)),
    textHeader(tdHeader.originTimestamp, isoTime(record.timestamp)),
  ]
}

/** A record may carry any number as its time, also -1 for none and what no calendar knows. */
export function isoTime(timestamp: number): string {
  const time = new Date(timestamp)
  return Number.isNaN(time.getTime()) ? String(timestamp) : time.toISOString()
}
