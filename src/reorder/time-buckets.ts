import { BucketOrder } from './bucket-order.js'
import { IndexHeap } from './index-heap.js'

/** What is of one stretch of time, as it came. */
class Bucket<Entry> {
  readonly entries: Entry[] = []
  /** They came in order. */
  isOrdered = true
  lastCode = -1

  constructor(
    readonly index: number,
    /** The first time of its stretch. */
    readonly start: number,
    /** `(timestamp - start) * lanes + lane` of each entry. */
    public codes: Int32Array,
  ) {}
}

/** Some that were let go: `entries` in the order of `order`, or as they stand. Both are good until it returns. */
type Give<Entry> = (entries: readonly Entry[], order: Uint32Array | null) => void

const firstWidth = 64
/** Records of a bucket, at the mean: outside of these bounds another width serves better. */
const [fewest, most, wanted] = [32, 2_048, 256]
/** So many must have come before the mean says something. */
const [firstLook, leastLook] = [512, 4_096]
/** Codes are below it. */
const mostCodes = 2 ** 31
/** For codes of a bucket, at first. */
const leastRoom = 512
/** Buckets that are found without looking for them, a power of two. */
const nearby = 256

/**
 * Keeps entries by time and hands them out in the order of (timestamp, lane, arrival). Adding costs a step; what is due is
 * ordered bucket by bucket, so nothing is sorted that is not handed out, and nothing twice.
 *
 * A bucket is a stretch of time, a power of two of milliseconds long. Buckets that hold too few or too many entries cost
 * more than they save: then all are made anew with another width.
 */
export class TimeBuckets<Entry> {
  readonly #lanes: number
  readonly #widest: number
  readonly #buckets = new Map<number, Bucket<Entry>>()
  /** The bucket that was found last of those whose indices end in the same bits. */
  readonly #near = new Array<Bucket<Entry> | null>(nearby).fill(null)
  readonly #indices = new IndexHeap()
  readonly #order = new BucketOrder()
  /** Memory of buckets that are gone: they grow as large as the next ones will. */
  readonly #spare: Int32Array[] = []
  #dueCodes = new Int32Array(0)
  #width: number
  #perWidth: number
  /** Times count from here, so that codes stay small. */
  #origin: number | null = null
  /** The bucket of the last entry: what comes together lies together. */
  #last: Bucket<Entry> | null = null
  #size = 0
  /** From one look at the width to the next: so many come in all, are still to come, and so many buckets were made. */
  #stretch = firstLook
  #untilLook = firstLook
  #made = 0

  /** @param lanes how many there are, numbered from 0 in the order in which they break ties of time */
  constructor(lanes: number) {
    this.#lanes = lanes
    this.#widest = 2 ** Math.floor(Math.log2(mostCodes / lanes))
    this.#width = Math.min(firstWidth, this.#widest)
    this.#perWidth = 1 / this.#width
  }

  get size(): number {
    return this.#size
  }

