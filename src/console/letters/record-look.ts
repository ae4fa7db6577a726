import { NotThere, requireLed } from '../../operations/places.js'
import { partsOf, readRecords, type Reading } from '../../letters/read-records.js'
import type { Message } from '../../message/message.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { shownBytes, type ShownBytes } from '../../text/shown-bytes.js'

/** One record: where it is and what its headers are called; what is in it only where it was revealed. */
export interface RecordView {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly keyBytes: number | null
  readonly valueBytes: number | null
  /** `hidden`: it may show what is in a record. */
  readonly headers: readonly { readonly name: string; readonly value: ShownBytes; readonly hidden: boolean }[]
  /** `null`: not revealed. */
  readonly revealed: { readonly key: ShownBytes; readonly value: ShownBytes; readonly isCut: boolean } | null
}

/** Headers of ours that name places, times and classes, and never what a record says. */
const open: ReadonlySet<string> = new Set([
  'traceparent',
  'td-attempt',
  'td-hop',
  'td-reason',
  'td-group',
  'td-error-class',
  'td-origin-topic',
  'td-origin-partition',
  'td-origin-offset',
  'td-origin-timestamp',
  'td-first-failed-at',
  'td-last-failed-at',
])

const mostBytes = 65_536

/** @throws NotThere where there is no such record, TidemarkError `no-leader` where nobody can tell */
export async function lookAtRecord(
  reading: Reading,
  { topic, partition, offset }: { readonly topic: string; readonly partition: number; readonly offset: number },
  reveal: boolean,
): Promise<RecordView> {
  const {
    parts: [part],
    unseen,
  } = await partsOf(reading, topic, { partition })
  requireLed(unseen)
  let found: RecordView | null = null
  if (part !== undefined && offset >= part.from && offset < part.to) {
    await readRecords(reading, rawTopic(topic), [{ partition, from: offset, to: offset + 1 }], (message) => {
      found = viewOf(message, reveal)
    })
  }
  if (found === null)
    throw new NotThere(`${topic}-${partition} has no record at ${offset}; it was deleted, or is not there yet`)
  return found
}

function viewOf(
  { topic, partition, offset, timestamp, key, value, headers }: Message<Buffer | null>,
  reveal: boolean,
): RecordView {
  return {
    ...{ topic, partition, offset, timestamp },
    keyBytes: key?.length ?? null,
    valueBytes: value?.length ?? null,
    headers: [...headers].map(([name, bytes]) => {
      const hidden = !reveal && !open.has(name)
      return { name, value: hidden ? null : shownBytes(bytes?.subarray(0, mostBytes) ?? null), hidden }
    }),
    revealed: reveal
      ? {
          key: shownBytes(key?.subarray(0, mostBytes) ?? null),
          value: shownBytes(value?.subarray(0, mostBytes) ?? null),
          isCut: Math.max(key?.length ?? 0, value?.length ?? 0) > mostBytes,
        }
      : null,
  }
}
