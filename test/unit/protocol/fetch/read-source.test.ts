import { describe, expect, it } from 'vitest'
import { ReadSource } from '../../../../src/protocol/fetch/read-source.js'

const first = { leader: 1, leaderEpoch: 4 }

/** Sent by leader 1 to broker 2, until 60 s. */
function following(): ReadSource {
  const source = new ReadSource()
  expect(source.named(2, first, 0, 60_000)).toBe('follows')
  return source
}

describe('whom a partition is fetched from', () => {
  it('is its leader, until that names a follower', () => {
    const source = new ReadSource()
    expect(source.node(first, 0)).toBe(1)
    expect(source.named(-1, first, 0, 60_000)).toBe('stays')
    expect(source.named(1, first, 0, 60_000)).toBe('stays')
    expect([source.node(first, 0), source.hasFollowed]).toEqual([1, false])
    expect(source.named(2, first, 0, 60_000)).toBe('follows')
    expect([source.node(first, 0), source.hasFollowed]).toEqual([2, true])
  })

  it('is a follower for the time that it was named for, and no longer', () => {
    const source = following()
    expect(source.node(first, 59_999)).toBe(2)
    expect(source.node(first, 60_000)).toBe(1)
    expect([source.mayFollow(60_000), source.isUnsettled(60_000)]).toEqual([true, true])
  })

  it.each([
    ['another leads', { leader: 3, leaderEpoch: 5 }, 3],
    ['the same leads in another epoch', { leader: 1, leaderEpoch: 5 }, 1],
    ['the follower leads itself', { leader: 2, leaderEpoch: 5 }, 2],
    ['nobody leads', { leader: -1, leaderEpoch: 5 }, -1],
  ])('is the leader when %s', (_, leader, node) => {
    const source = following()
    expect(source.node(leader, 1)).toBe(node)
    expect(source.isUnsettled(1)).toBe(true)
    expect(source.node(first, 2)).toBe(1)
  })

  it('is the leader alone after a follower failed, longer with each failure in a row, and no longer than metadata are fresh', () => {
    const source = following()
    let now = 0
    for (const barMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
      source.followerFailed(2, now, 60_000)
      expect(source.node(first, now)).toBe(1)
      expect([source.mayFollow(now + barMs - 1), source.mayFollow(now + barMs)]).toEqual([false, true])
      expect([source.isUnsettled(now + barMs - 1), source.isUnsettled(now + barMs)]).toEqual([false, true])
      now += barMs
      expect(source.named(2, first, now, now + 60_000)).toBe('follows')
    }
    source.followerServed()
    source.followerFailed(2, now, 60_000)
    expect(source.mayFollow(now + 5_000)).toBe(true)
  })

  it('is not the follower that failed when the leader insists on it, but may be another one', () => {
    const source = following()
    source.followerFailed(2, 0, 60_000)
    expect(source.named(2, first, 1, 60_000)).toBe('failed-lately')
    expect(source.node(first, 1)).toBe(1)
    expect(source.named(3, first, 2, 60_000)).toBe('follows')
    expect(source.node(first, 2)).toBe(3)
  })

  it('is not changed by the failure of one that is not asked any more', () => {
    const source = following()
    source.followerFailed(3, 0, 60_000)
    expect(source.node(first, 1)).toBe(2)
    source.node({ leader: 3, leaderEpoch: 5 }, 2)
    source.followerFailed(2, 3, 60_000)
    expect(source.mayFollow(3)).toBe(true)
  })

  it('is settled for a time once the leader was told where the reader is', () => {
    const source = new ReadSource()
    expect(source.isUnsettled(0)).toBe(true)
    source.settle(60_000)
    expect([source.isUnsettled(59_999), source.isUnsettled(60_000)]).toEqual([false, true])
    const other = following()
    other.settle(60_000)
    expect([other.node(first, 1), other.isUnsettled(1)]).toEqual([2, false])
  })
})
