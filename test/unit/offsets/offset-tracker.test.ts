import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { completedRangesText, mostRangesIn } from '../../../src/offsets/completed-ranges.js'
import { OffsetTracker } from '../../../src/offsets/offset-tracker.js'
import type { OffsetRange } from '../../../src/offsets/offset-range.js'

/** Receives offsets and gives their tickets by offset. */
function receiveAll(tracker: OffsetTracker, offsets: readonly number[]): Map<number, number> {
  return new Map(offsets.map((offset) => [offset, tracker.receive(offset)]))
}

describe('offset tracker', () => {
  it('never lets the committable offset pass an unfinished record', () => {
    const tracker = new OffsetTracker(10)
    const tickets = receiveAll(tracker, [10, 11, 12])
    tracker.settle(tickets.get(11) as number)
    tracker.settle(tickets.get(12) as number)
    expect(tracker.committable).toBe(10)
    tracker.settle(tickets.get(10) as number)
    expect(tracker.committable).toBe(13)
  })

  it('tells the lowest completed ranges, as many as a commit can hold, which says the same as all of them', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(1_500), { minLength: 1, maxLength: 900 }),
        fc.array(fc.nat(2_000), { maxLength: 4 }),
        fc.integer({ min: 1, max: 600 }),
        (settled, restored, maxBytes) => {
          const tracker = new OffsetTracker(
            0,
            restored.map((from) => ({ from: from + 1_600, to: from + 1_605 })),
          )
          const tickets = receiveAll(
            tracker,
            Array.from({ length: 1_501 }, (_, offset) => offset),
          )
          for (const offset of settled) tracker.settle(tickets.get(offset) as number)
          const all = tracker.completedRanges()
          const most = mostRangesIn(maxBytes)
          const lowest = tracker.completedRanges(most)
          expect(lowest).toEqual(all.slice(0, most))
          const text = (ranges: readonly OffsetRange[]) =>
            completedRangesText(tracker.committable, ranges).fit(maxBytes)
          expect(text(lowest)).toBe(text(all))
        },
      ),
    )
  })

  it('passes holes: up to the lowest unfinished record, and up to the end of the fetch when all is done', () => {
    const tracker = new OffsetTracker(0)
    const tickets = receiveAll(tracker, [3, 7])
    expect(tracker.committable).toBe(3)
    tracker.receivedUpTo(12)
    tracker.settle(tickets.get(3) as number)
    expect(tracker.committable).toBe(7)
    tracker.settle(tickets.get(7) as number)
    expect(tracker.committable).toBe(12)
  })

  it('moves over a fetch that holds no records at all', () => {
    const tracker = new OffsetTracker(5)
    tracker.receivedUpTo(9)
    expect(tracker.committable).toBe(9)
  })

  it('does not hand out a record twice when a fetch repeats it', () => {
    const tracker = new OffsetTracker(0)
    receiveAll(tracker, [0, 1, 2])
    expect(tracker.receive(1)).toBe(-1)
    expect(tracker.receive(3)).not.toBe(-1)
  })

  it('skips what an earlier owner finished, and keeps saying so until it is passed', () => {
    const tracker = new OffsetTracker(10, [
      { from: 12, to: 14 },
      { from: 20, to: 21 },
    ])
    const tickets = receiveAll(tracker, [10, 11, 12, 13, 14])
    expect([...tickets].filter(([, ticket]) => ticket === -1).map(([offset]) => offset)).toEqual([12, 13])
    expect(tracker.completedRanges()).toEqual([
      { from: 12, to: 14 },
      { from: 20, to: 21 },
    ])
    for (const offset of [10, 11]) tracker.settle(tickets.get(offset) as number)
    expect(tracker.committable).toBe(14)
    expect(tracker.completedRanges()).toEqual([{ from: 20, to: 21 }])
  })

  it('settles whole batches, and settling twice changes nothing', () => {
    const tracker = new OffsetTracker(0)
    const first = tracker.receive(0)
    for (let offset = 1; offset < 300; offset++) tracker.receive(offset)
    tracker.settle(first + 100, 100)
    tracker.settle(first + 150)
    expect(tracker.unfinished).toBe(200)
    expect(tracker.completedRanges()).toEqual([{ from: 100, to: 200 }])
    tracker.settle(first, 120)
    expect(tracker.committable).toBe(200)
    expect(tracker.unfinished).toBe(100)
  })

  it('tells what was begun and not finished', () => {
    const tracker = new OffsetTracker(0)
    const tickets = receiveAll(tracker, [0, 1, 2, 3, 4])
    for (const offset of [1, 2, 4]) tracker.start(tickets.get(offset) as number)
    tracker.settle(tickets.get(4) as number)
    expect(tracker.startedRanges()).toEqual([{ from: 1, to: 3 }])
    expect(tracker.startedRecords()).toBe(2)
  })

  it('agrees with a naive model over any history', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('fetch' as const), gaps: fc.array(fc.nat(3), { maxLength: 40 }), tail: fc.nat(4) }),
      fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(1000) }),
      fc.record({ kind: fc.constant('settleLowest' as const), count: fc.nat(60) }),
    )
    const ranges = fc.array(
      fc.record({ gap: fc.integer({ min: 1, max: 10 }), length: fc.integer({ min: 1, max: 10 }) }),
      {
        maxLength: 4,
      },
    )
    fc.assert(
      fc.property(ranges, fc.array(step, { maxLength: 60 }), (restored, steps) => {
        let at = 100
        const completed = restored.map(({ gap, length }) => {
          const from = at + gap
          at = from + length
          return { from, to: at }
        })
        const tracker = new OffsetTracker(100, completed)
        const model = new NaiveModel(100, completed)
        let last = 100
        for (const one of steps) {
          if (one.kind === 'fetch') {
            let offset = model.end - 1
            for (const gap of one.gaps) {
              offset += 1 + gap
              const ticket = tracker.receive(offset)
              expect(ticket === -1).toBe(!model.receive(offset, ticket))
            }
            model.end = offset + 1 + one.tail
            tracker.receivedUpTo(model.end)
          } else {
            const open = model.open()
            const chosen =
              one.kind === 'settle' ? [open[one.pick % Math.max(1, open.length)]] : open.slice(0, one.count)
            for (const offset of chosen) {
              if (offset === undefined) continue
              tracker.settle(model.tickets.get(offset) as number)
              model.done.add(offset)
            }
          }
          expect(tracker.committable).toBe(model.committable())
          expect(tracker.committable).toBeGreaterThanOrEqual(last)
          expect(tracker.unfinished).toBe(model.open().length)
          const claimed = new Set(tracker.completedRanges().flatMap(({ from, to }) => offsetsOf(from, to)))
          expect(model.open().filter((offset) => claimed.has(offset))).toEqual([])
          const beyond = [...model.done].filter((offset) => offset > tracker.committable)
          expect(beyond.filter((offset) => !claimed.has(offset))).toEqual([])
          last = tracker.committable
        }
      }),
      { numRuns: 300 },
    )
  })
})

class NaiveModel {
  readonly received: number[] = []
  readonly tickets = new Map<number, number>()
  readonly done = new Set<number>()

  constructor(
    public end: number,
    readonly completed: readonly OffsetRange[],
  ) {}

  /** Is it to be handled? */
  receive(offset: number, ticket: number): boolean {
    this.received.push(offset)
    if (this.completed.some(({ from, to }) => offset >= from && offset < to)) {
      this.done.add(offset)
      return false
    }
    this.tickets.set(offset, ticket)
    return true
  }

  open(): number[] {
    return this.received.filter((offset) => !this.done.has(offset))
  }

  committable(): number {
    return this.open()[0] ?? this.end
  }
}

function offsetsOf(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
