import { describe, expect, it } from 'vitest'
import { EpochLine } from '../../../../src/protocol/fetch/epoch-line.js'

describe('the epochs of what was read', () => {
  it('name for every offset the leader of the last record below it', () => {
    const line = new EpochLine(10, 2)
    line.read(10, 20, 2)
    line.read(20, 30, 2)
    line.read(30, 40, 5)
    line.read(40, 50, 6)
    expect([9, 10, 11, 30, 31, 40, 41, 99].map((offset) => line.before(offset))).toEqual([-1, 2, 2, 2, 5, 5, 6, 6])
  })

  it('are unknown below the first record that was read, and where nobody told', () => {
    const line = new EpochLine(10, -1)
    expect(line.before(10)).toBe(-1)
    line.read(10, 12, 3)
    expect([10, 11].map((offset) => line.before(offset))).toEqual([-1, 3])
  })

  it('of a batch that begins before the position count from its beginning', () => {
    const line = new EpochLine(10, 1)
    line.read(8, 12, 2)
    expect([9, 10].map((offset) => line.before(offset))).toEqual([2, 2])
  })

  it('tell where the first one after another began, of those that were read', () => {
    const line = new EpochLine(10, 3)
    expect(line.firstAfter(0)).toBeNull()
    line.read(12, 20, 3)
    line.read(20, 30, 5)
    expect([0, 3, 4, 5].map((epoch) => line.firstAfter(epoch))).toEqual([12, 20, 20, null])
  })

  it('that a commit told stay known beyond what is read, and what is read again changes only itself', () => {
    const line = new EpochLine(10, 1, [
      { from: 12, to: 20, leaderEpoch: 2 },
      { from: 30, to: 40, leaderEpoch: 4 },
    ])
    expect(line.end).toBe(40)
    line.read(10, 14, 2)
    line.read(14, 22, 3)
    expect([10, 11, 14, 15, 22, 31, 40].map((offset) => line.before(offset))).toEqual([1, 2, 2, 3, 3, 4, 4])
    line.read(32, 36, 5)
    expect(line.within(13, 38)).toEqual([
      { from: 13, to: 14, leaderEpoch: 2 },
      { from: 14, to: 22, leaderEpoch: 3 },
      { from: 30, to: 32, leaderEpoch: 4 },
      { from: 32, to: 36, leaderEpoch: 5 },
      { from: 36, to: 38, leaderEpoch: 4 },
    ])
    expect(line.end).toBe(40)
    line.forgetBelow(32)
    expect(line.before(32)).toBe(-1)
    expect(line.before(34)).toBe(5)
  })

  it('stay bounded: of very old offsets it is forgotten', () => {
    const line = new EpochLine(0, -1)
    for (let epoch = 0; epoch < 1_000; epoch += 1) line.read(epoch, epoch + 1, epoch)
    expect(line.before(1_000)).toBe(999)
    expect(line.before(10)).toBe(-1)
  })
})
