import { requireLed } from '../../operations/places.js'
import { partsOf, readRecords, type PartToRead, type Reading } from '../../letters/read-records.js'
import type { Message } from '../../message/message.js'
import { isRecord } from '../../input/shapes.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { shedView, type LevelSight, type ShedTopic, type ShedView } from '../model/shed-view.js'

const controlName = /(^|[._-])control$/i
const asideName = /(^|[._-])(shed|diverted?)$/i
const mostOfPartition = 500
const longestMs = 600_000
const mostNames = 20

/** Levels by the newest notices of control topics, and what the newest records of shed topics say of themselves. */
export async function lookAtShed(reading: Reading): Promise<ShedView> {
  const { admin, clock } = reading.messaging
  const names = (await admin.describeTopics(null, { timeoutMs: reading.timeoutMs })).map(({ name }) => name)
  const levels = names.filter((name) => controlName.test(name)).map((name) => levelOf(reading, name))
  const topics = names.filter((name) => asideName.test(name)).map((name) => asideOf(reading, name))
  return shedView(await Promise.all(levels), await Promise.all(topics), clock.wallTime())
}

async function levelOf(reading: Reading, topic: string): Promise<LevelSight> {
  let found: LevelSight = { topic, level: 0, setAt: null, leftMs: 0 }
  const now = reading.messaging.clock.wallTime()
  await readRecords(reading, rawTopic(topic), lastOf(await allOf(reading, topic)), ({ value, timestamp }) => {
    const notice = noticeOf(value)
    if (notice === null || timestamp < (found.setAt ?? 0)) return
    const leftMs = Math.max(0, Math.min(notice.lastsMs, longestMs) - Math.max(0, now - timestamp))
    found = { topic, level: leftMs > 0 ? notice.level : 0, setAt: timestamp, leftMs }
  })
  return found
}

/** What is no notice says nothing: anybody may write to a topic. */
function noticeOf(value: Buffer | null): { readonly level: number; readonly lastsMs: number } | null {
  try {
    const told: unknown = JSON.parse(value?.toString('utf8') ?? '')
    if (!isRecord(told)) return null
    const { level, lastsMs } = told
    return Number.isInteger(level) && Number.isFinite(lastsMs)
      ? { level: level as number, lastsMs: lastsMs as number }
      : null
  } catch {
    return null
  }
}

async function asideOf(reading: Reading, topic: string): Promise<ShedTopic> {
  const parts = await allOf(reading, topic)
  const [outcomes, origins] = [new Map<string, number>(), new Map<string, number>()]
  let newestAt: number | null = null
  await readRecords(reading, rawTopic(topic), lastOf(parts), ({ headers, timestamp }: Message<Buffer | null>) => {
    newestAt = Math.max(newestAt ?? 0, timestamp)
    const outcome = headers.get('td-degrade-outcome')
    const level = headers.get('td-degrade-level')
    count(outcomes, outcome === undefined ? 'unnamed' : `${outcome} at level ${level ?? '?'}`)
    count(origins, headers.get('td-origin-topic') ?? 'none')
  })
  return {
    topic,
    records: parts.reduce((sum, { from, to }) => sum + to - from, 0),
    byOutcome: Object.fromEntries(outcomes),
    byOrigin: Object.fromEntries(origins),
    newestAt,
  }
}

/** Where nobody knows what one partition says, the rest would tell of a level that is not in force. */
async function allOf(reading: Reading, topic: string): Promise<readonly PartToRead[]> {
  const { parts, unseen } = await partsOf(reading, topic, {})
  requireLed(unseen)
  return parts
}

function lastOf(parts: readonly PartToRead[]): readonly PartToRead[] {
  return parts.map((part) => ({ ...part, from: Math.max(part.from, part.to - mostOfPartition) }))
}

/** Headers are data from outside: any number of names must not fill the memory. */
function count(counts: Map<string, number>, name: string): void {
  const known = counts.has(name) || counts.size < mostNames ? name : 'other'
  counts.set(known, (counts.get(known) ?? 0) + 1)
}
