import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { Work } from '../consumer/partition/work.js'
import { tdHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import { originOf } from '../offsets/log-identity.js'
import { isFencedOff, writeFences, type WriteFence } from '../offsets/write-fences.js'

/** What of one key stands in one delay topic. */
interface Waiting {
  /** Written, or being written, and not done. */
  records: number
  /** How many came so far: a confirmation of fewer says nothing of the last. */
  came: number
  /** Resume what waits until nothing of the key stands there. */
  readonly wake: (() => void)[]
}

/** One partition of a delay topic, as it is read now. */
interface Reading {
  readonly partition: OwnedPartition
  /** Its end when it was taken; `null` until that is known and on record. */
  end: number | null
}

/** A key whose last record in a delay topic is done: the group is to confirm what is done of the partition. */
export interface ComingBack {
  readonly index: number
  readonly key: string
  readonly partition: OwnedPartition
  readonly came: number
}

interface Level {
  reading: Reading | null
  readonly keys: Map<string, Waiting>
  /** Written by us, or being written, and not read again yet. */
  readonly writing: Map<string, string | null>
}

/**
 * Which keys of one partition wait in its delay topics. Its records, from the oldest on, stand in the last delay topic, in
 * the ones before it, in the source: each record of a key goes on only when nothing of the key stands in a topic behind its own.
 *
 * | of a key, behind the topic of its record | means | the record |
 * |------------------------------------------|-------|------------|
 * | nothing stands                           | free  | is handled |
 * | records stand that are not done          | put off | goes behind them, to the nearest topic that has some |
 * | all are done, and the group has not confirmed it | coming back | waits in its lane until it has |
 *
 * | a key is    | news | becomes |
 * |-------------|------|---------|
 * | free        | a record fails in place (its write counts from before it begins) | put off |
 * | put off     | a record of it is done, others are not                | put off |
 * | put off     | its last record is done: handled, dead-lettered, or on the next delay topic | coming back, or put off there |
 * | coming back | the group has confirmed that                           | free |
 * | coming back | a record of a topic before it fails                    | put off |
 * | any         | the partition is taken by another                      | what stands in the logs says |
 *
 * The delay topics themselves are the only record of it. Whoever takes the partitions reads each of them to the end that
 * it has then, before anything of a topic before it is handled:
 *
 * | a delay topic is                              | the source            | its records |
 * |-----------------------------------------------|-----------------------|-------------|
 * | taken                                         | is held               | wait, until its end is known |
 * | read, or one behind it is                     | is held               | wait, until those behind it are read |
 * | read to that end, and so are those behind it  | goes on, when all are | are handled when it is their time |
 *
 * A record behind that end that we did not write is a late write of who had the partition before: its offset in the source
 * was never committed, so it comes again from there, and this one is passed over. So is a second copy of one of ours. The
 * end stands as a fence beside the committed offset before anything is handled, so that the next owner passes it over too.
 */
export class KeyOrder {
  readonly #levels: readonly Level[]
  #source: OwnedPartition | null = null
  #holdsSource = false
  /** All delay topics have been read to the ends that they had. */
  #isRead = false
  #whenRead: (() => void)[] = []
  readonly #ours = new WeakSet<Work>()

  /** @param writer names what is written while the partition is ours */
  constructor(
    levels: number,
    readonly writer: string,
  ) {
    this.#levels = Array.from({ length: levels }, () => ({ reading: null, keys: new Map(), writing: new Map() }))
  }

  get source(): OwnedPartition | null {
    return this.#source
  }

  /** Nothing of it is ours any more. */
  get isOver(): boolean {
    const partitions = [this.#source, ...this.#levels.map(({ reading }) => reading?.partition ?? null)]
    return partitions.every((partition) => partition === null || partition.isGone)
  }

  sourceTaken(partition: OwnedPartition): void {
    this.#source = partition
    this.#holdsSource = false
    this.#hold()
  }

  /** Read anew from somewhere: what stands there is counted anew. */
  levelTaken(index: number, partition: OwnedPartition): void {
    const level = this.#level(index)
    // Read anew while ours: offsets may mean others now, and what came late before is rare enough.
    partition.fences = level.reading === null ? fencesOnRecord(partition) : []
    level.reading = { partition, end: null }
    this.#isRead = false
    const before = [...level.keys.values()]
    level.keys.clear()
    for (const key of level.writing.values()) if (key !== null) this.#count(level, key)
    for (const { wake } of before) for (const resume of wake) resume()
    this.#hold()
  }

  /** From its end on what we write counts alone: to be put on record. Of one that is not read any more nothing is. */
  fence(index: number, partition: OwnedPartition, end: number): boolean {
    if (this.#level(index).reading?.partition !== partition) return false
    partition.fences = [...partition.fences.filter(({ from }) => from < end), { from: end, writer: this.writer }]
    return true
  }

  /** The fence is on record. */
  endKnown(index: number, partition: OwnedPartition, end: number): void {
    const { reading } = this.#level(index)
    if (reading?.partition !== partition || reading.end !== null) return
    reading.end = end
    this.tookUp()
  }

  /** Something more of a delay topic was read, if only holes. */
  tookUp(): void {
    if (this.#whenRead.length > 0) for (const resume of this.#whenRead.splice(0)) resume()
    if (this.#isRead || !this.#isReadFrom(0)) return
    this.#isRead = true
    if (this.#holdsSource) this.#source?.gate.lift('put-off')
    this.#holdsSource = false
  }

  /** Is it known what stands behind the topic of this index, and up to where what stands in it counts? */
  knows(index: number): boolean {
    if (this.#isRead) return true
    return (index < 0 || this.#level(index).reading?.end != null) && this.#isReadFrom(index + 1)
  }

  /** Resolves when more is known. */
  whenMoreIsKnown(): Promise<void> {
    return new Promise((resolve) => this.#whenRead.push(resolve))
  }

  /** A record of a delay topic was read. */
  came(index: number, work: Work, key: string | null, id: string | undefined): void {
    const level = this.#level(index)
    if (id !== undefined && level.writing.delete(id)) this.#ours.add(work)
    else if (key !== null) this.#count(level, key)
  }

  /** Not to be handled: it comes again from the source, or has come before. */
  isVoid(index: number, work: Work): boolean {
    if (this.#ours.has(work)) return false
    const { offset, headers } = work.firstRecord
    const writer = headerText(headers, tdHeader.retryId)?.split('.')[0]
    const isBehind = offset >= (this.#level(index).reading?.end ?? Infinity)
    return isBehind || isFencedOff(work.partition.fences, offset, writer)
  }

  /** No key waits anywhere. Asked for every record. */
  get isEmpty(): boolean {
    for (const { keys } of this.#levels) if (keys.size > 0) return false
    return true
  }

  /** Where the key stands, behind the topic of this index: the nearest delay topic; `null` when it is free. */
  behind(index: number, key: string): { readonly index: number; readonly state: 'put-off' | 'coming-back' } | null {
    for (let at = index + 1; at < this.#levels.length; at += 1) {
      const waiting = this.#level(at).keys.get(key)
      if (waiting !== undefined) return { index: at, state: waiting.records > 0 ? 'put-off' : 'coming-back' }
    }
    return null
  }

  /** From now on the key is put off there. A record without a key is only known again. */
  writes(index: number, key: string | null, id: string): void {
    const level = this.#level(index)
    level.writing.set(id, key)
    if (key !== null) this.#count(level, key)
  }

  /** It was not stored, as far as we know: should it come all the same, it is passed over. */
  givesUp(index: number, key: string | null, id: string): ComingBack | null {
    return this.#level(index).writing.delete(id) && key !== null ? this.#uncount(index, key) : null
  }

  /** A record of a delay topic is done. */
  done(index: number, partition: OwnedPartition, key: string): ComingBack | null {
    return this.#level(index).reading?.partition === partition ? this.#uncount(index, key) : null
  }

  /** The group has confirmed it. */
  confirmed({ index, key, partition, came }: ComingBack): void {
    const { reading, keys } = this.#level(index)
    const waiting = keys.get(key)
    if (reading?.partition !== partition || waiting === undefined) return
    if (waiting.records > 0 || waiting.came !== came) return
    keys.delete(key)
    for (const resume of waiting.wake) resume()
  }

  /** Resolves when where the key stands may be asked again. */
  whenMoved(index: number, key: string): Promise<void> {
    const waiting = this.#level(index).keys.get(key)
    return waiting === undefined ? Promise.resolve() : new Promise((resolve) => waiting.wake.push(resolve))
  }

  #isReadFrom(first: number): boolean {
    return this.#levels.every(({ reading }, index) => {
      if (index < first) return true
      return reading !== null && reading.end !== null && reading.partition.tracker.end >= reading.end
    })
  }

  #hold(): void {
    if (this.#holdsSource || this.#source === null || this.#source.isGone || this.#isRead) return
    this.#holdsSource = true
    this.#source.gate.close('put-off')
  }

  #count(level: Level, key: string): void {
    const waiting = level.keys.get(key)
    if (waiting === undefined) {
      level.keys.set(key, { records: 1, came: 1, wake: [] })
      return
    }
    waiting.records += 1
    waiting.came += 1
  }

  #uncount(index: number, key: string): ComingBack | null {
    const { keys, reading } = this.#level(index)
    const waiting = keys.get(key)
    if (waiting === undefined) return null
    waiting.records -= 1
    if (waiting.records > 0 || reading === null) return null
    return { index, key, partition: reading.partition, came: waiting.came }
  }

  #level(index: number): Level {
    return this.#levels[index] as Level
  }
}

function fencesOnRecord({ assigned: { committed, log } }: OwnedPartition): readonly WriteFence[] {
  if (committed === null || originOf(committed.metadata, log) !== 'this-log') return []
  return writeFences(committed.metadata)
}
