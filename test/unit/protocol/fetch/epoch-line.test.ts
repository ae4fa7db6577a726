import { describe, expect, it } from 'vitest'
import { EpochLine } from '../../../../src/protocol/fetch/epoch-line.js'

describe('the epochs of what was read', () => {
  it('name for every offset the leader of the last record below it', () => {
    const line = new EpochLine(10, 2)
    line.read(10, 2)
    line.read(20, 2)
    line.read(30, 5)
    line.read(40, 6)
    expect([9, 10, 11, 30, 31, 40, 41, 99].map((offset) => line.before(offset))).toEqual([-1, 2, 2, 2, 5, 5, 6, 6])
  })

  it('are unknown below the first record that was read, and where nobody told', () => {
    const line = new EpochLine(10, -1)
    expect(line.before(10)).toBe(-1)
    line.read(10, 3)
    expect([10, 11].map((offset) => line.before(offset))).toEqual([-1, 3])
  })

  it('of a batch that begins before the position count from its beginning', () => {
    const line = new EpochLine(10, 1)
    line.read(8, 2)
    expect([9, 10].map((offset) => line.before(offset))).toEqual([2, 2])
  })

  it('tell where the first one after another began, of those that were read', () => {
    const line = new EpochLine(10, 3)
    expect(line.firstAfter(0)).toBeNull()
    line.read(12, 3)
    line.read(20, 5)
    expect([0, 3, 4, 5].map((epoch) => line.firstAfter(epoch))).toEqual([12, 20, 20, null])
  })

  it('stay bounded: of very old offsets it is forgotten', () => {
    const line = new EpochLine(0, -1)
    for (let epoch = 0; epoch < 1_000; epoch += 1) line.read(epoch, epoch)
    expect(line.before(1_000)).toBe(999)
    expect(line.before(10)).toBe(-1)
  })
})
