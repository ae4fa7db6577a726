import { describe, expect, it } from 'vitest'
import { leftOutOf } from '../../../../src/protocol/fetch/left-out.js'

describe('what an answer leaves out', () => {
  const at = (partition: number, node = 1) => {
    const assigned = { topic: 't', partition, position: 0 }
    return [`t-${partition}`, { partition: { assigned }, leader: { leader: 1 }, node }] as const
  }
  const asked: ReadonlyMap<string, never> = new Map([at(0), at(1), at(2, 3)]) as never
  const leftOut = (...told: readonly number[]) => {
    const partitions = told.map((partition) => ({ topic: 't', partition })) as never
    return leftOutOf(asked, { partitions, sessionId: 7, throttleTimeMs: 0 })
  }

  it('stands still where its leader was asked', () => {
    const some = leftOut(0)
    expect([...asked.keys()].filter((key) => some?.has(key))).toEqual(['t-1'])
    expect(some?.has('t-9')).toBe(false)
  })

  it('is all that was asked for, or some of it, or nothing', () => {
    expect(leftOut()?.isAll).toBe(true)
    expect(leftOut(0)?.isAll).toBe(false)
    expect(leftOut(0, 1, 2)).toBeNull()
  })

  it('is not known by a broker that throttles, nor outside a session', () => {
    expect(leftOutOf(asked, { partitions: [], sessionId: 7, throttleTimeMs: 1 })).toBeNull()
    expect(leftOutOf(asked, { partitions: [], sessionId: 0, throttleTimeMs: 0 })).toBeNull()
  })
})
