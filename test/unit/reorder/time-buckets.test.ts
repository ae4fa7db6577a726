import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BucketOrder } from '../../../src/reorder/bucket-order.js'
import { IndexHeap } from '../../../src/reorder/index-heap.js'
import { TimeBuckets } from '../../../src/reorder/time-buckets.js'
import { runs } from './worlds.js'

interface Kept {
  readonly time: number
  readonly lane: number
  readonly arrival: number
}

/** What is let go, in order. */
function letGo<Entry>(buckets: TimeBuckets<Entry>, through: number): Entry[] {
  const out: Entry[] = []
  buckets.release(through, (entries, order) => {
    for (let at = 0; at < entries.length; at += 1) out.push(entries[order?.[at] ?? at] as Entry)
  })
  return out
}

const byOrder = (one: Kept, other: Kept) =>
  one.time - other.time || one.lane - other.lane || one.arrival - other.arrival

/** The plainest thing that does the same. */
class SortedArray {
  kept: Kept[] = []

  push(entry: Kept): void {
    this.kept.push(entry)
  }

  release(time: number): Kept[] {
    const due = this.kept.filter((entry) => entry.time <= time).sort(byOrder)
    this.kept = this.kept.filter((entry) => entry.time > time)
    return due
  }
}

/** Of every density: many at one time, some in a second, one a month. */
const spread = fc.constantFrom(1, 40, 1_000, 50_000, 3_600_000, 2_000_000_000)

describe('time buckets', () => {
  it('hand out what a sorted array would, whatever the times, also when their width changes', () => {
    const burst = fc.record({
      spread,
      from: fc.nat(1_000_000),
      count: fc.integer({ min: 1, max: 400 }),
      seed: fc.nat(),
      releaseAt: fc.nat(100),
    })
    fc.assert(
      fc.property(fc.array(burst, { maxLength: 12 }), fc.constantFrom(1, 3, 64), (bursts, lanes) => {
        const buckets = new TimeBuckets<Kept>(lanes)
        const sorted = new SortedArray()
        let arrival = 0
        for (const { spread: width, from, count, seed, releaseAt } of bursts) {
          let state = seed
          for (let one = 0; one < count; one += 1) {
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
            const entry = { time: from + (state % width), lane: (state >> 7) % lanes, arrival: (arrival += 1) }
            buckets.push(entry.time, entry.lane, entry)
            sorted.push(entry)
          }
          const through = from + Math.floor((width * releaseAt) / 100)
          expect(letGo(buckets, through)).toEqual(sorted.release(through))
          expect(buckets.size).toBe(sorted.kept.length)
          expect(buckets.leastTimestamp).toBe(
            sorted.kept.length === 0 ? null : Math.min(...sorted.kept.map(({ time }) => time)),
          )
        }
        expect([...buckets.entries()].sort(byOrder)).toEqual(sorted.kept.sort(byOrder))
      }),
      runs(1_000),
    )
  })

  it('keep a year of silence between two records in two buckets', () => {
    const buckets = new TimeBuckets<number>(1)
    buckets.push(0, 0, 1)
    buckets.push(31_536_000_000, 0, 2)
    expect(letGo(buckets, 31_536_000_000)).toEqual([1, 2])
  })
})

describe('the order of a bucket', () => {
  const order = new BucketOrder()

  it.each([
    ['few', 20, 64, 3],
    ['many close together', 500, 64, 3],
    ['many, few of a time and lane', 500, 256, 40],
    ['many far apart', 500, 1_048_576, 3],
    ['as far apart as codes can be', 300, 2 ** 23, 256],
  ])('is that of a stable sort: %s', (_, count, width, lanes) => {
    fc.assert(
      fc.property(fc.array(fc.nat(width * lanes - 1), { minLength: count, maxLength: count }), (codes) => {
        const expected = codes.map((__, at) => at).sort((one, other) => codes[one]! - codes[other]! || one - other)
        expect([...order.of(Int32Array.from(codes), count, width * lanes).subarray(0, count)]).toEqual(expected)
      }),
      runs(100),
    )
  })
})

describe('the heap of indices', () => {
  it('gives the least first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), (indices) => {
        const heap = new IndexHeap()
        for (const index of indices) heap.push(index)
        const out: number[] = []
        for (let least = heap.least; least !== undefined; least = heap.least) {
          out.push(least)
          heap.pop()
        }
        expect(out).toEqual([...indices].sort((one, other) => one - other))
      }),
    )
  })
})
