import { TidemarkError } from '../errors.js'
import { came } from '../input/came.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import { isThrough, reaches } from './order-key.js'
import type { OrderSnapshot, Threshold } from '../offsets/order-snapshot.js'
import type { WatermarkGenerator } from './watermark-generator.js'

/** A record outside the order, or in it by a time that was made up: what is beyond it is not told to a restart before it is done. */
interface OutsideRecord {
  readonly offset: number
  readonly state: string
  /** The greatest time of its partition before it. */
  readonly maxBefore: number | null
}

/**
 * One partition in the order of all.
 *
 * | reads           | its watermark | until |
 * |-----------------|---------------|-------|
 * | again (after a restart with a snapshot) | stays where the former process had come to: what it had in its buffer is in time again | the snapshot's position |
 * | on              | its generator's; never goes back | |
 *
 * | is     | counts for the common watermark | until |
 * |--------|---------------------------------|-------|
 * | active | yes                             | it has been read to its end for long, or has been silent for long |
 * | idle   | no                              | something of it is fetched |
 * | ended  | no                              | for good: nothing more of it comes |
 */
export class PartitionOrder {
  /** Its place in the order of partitions; may change when others come and go. */
  lane = 0
  activity: 'active' | 'idle' | 'ended' = 'active'
  /** Records in the buffer. */
  buffered = 0
  paused = false
  position = 0
  /** When a broker first and last said that it is at its end; `null` when it is not, or that is not known. */
  #atEnd: { readonly since: number; readonly until: number } | null = null
  #silentSince: number
  #maxTimestamp = -Infinity
  #watermark = -Infinity
  readonly #make: (place: TopicPartition) => WatermarkGenerator
  /** Made when it is asked for first: code of the user, which may throw. */
  #generator: WatermarkGenerator | null = null
  readonly #outside: OutsideRecord[] = []
  /** What is known to be done although the threshold of this epoch has not come so far yet. */
  #claim: OrderSnapshot | null
  #reads: 'again' | 'on'

  constructor(
    readonly place: TopicPartition,
    make: (place: TopicPartition) => WatermarkGenerator,
    restored: OrderSnapshot | null,
    now: number,
  ) {
    this.#make = make
    this.#claim = restored
    this.#reads = restored === null ? 'on' : 'again'
    this.#silentSince = now
    if (restored !== null) this.#watermark = heldAt(restored.threshold)
  }

  get watermark(): number {
    return this.#watermark
  }

  /** `-Infinity` before the first record. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Was it done before the restart? */
  wasDone(timestamp: number, offset: number): boolean {
    if (this.#reads === 'on' || this.#claim === null || offset >= this.#claim.position) return false
    return isThrough(this.#claim.threshold, timestamp, this.place, offset)
  }

  /** Reading has come to this offset, whether there is a record or not. */
  reach(position: number): void {
    if (position > this.position) this.position = position
    if (this.#reads === 'on' || this.#claim === null || this.position < this.#claim.position) return
    this.#reads = 'on'
    const { maxTimestamp } = this.#claim
    if (maxTimestamp !== null) this.#observe(maxTimestamp)
    this.#advance()
  }

  /** A record of that time was read. */
  record(timestamp: number, now: number): void {
    this.#observe(timestamp)
    this.#advance()
    this.alive(now)
  }

  alive(now: number): void {
    this.activity = 'active'
    this.#atEnd = null
    this.#silentSince = now
  }

  /** Something of it was fetched and is to be taken up. */
  fetched(now: number): void {
    if (this.activity !== 'ended') this.alive(now)
  }

  /** What a broker said at that time of its end: silence of brokers is no sign of idleness. */
  reportEnd(end: number, at: number): void {
    if (this.position < end) this.#atEnd = null
    else this.#atEnd = { since: this.#atEnd?.since ?? at, until: at }
  }

  /** Not read for reasons of ours: nothing can be said about it then. */
  notRead(now: number): void {
    this.#atEnd = null
    this.#silentSince = now
  }

  /** Nothing more of it comes. */
  end(): void {
    this.activity = 'ended'
  }

  /** Becomes idle when it is time: true, then. */
  becomesIdle(now: number, maxIdleMs: number, timeoutMs: number | null): boolean {
    if (this.activity !== 'active') return false
    const atEnd = this.#atEnd !== null && this.#atEnd.until - this.#atEnd.since >= maxIdleMs
    const silent = timeoutMs !== null && now - this.#silentSince >= timeoutMs
    if (atEnd || silent) this.activity = 'idle'
    return atEnd || silent
  }

  /** It is late, or ordered by a time that was made up. */
  outside(record: OutsideRecord): void {
    this.#outside.push(record)
  }

  /** A new order of all begins: what was done in the former one stays known. */
  newEpoch(threshold: Threshold | null): void {
    const { position, maxTimestamp } = this.#mark()
    if (threshold === null || this.#reads === 'again') return
    if (this.#claim !== null && reaches(this.#claim.threshold, threshold)) return
    this.#claim = { threshold, position, maxTimestamp }
  }

  /** `null` when nothing is known to be done. */
  snapshot(threshold: Threshold | null): OrderSnapshot | null {
    const claim = this.#claim
    if (claim !== null) {
      if (this.#reads === 'again' || threshold === null || !reaches(threshold, claim.threshold)) return claim
      this.#claim = null
    }
    return threshold === null ? null : { threshold, ...this.#mark() }
  }

  /** Where a restart may say that reading has been, and the greatest time before that. */
  #mark(): Pick<OrderSnapshot, 'position' | 'maxTimestamp'> {
    while (this.#outside[0] !== undefined && this.#outside[0].state === 'done') this.#outside.shift()
    const first = this.#outside[0]
    const max = first?.maxBefore ?? this.#maxTimestamp
    return { position: first?.offset ?? this.position, maxTimestamp: max === -Infinity ? null : max }
  }

  #observe(timestamp: number): void {
    this.#generator ??= this.#make(this.place)
    this.#generator.onRecord(timestamp)
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  #advance(): void {
    if (this.#reads === 'again' || this.#generator === null) return
    // Made by the user, perhaps: it may be no whole number.
    const told: unknown = this.#generator.currentWatermark()
    if (typeof told !== 'number' || Number.isNaN(told)) throw this.#noWatermark(told)
    const watermark = Math.min(Math.floor(told), Number.MAX_SAFE_INTEGER)
    if (watermark > this.#watermark) this.#watermark = watermark
  }

  #noWatermark(told: unknown): TidemarkError {
    const { topic, partition } = this.place
    return new TidemarkError(
      'watermark-strategy-failed',
      `offset ${this.position} of ${partitionKey(topic, partition)} cannot be ordered by time: what currentWatermark of its ` +
        `generator gave ${came(told)}; give ms since the Unix epoch, or -Infinity while nothing is known`,
      { topic, partition, offset: this.position },
    )
  }
}

/** A record of the time of the threshold may have been in the buffer, unless all of that time was done. */
function heldAt({ timestamp, place }: Threshold): number {
  return place === null ? timestamp : timestamp - 1
}
