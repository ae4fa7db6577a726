import { createHash } from 'node:crypto'
import { failedAtOf, LetterCounter, type LetterCounts } from '../../letters/letter-counts.js'
import { partsOf, readRecords, type Reading } from '../../letters/read-records.js'
import { lettersVerdict } from '../model/letters-verdict.js'
import type { Verdict } from '../model/verdict.js'
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
  readonly at: number
  readonly verdict: Verdict
  readonly counts: LetterCounts
  /** By when they failed, in equal times; none where there is no letter. */
  readonly buckets: readonly LetterBucket[]
  readonly bucketMs: number
  /** The newest ones. */
  readonly rows: readonly LetterRow[]
  /** Offsets that were not read, since there are so many: figures are of the newest alone. */
  readonly unread: number
  /** Partitions without a leader: their letters are in no figure. */
  readonly unseen: readonly number[]
}

const mostOfPartition = 20_000
const mostRows = 50
const buckets = 48
const longestName = 249

/** Reads the newest letters of a dead-letter topic; what they are for is told by their headers alone. */
export async function lookAtLetters(reading: Reading, topic: string, filter: LetterFilter): Promise<LettersView> {
  const { since, until } = filter
  const { admin, clock } = reading.messaging
  const retention = admin.describeConfig('topic', topic, { timeoutMs: reading.timeoutMs }).catch(() => null)
  const { parts: all, unseen } = await partsOf(reading, topic, { since, until })
  const parts = all.map((part) => ({ ...part, from: Math.max(part.from, part.to - mostOfPartition) }))
  const isMeant = selected(selectionOf(filter))
  const counter = new LetterCounter()
  const failures: { readonly at: number; readonly reason: string }[] = []
  const rows: LetterRow[] = []
  let oldestWrittenAt = Infinity
  await readRecords(reading, rawTopic(topic), parts, (message) => {
    const letter = letterOf(message)
    if (!isMeant(letter)) return
    const at = failedAtOf(letter, message.timestamp)
    counter.add(letter, at)
    oldestWrittenAt = Math.min(oldestWrittenAt, message.timestamp)
    failures.push({ at, reason: letter.reason ?? 'none' })
    rows.push(rowOf(letter, at))
    if (rows.length >= mostRows * 2) newestFirst(rows).length = mostRows
  })
  const counts = counter.counts()
  const at = clock.wallTime()
  const leavesAt = leavesAtOf(oldestWrittenAt, await retention)
  return {
    topic,
    at,
    verdict: lettersVerdict(topic, counts, Object.keys(filter).length > 0, { at, leavesAt }),
    counts,
    ...bucketsOf(failures, counts),
    rows: newestFirst(rows).slice(0, mostRows),
    unseen: unseen.map(({ partition }) => partition),
    unread: all.reduce((sum, { from }, index) => sum + ((parts[index]?.from ?? from) - from), 0),
  }
}

/** `null`: never, or nobody knows. */
function leavesAtOf(writtenAt: number, configs: ReadonlyMap<string, string | null> | null): number | null {
  const retentionMs = Number(configs?.get('retention.ms') ?? -1)
  const isDeleted = configs?.get('cleanup.policy')?.includes('delete') ?? false
  return isDeleted && retentionMs >= 0 && writtenAt < Infinity ? writtenAt + retentionMs : null
}

function newestFirst(rows: LetterRow[]): LetterRow[] {
  return rows.sort((one, other) => other.failedAt - one.failedAt || other.offset - one.offset)
}

function rowOf(letter: Letter, failedAt: number): LetterRow {
  const { partition, offset, reason, errorClasses, origin, group, hops, value, key } = letter
  return {
    ...{ partition, offset, failedAt, hops },
    reason: shortened(reason),
    group: shortened(group),
    error: shortened(errorClasses[0] ?? null),
    origin: origin === null ? null : `${shortened(origin.topic)}-${origin.partition ?? '?'}@${origin.offset ?? '?'}`,
    bytes: value?.length ?? 0,
    keyHash: key === null ? null : createHash('sha256').update(key).digest('hex').slice(0, 8),
  }
}

/** Headers may be as long as a record; whoever wants all of one opens the letter. */
function shortened<Text extends string | null>(text: Text): Text | string {
  return text !== null && text.length > longestName ? `${text.slice(0, longestName)}…` : text
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
