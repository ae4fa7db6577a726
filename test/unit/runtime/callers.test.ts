import { describe, expect, it } from 'vitest'
import { CallMark, callerOf, isCalledFrom } from '../../../src/runtime/callers.js'
import { systemClock } from '../../../src/runtime/clock.js'

const later = () => systemClock.sleep(1)

describe('a mark of calls', () => {
  it('is seen by what the call calls and awaits, however deep, and by nothing else', async () => {
    const mark = new CallMark()
    const other = new CallMark()
    const seen: Record<string, boolean> = {}
    const deep = async () => {
      await later()
      return mark.isWithin
    }
    let unawaited: Promise<boolean> = Promise.resolve(false)
    const call = mark.calling(async (input: string, context: string) => {
      seen[`${input} ${context}`] = mark.isWithin
      await later()
      seen['after an await'] = mark.isWithin
      seen['deep'] = await deep()
      seen['among several'] = (await Promise.all([later(), deep()]))[1]
      seen['of another'] = other.isWithin
      unawaited = systemClock.sleep(1).then(deep)
    })
    await new Promise((resolve) => void mark.whenEnded(call('at', 'once'), resolve))
    seen['started and not awaited'] = await unawaited
    expect(seen).toEqual({
      'at once': true,
      'after an await': true,
      deep: true,
      'among several': true,
      'of another': false,
      'started and not awaited': false,
    })
    expect(mark.isWithin).toBe(false)
  })

  it('lets what a call ends with through', async () => {
    const mark = new CallMark()
    const endOf = (work: Promise<unknown>) => new Promise((resolve) => void mark.whenEnded(work, resolve))
    expect(await endOf(Promise.resolve(5))).toBe(null)
    expect(await endOf(Promise.reject(new Error('no')))).toEqual({ error: new Error('no') })
    expect(() => mark.calling(() => expect.fail('thrown'))('', '')).toThrow('thrown')
  })
})

describe('the place of a caller', () => {
  it('is known by all that its function calls and awaits', async () => {
    let place: string | null = null
    const own = () => (place = callerOf(own))
    const asker = async () => {
      own()
      await later()
      return isCalledFrom(place as string)
    }
    const another = async () => {
      await later()
      return isCalledFrom(place as string)
    }
    expect(await asker()).toBe(true)
    expect(await another()).toBe(false)
  })

  it('is asked for without a trace in how others see their stacks', () => {
    const { stackTraceLimit, prepareStackTrace } = Error
    callerOf(() => null)
    expect([Error.stackTraceLimit, Error.prepareStackTrace]).toEqual([stackTraceLimit, prepareStackTrace])
  })
})
