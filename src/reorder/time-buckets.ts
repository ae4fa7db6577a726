import { BucketOrder } from './bucket-order.js'
import { IndexHeap } from './index-heap.js'

interface Bucket<Entry> {
  readonly index: number
  /** The first time of its stretch. */
  readonly start: number
  /** `(timestamp - start of the bucket) * lanes + lane` of each, as they came. */
  codes: number[]
  entries: Entry[]
  /** They came in order. */
  isOrdered: boolean
}

const firstWidth = 64
/** Records of a bucket, at the mean: outside of these bounds another width serves better. */
const [fewest, most, wanted] = [32, 2048, 192]
/** With fewer buckets the mean says nothing. */
const leastBuckets = 16
const widest = 2 ** 40
/** Whole numbers below it are kept without a box. */
const smallCodes = 2 ** 30

/**
 * Keeps entries by time and hands them out in the order of (timestamp, lane, arrival). Adding costs a step; what is due is
 * ordered bucket by bucket, so nothing is sorted that is not handed out, and nothing twice.
 *
 * A bucket is a stretch of time, a power of two of milliseconds long. Buckets that hold too few or too many entries cost
 * more than they save: then all are made anew with another width.
 */
export class TimeBuckets<Entry> {
  readonly #lanes: number
  readonly #buckets = new Map<number, Bucket<Entry>>()
  readonly #indices = new IndexHeap()
  readonly #order = new BucketOrder()
  #width = firstWidth
  /** Times count from here, so that codes stay small. */
  #origin: number | null = null
  /** The bucket of the last entry: what comes together lies together. */
  #last: Bucket<Entry> | null = null
  #size = 0
  #areCodesSmall: boolean
  #untilLook = fewest * leastBuckets

  /** @param lanes how many there are, numbered from 0 in the order in which they break ties of time */
  constructor(lanes: number) {
    this.#lanes = lanes
    this.#areCodesSmall = firstWidth * lanes < smallCodes
  }

  get size(): number {
    return this.#size
  }

  push(timestamp: number, lane: number, entry: Entry): void {
    this.#origin ??= timestamp
    this.#add(timestamp - this.#origin, lane, entry)
    this.#size += 1
    this.#untilLook -= 1
    if (this.#untilLook <= 0) this.#lookAtWidth()
  }

  /** Hands out all that is not later than `timestamp`, in order. */
  release(timestamp: number, give: (entry: Entry) => void): void {
    if (this.#origin === null) return
    const due = timestamp - this.#origin
    for (let least = this.#indices.least; least !== undefined; least = this.#indices.least) {
      const bucket = this.#buckets.get(least) as Bucket<Entry>
      if (bucket.start > due) return
      if (bucket.start + this.#width - 1 <= due) this.#giveAll(bucket, give)
      else return this.#givePart(bucket, due - bucket.start, give)
    }
  }

  /** `null` when there is none. */
  get leastTimestamp(): number | null {
    const { least } = this.#indices
    if (least === undefined || this.#origin === null) return null
    let code = Infinity
    for (const one of (this.#buckets.get(least) as Bucket<Entry>).codes) if (one < code) code = one
    return this.#origin + least * this.#width + Math.floor(code / this.#lanes)
  }

  /** All that is kept, in no order. */
  *entries(): Iterable<Entry> {
    for (const { entries } of this.#buckets.values()) yield* entries
  }

  #add(time: number, lane: number, entry: Entry): void {
    let bucket = this.#last
    if (bucket === null || time < bucket.start || time >= bucket.start + this.#width) {
      bucket = this.#bucketAt(Math.floor(time / this.#width))
      this.#last = bucket
    }
    const code = (time - bucket.start) * this.#lanes + lane
    const { codes } = bucket
    if (bucket.isOrdered && codes.length > 0 && code < (codes[codes.length - 1] as number)) bucket.isOrdered = false
    // Small whole numbers take half the room.
    codes.push(this.#areCodesSmall ? code | 0 : code)
    bucket.entries.push(entry)
  }

  #bucketAt(index: number): Bucket<Entry> {
    const known = this.#buckets.get(index)
    if (known !== undefined) return known
    const bucket: Bucket<Entry> = { index, start: index * this.#width, codes: [], entries: [], isOrdered: true }
    this.#buckets.set(index, bucket)
    this.#indices.push(index)
    return bucket
  }

  #giveAll(bucket: Bucket<Entry>, give: (entry: Entry) => void): void {
    this.#buckets.delete(bucket.index)
    this.#indices.pop()
    if (this.#last === bucket) this.#last = null
    this.#size -= bucket.entries.length
    this.#give(bucket, give)
  }

  #givePart(bucket: Bucket<Entry>, due: number, give: (entry: Entry) => void): void {
    const bound = (due + 1) * this.#lanes
    const dueCodes: number[] = []
    const dueEntries: Entry[] = []
    const [codes, entries]: [number[], Entry[]] = [[], []]
    for (let at = 0; at < bucket.codes.length; at += 1) {
      const code = bucket.codes[at] as number
      const isDue = code < bound
      ;(isDue ? dueCodes : codes).push(code)
      ;(isDue ? dueEntries : entries).push(bucket.entries[at] as Entry)
    }
    if (dueCodes.length === 0) return
    const { index, start, isOrdered } = bucket
    this.#size -= dueEntries.length
    if (codes.length > 0) {
      bucket.codes = codes
      bucket.entries = entries
    } else {
      this.#buckets.delete(index)
      this.#indices.pop()
      if (this.#last === bucket) this.#last = null
    }
    this.#give({ index, start, codes: dueCodes, entries: dueEntries, isOrdered }, give)
  }

  #give({ codes, entries, isOrdered }: Bucket<Entry>, give: (entry: Entry) => void): void {
    if (isOrdered) {
      for (const entry of entries) give(entry)
      return
    }
    const order = this.#order.of(codes, this.#width, this.#lanes)
    for (let at = 0; at < codes.length; at += 1) give(entries[order[at] as number] as Entry)
  }

  /** Rebuckets when that is worth its while; looks again when as much as is kept has come. */
  #lookAtWidth(): void {
    this.#untilLook = Math.max(fewest * leastBuckets, this.#size)
    const mean = this.#size / this.#buckets.size
    const isTooFine = mean < fewest && this.#buckets.size > leastBuckets
    if (!isTooFine && mean <= most) return
    const width = 2 ** Math.round(Math.log2((this.#width * wanted) / mean))
    const bounded = Math.min(widest, Math.max(1, width))
    if (bounded !== this.#width) this.#rebucket(bounded)
  }

  #rebucket(width: number): void {
    const buckets = [...this.#buckets.values()]
    const former = this.#width
    this.#width = width
    this.#areCodesSmall = width * this.#lanes < smallCodes
    this.#buckets.clear()
    this.#indices.clear()
    this.#last = null
    // Entries of one time and lane lie in one bucket, before and after, so they stay in the order in which they came.
    for (const { index, codes, entries } of buckets) {
      for (let at = 0; at < codes.length; at += 1) {
        const code = codes[at] as number
        const lane = code % this.#lanes
        this.#add(index * former + (code - lane) / this.#lanes, lane, entries[at] as Entry)
      }
    }
  }
}
