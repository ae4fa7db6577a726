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

/** Text of the last header of that name; `undefined` when there is none. */
export function headerText(headers: readonly Header[], name: string): string | undefined {
  for (let index = headers.length - 1; index >= 0; index -= 1) {
    const pair = headers[index]
    if (pair?.[0] === name) return pair[1]?.toString('utf8')
  }
  return undefined
}

/** A decimal number from 0 on; `undefined` when the header tells none. */
export function headerNumber(headers: readonly Header[], name: string): number | undefined {
  const text = headerText(headers, name)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
