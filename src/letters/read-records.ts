import { TimeoutError } from '../errors.js'
import type { Message } from '../message/message.js'
import { readerProfile } from '../redrive/raw-reading.js'
import { pause } from '../runtime/pause.js'
import type { Topic } from '../topic/topic.js'
import type { Messaging } from '../messaging.js'
import { placesOfTopic, type Leaderless } from '../operations/places.js'

/** Records of one partition: from an offset on, up to and without another one. */
export interface PartToRead {
  readonly partition: number
  readonly from: number
  readonly to: number
}

export interface Reading {
  readonly messaging: Messaging
  /** For each call to the cluster, and how long it may send nothing. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Offsets that are done, and all there are. Not told where a part has no end. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

const lookEveryMs = 20

export interface Span {
  /** Of each partition the last so many offsets at the most. */
  readonly most?: number | undefined
  /** Written at that time or later, and before the other; looked up in the log. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** No other one. */
  readonly partition?: number | undefined
}

export interface Parts {
  readonly parts: readonly PartToRead[]
  /** Nobody leads these, so nobody can tell what is in them. */
  readonly unseen: readonly Leaderless[]
}

/** What is in a topic and held up by no open transaction. */
export async function partsOf(
  { messaging, timeoutMs }: Pick<Reading, 'messaging' | 'timeoutMs'>,
  topic: string,
  span: Span,
): Promise<Parts> {
  const { most = Infinity, since, until, partition: only } = span
  const { admin } = messaging
  const call = { timeoutMs }
  const { led: places, unseen } = await placesOfTopic(admin, topic, only, call)
  const [starts, ends, firsts, lasts] = await Promise.all([
    admin.listOffsets(places, 'earliest', call),
    admin.listOffsets(places, 'latest', { isolation: 'read-committed', ...call }),
    since === undefined ? [] : admin.listOffsets(places, { timestamp: since }, call),
    until === undefined ? [] : admin.listOffsets(places, { timestamp: until }, call),
  ])
  const parts = places.map(({ partition }, index): PartToRead => {
    const to = Math.min(ends[index] as number, lasts[index] ?? Infinity)
    return { partition, from: Math.max(starts[index] as number, firsts[index] ?? 0, to - most), to }
  })
  return { parts, unseen }
}

/**
 * Hands over the records of these parts, in order within each partition, without a group, so nobody notices. Bytes are views:
 * copy what outlives the call. A part without an end is read until `signal` aborts.
 *
 * @throws TimeoutError when nothing moves for as long as the cluster may take for an answer, unless a part has no end
 */
export async function readRecords<Value>(
  { messaging, timeoutMs, signal, onProgress }: Reading,
  topic: Topic<Value>,
  parts: readonly PartToRead[],
  take: (message: Message<Value>) => void,
): Promise<void> {
  const wanted = new Map(parts.filter(({ from, to }) => from < to).map((part) => [part.partition, part]))
  if (wanted.size === 0) return
  const { clock } = messaging
  const reader = messaging.consumer({
    group: null,
    profile: readerProfile,
    topics: [topic],
    isolation: 'read-committed',
    onOutOfRange: 'earliest',
    stallWarningMs: 0,
    onAssigned: (places) => places.map((place) => ({ ...place, offset: wanted.get(place.partition)?.from ?? 0 })),
    handle: (message) => {
      const { partition, offset } = message
      if (offset < (wanted.get(partition)?.to ?? 0)) take(message as Message<Value>)
    },
  })
  reader.pause()
  reader.resume([...wanted.keys()].map((partition) => ({ topic: topic.name, partition })))
  const lasts = parts.some(({ to }) => to === Infinity)
  const total = [...wanted.values()].reduce((sum, { from, to }) => sum + to - from, 0)
  try {
    await reader.start({ timeoutMs })
    let [before, movedAt] = [-1, clock.now()]
    for (;;) {
      const { partitions } = reader.facts()
      for (const { stoppedBy } of partitions) if (stoppedBy !== null) throw stoppedBy
      const settled = new Map(partitions.map((one) => [one.partition, one.settled]))
      const left = [...wanted.values()].filter(({ partition, to }) => (settled.get(partition) ?? 0) < to)
      if (left.length === 0) return
      const sum = [...settled.values()].reduce((total, offset) => total + offset, 0)
      if (!lasts) onProgress?.(total - left.reduce((rest, part) => rest + restOf(part, settled), 0), total)
      if (sum !== before) [before, movedAt] = [sum, clock.now()]
      else if (!lasts && clock.now() - movedAt >= timeoutMs) throw stuck(topic.name, left)
      await pause(clock, lookEveryMs, signal)
      signal.throwIfAborted()
    }
  } finally {
    await reader.stop({ timeoutMs: 0, force: true })
  }
}

function restOf({ partition, from, to }: PartToRead, settled: ReadonlyMap<number, number>): number {
  return to - Math.max(from, settled.get(partition) ?? from)
}

function stuck(topic: string, left: readonly PartToRead[]): TimeoutError {
  const partitions = left.map(({ partition }) => partition).join(', ')
  return new TimeoutError(
    'not-read',
    `no record of partition(s) ${partitions} of ${topic} came in time; look at them with tidemark doctor`,
  )
}
