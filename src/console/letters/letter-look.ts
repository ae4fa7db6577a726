import { createHash } from 'node:crypto'
import { failedAtOf, LetterCounter, type LetterCounts } from '../../letters/letter-counts.js'
import { partsOf, readRecords, type Reading } from '../../letters/read-records.js'
import { letterOf, type Letter } from '../../redrive/letter.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { selected } from '../../redrive/selection.js'
import { selectionOf, type LetterFilter } from './letter-filter.js'

/** A letter without key, value and texts of errors: these may be personal data. */
export interface LetterRow {
  readonly partition: number
  readonly offset: number
  readonly failedAt: number
  readonly reason: string | null
  readonly error: string | null
  readonly origin: string | null
  readonly group: string | null
  readonly hops: number
  readonly bytes: number
  /** Tells letters of the same key from others, and not the key. */
  readonly keyHash: string | null
}

export interface LetterBucket {
  readonly from: number
  readonly byReason: Readonly<Record<string, number>>
}

export interface LettersView {
  readonly topic: string
  readonly counts: LetterCounts
  /** By when they failed, in equal times; none where there is no letter. */
  readonly buckets: readonly LetterBucket[]
  readonly bucketMs: number
  /** The newest ones. */
  readonly rows: readonly LetterRow[]
  /** Offsets that were not read, since there are so many: figures are of the newest alone. */
  readonly unread: number
}

const mostOfPartition = 20_000
const mostRows = 50
const buckets = 48

/** Reads the newest letters of a dead-letter topic; what they are for is told by their headers alone. */
export async function lookAtLetters(reading: Reading, topic: string, filter: LetterFilter): Promise<LettersView> {
  const { since, until } = filter
  const all = await partsOf(reading, topic, { since, until })
  const parts = all.map((part) => ({ ...part, from: Math.max(part.from, part.to - mostOfPartition) }))
  const isMeant = selected(selectionOf(filter))
  const counter = new LetterCounter()
  const failures: { readonly at: number; readonly reason: string }[] = []
  const rows: LetterRow[] = []
  await readRecords(reading, rawTopic(topic), parts, (message) => {
    const letter = letterOf(message)
    if (!isMeant(letter)) return
    const at = failedAtOf(letter, message.timestamp)
    counter.add(letter, at)
    failures.push({ at, reason: letter.reason ?? 'none' })
    rows.push(rowOf(letter, at))
    if (rows.length >= mostRows * 2) newestFirst(rows).length = mostRows
  })
  const counts = counter.counts()
  return {
    topic,
    counts,
    ...bucketsOf(failures, counts),
    rows: newestFirst(rows).slice(0, mostRows),
    unread: all.reduce((sum, { from }, index) => sum + ((parts[index]?.from ?? from) - from), 0),
  }
}

function newestFirst(rows: LetterRow[]): LetterRow[] {
  return rows.sort((one, other) => other.failedAt - one.failedAt || other.offset - one.offset)
}

function rowOf(letter: Letter, failedAt: number): LetterRow {
  const { partition, offset, reason, errorClasses, origin, group, hops, value, key } = letter
  return {
    ...{ partition, offset, failedAt, reason, group, hops },
    error: errorClasses[0] ?? null,
    origin: origin === null ? null : `${origin.topic}-${origin.partition ?? '?'}@${origin.offset ?? '?'}`,
    bytes: value?.length ?? 0,
    keyHash: key === null ? null : createHash('sha256').update(key).digest('hex').slice(0, 8),
  }
}

function bucketsOf(
  failures: readonly { readonly at: number; readonly reason: string }[],
  { oldestAt, newestAt, byReason }: LetterCounts,
): Pick<LettersView, 'buckets' | 'bucketMs'> {
  if (oldestAt === null || newestAt === null) return { buckets: [], bucketMs: 0 }
  const bucketMs = Math.max(1, Math.ceil((newestAt - oldestAt + 1) / buckets))
  const counts = Array.from({ length: buckets }, () => new Map<string, number>())
  for (const { at, reason } of failures) {
    const bucket = counts[Math.floor((at - oldestAt) / bucketMs)]
    const name = Object.hasOwn(byReason, reason) ? reason : 'other'
    bucket?.set(name, (bucket.get(name) ?? 0) + 1)
  }
  return {
    buckets: counts.map((bucket, index) => ({
      from: oldestAt + index * bucketMs,
      byReason: Object.fromEntries(bucket),
    })),
    bucketMs,
  }
}