  push(timestamp: number, lane: number, entry: Entry): void {
    if (this.#origin === null) this.#origin = timestamp
    this.#add(timestamp - this.#origin, lane, entry)
    this.#size += 1
    this.#untilLook -= 1
    if (this.#untilLook === 0) this.#lookAtWidth()
  }

  /** Hands out all that is not later than `timestamp`, in order. */
  release(timestamp: number, give: Give<Entry>): void {
    if (this.#origin === null) return
    const due = timestamp - this.#origin
    for (let least = this.#indices.least; least !== undefined; least = this.#indices.least) {
      const bucket = this.#buckets.get(least) as Bucket<Entry>
      if (bucket.start > due) return
      if (bucket.start + this.#width - 1 > due) return this.#givePart(bucket, due - bucket.start, give)
      this.#remove(bucket)
      this.#size -= bucket.entries.length
      give(bucket.entries, this.#orderOf(bucket.codes, bucket.entries.length, bucket.isOrdered))
    }
  }

  /** `null` when there is none. */
  get leastTimestamp(): number | null {
    const { least } = this.#indices
    if (least === undefined || this.#origin === null) return null
    const { start, codes, entries } = this.#buckets.get(least) as Bucket<Entry>
    let code = Infinity
    for (let at = 0; at < entries.length; at += 1) code = Math.min(code, codes[at] as number)
    return this.#origin + start + Math.floor(code / this.#lanes)
  }

  /** All that is kept, in no order. */
  *entries(): Iterable<Entry> {
    for (const { entries } of this.#buckets.values()) yield* entries
  }

  #add(time: number, lane: number, entry: Entry): void {
    let bucket = this.#last
    if (bucket === null || time < bucket.start || time >= bucket.start + this.#width) {
      const index = Math.floor(time * this.#perWidth)
      const near = this.#near[index & (nearby - 1)] as Bucket<Entry> | null
      bucket = near !== null && near.index === index ? near : this.#bucketAt(index)
      this.#last = bucket
    }
    const { entries } = bucket
    const code = (time - bucket.start) * this.#lanes + lane
    if (code < bucket.lastCode) bucket.isOrdered = false
    bucket.lastCode = code
    if (entries.length === bucket.codes.length) enlarge(bucket)
    bucket.codes[entries.length] = code
    entries.push(entry)
  }

  #bucketAt(index: number): Bucket<Entry> {
    let bucket = this.#buckets.get(index)
    if (bucket === undefined) {
      bucket = new Bucket<Entry>(index, index * this.#width, this.#spare.pop() ?? new Int32Array(leastRoom))
      this.#buckets.set(index, bucket)
      this.#indices.push(index)
      this.#made += 1
    }
    this.#near[index & (nearby - 1)] = bucket
    return bucket
  }

  /** The least one. Its codes may be overwritten by the next `push`. */
  #remove(bucket: Bucket<Entry>): void {
    this.#buckets.delete(bucket.index)
    this.#indices.pop()
    this.#spare.push(bucket.codes)
    if (this.#last === bucket) this.#last = null
    const near = bucket.index & (nearby - 1)
    if (this.#near[near] === bucket) this.#near[near] = null
  }

  #orderOf(codes: Int32Array, count: number, isOrdered: boolean): Uint32Array | null {
    return isOrdered ? null : this.#order.of(codes, count, this.#width * this.#lanes)
  }

  /** What is not due stays as it came, in the same places. */
  #givePart(bucket: Bucket<Entry>, due: number, give: Give<Entry>): void {
    const bound = (due + 1) * this.#lanes
    const { codes, entries, isOrdered } = bucket
    const count = entries.length
    if (this.#dueCodes.length < count) this.#dueCodes = new Int32Array(count * 2)
    const dueCodes = this.#dueCodes
    const dueEntries: Entry[] = []
    let stay = 0
    for (let at = 0; at < count; at += 1) {
      const code = codes[at] as number
      const entry = entries[at] as Entry
      if (code < bound) {
        dueCodes[dueEntries.length] = code
        dueEntries.push(entry)
      } else {
        codes[stay] = code
        entries[stay] = entry
        stay += 1
      }
    }
    if (stay === count) return
    entries.length = stay
    this.#size -= dueEntries.length
    if (stay === 0) this.#remove(bucket)
    give(dueEntries, this.#orderOf(dueCodes, dueEntries.length, isOrdered))
  }

  /**
   * Rebuckets when that is worth its while. Too coarse are buckets with much in them; too fine are those of which too many
   * had to be made: what is in them now says nothing, since the others of their time may be on the way.
   */
  #lookAtWidth(): void {
    const kept = this.#size / Math.max(1, this.#buckets.size)
    const came = this.#stretch / Math.max(1, this.#made)
    this.#stretch = Math.max(leastLook, this.#size * 2)
    this.#untilLook = this.#stretch
    this.#made = 0
    if (kept <= most && came >= fewest) return
    const width = 2 ** Math.round(Math.log2((this.#width * wanted) / (kept > most ? kept : came)))
    const bounded = Math.min(this.#widest, Math.max(1, width))
    if (bounded !== this.#width) this.#rebucket(bounded)
  }

  #rebucket(width: number): void {
    const buckets = [...this.#buckets.values()]
    this.#width = width
    this.#perWidth = 1 / width
    this.#buckets.clear()
    this.#near.fill(null)
    this.#indices.clear()
    this.#last = null
    // Entries of one time and lane lie in one bucket, before and after, so they stay in the order in which they came.
    for (const { start, codes, entries } of buckets) {
      for (let at = 0; at < entries.length; at += 1) {
        const code = codes[at] as number
        const lane = code % this.#lanes
        this.#add(start + (code - lane) / this.#lanes, lane, entries[at] as Entry)
      }
      this.#spare.push(codes)
    }
  }
}

function enlarge(bucket: Bucket<unknown>): void {
  const { codes } = bucket
  bucket.codes = new Int32Array(codes.length * 2)
  bucket.codes.set(codes)
}
