import { createHash } from 'node:crypto'
import type { Header } from '../message/record.js'
import type { OutboxContent } from '../outbox/outbox-store.js'

/** Rows of one key of a topic share it. */
export function laneOf(topic: string, key: Buffer): string {
  return createHash('sha256').update(`${topic}\0`).update(key).digest('base64url')
}

/** Headers as the table keeps them. */
export function textOf(headers: readonly Header[]): string {
  return JSON.stringify(headers.map(([name, value]) => [name, value?.toString('base64') ?? null]))
}

export function headersOf(text: string): readonly Header[] {
  const pairs = JSON.parse(text) as readonly (readonly [string, string | null])[]
  return pairs.map(([name, value]) => [name, value === null ? null : Buffer.from(value, 'base64')])
}

export function contentOf(row: Readonly<Record<string, unknown>>): OutboxContent {
  const partition = row['record_partition']
  return {
    number: Number(row['number']),
    key: bytesOf(row['record_key']),
    value: bytesOf(row['value']),
    headers: headersOf(row['headers'] as string),
    partition: partition === null ? null : Number(partition),
    timestamp: Number(row['record_time']),
  }
}

/** Some drivers give plain arrays of bytes. */
function bytesOf(value: unknown): Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value
  const { buffer, byteOffset, byteLength } = value as Uint8Array
  return Buffer.from(buffer, byteOffset, byteLength)
}
