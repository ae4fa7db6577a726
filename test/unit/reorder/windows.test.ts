import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slidingWindows, tumblingWindows } from 'tidemark/event-time'
import { runs } from './worlds.js'

const list = { empty: (): number[] => [], add: (sum: number[], value: number) => [...sum, value] }

describe('windows of event time', () => {
  it('have each value in the windows that hold its time, and are closed once, the oldest first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(200), { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }).chain((every) => fc.tuple(fc.constant(every), fc.integer({ min: 1, max: 4 }))),
        fc.integer({ min: -7, max: 7 }),
        (times, [everyMs, overlaps], offsetMs) => {
          const sizeMs = everyMs * overlaps
          const windows = slidingWindows({ ...list, sizeMs, everyMs, offsetMs })
          for (const time of times) expect(windows.add(time, time)).toBe('added')
          const closed = windows.advance(1_000)
          const expected = new Map<number, number[]>()
          for (const time of times) {
            for (let from = time - sizeMs + 1; from <= time; from += 1) {
              const isStart = (((from - offsetMs) % everyMs) + everyMs) % everyMs === 0
              if (isStart) expected.set(from, [...(expected.get(from) ?? []), time])
            }
          }
          const inOrder = [...expected].sort(([one], [other]) => one - other)
          expect(closed.map(({ from, to, sum }) => [from, to, sum])).toEqual(
            inOrder.map(([from, sum]) => [from, from + sizeMs, sum]),
          )
          expect([windows.open, windows.advance(2_000)]).toEqual([0, []])
        },
      ),
      runs(1_000),
    )
  })

  it('are closed when the watermark has come to their last millisecond, not before', () => {
    const windows = tumblingWindows({ ...list, sizeMs: 10 })
    windows.add(5, 5)
    expect(windows.advance(8)).toEqual([])
    expect(windows.advance(9)).toEqual([{ key: '', from: 0, to: 10, sum: [5] }])
  })

  it('take nothing late, unless another of its windows is open still; and a watermark that goes back opens none', () => {
    const tumbling = tumblingWindows({ ...list, sizeMs: 10 })
    tumbling.advance(19)
    tumbling.advance(3)
    expect([tumbling.add(15, 15), tumbling.add(20, 20)]).toEqual(['late', 'added'])
    const sliding = slidingWindows({ ...list, sizeMs: 10, everyMs: 5 })
    sliding.advance(9)
    expect([sliding.add(7, 7), sliding.open]).toEqual(['added', 1])
  })

  it('are apart by key, and forgotten when they are cleared', () => {
    const counts = tumblingWindows({
      sizeMs: 10,
      empty: () => 0,
      add: (sum, _: string) => sum + 1,
      keyOf: (value) => value,
    })
    for (const key of ['a', 'b', 'a']) counts.add(3, key)
    expect(counts.advance(9).map(({ key, sum }) => [key, sum])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    counts.add(12, 'a')
    counts.clear()
    expect(counts.advance(100)).toEqual([])
  })

  it.each([
    [{ sizeMs: 0 }, /sizeMs/],
    [{ sizeMs: 10, everyMs: 20 }, /everyMs: .*from 1 to sizeMs, 10/],
    [{ sizeMs: 100_000, everyMs: 1 }, /everyMs: .*from 10 /],
    [{ sizeMs: 1.5, empty: 0 }, /empty/],
  ])('refuse sizes that are none: %j', (options, message) => {
    expect(() => slidingWindows({ ...list, everyMs: 1, ...options } as never)).toThrow(message)
  })

  it.each<[string, () => unknown, RegExp]>([
    [
      'none at all',
      () => (slidingWindows as () => unknown)(),
      /slidingWindows: .*\n.*options: is missing; write an object/,
    ],
    ['size', () => tumblingWindows({ ...list, size: 5 } as never), /size: is not an option; did you mean sizeMs/],
    [
      'everyMs',
      () => tumblingWindows({ ...list, sizeMs: 5, everyMs: 1 } as never),
      /everyMs: is not an option; take it out/,
    ],
    ['offset', () => slidingWindows({ ...list, sizeMs: 5, everyMs: 1, offset: 1 } as never), /did you mean offsetMs/],
  ])('refuse options that they do not have: %s', (_, give, message) => {
    expect(give).toThrow(message)
  })

  it.each<[string, (windows: ReturnType<typeof tumblingWindows<number, number[]>>) => unknown, RegExp]>([
    [
      'a time that is missing',
      (windows) => windows.add(undefined as never, 1),
      /windows.add.*\n.*timestamp: is missing; write ms/,
    ],
    ['a value for the time', (windows) => windows.add({ value: 1 } as never, 5), /timestamp: is an object; write ms/],
    ['a text for the time', (windows) => windows.add('2026-01-01' as never, 1), /timestamp: is a string; write ms/],
    [
      'a watermark that is missing',
      (windows) => windows.advance(undefined as never),
      /windows.advance.*\n.*watermark: is missing/,
    ],
  ])('refuse %s, in place of calling everything late or closing nothing', (_, give, message) => {
    const windows = tumblingWindows({ ...list, sizeMs: 10 })
    expect(() => give(windows)).toThrow(message)
    expect([windows.add(5, 5), windows.advance(Infinity)]).toEqual(['added', [{ key: '', from: 0, to: 10, sum: [5] }]])
  })

  it.each<[string, unknown, RegExp]>([
    ['nothing', (sum: number[], value: number) => void sum.push(value), /add: gave nothing back; return the new sum/],
    ['a promise', (sum: number[]) => Promise.resolve(sum), /add: gave a promise back; return the new sum, at once/],
  ])('refuse a function that gives %s in place of a sum, and keep what there was', (_, add, message) => {
    let isWrong = false
    const adding = (sum: number[], value: number) =>
      isWrong ? (add as typeof list.add)(sum, value) : list.add(sum, value)
    const windows = tumblingWindows({ empty: list.empty, add: adding, sizeMs: 10 })
    windows.add(5, 5)
    isWrong = true
    expect(() => windows.add(15, 15)).toThrow(message)
    expect(windows.advance(100)).toEqual([{ key: '', from: 0, to: 10, sum: [5] }])
  })
})
