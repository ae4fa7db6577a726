import { describe, expect, it } from 'vitest'
import { CallMark, callerOf, isCalledFrom } from '../../../src/runtime/callers.js'
import { systemClock } from '../../../src/runtime/clock.js'

const later = () => systemClock.sleep(1)

const endIn = (mark: CallMark, work: Promise<unknown>) =>
  new Promise((resolve) => mark.whenEnded(work, { callEnded: (...end) => resolve(end) }))

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
    await endIn(mark, call('at', 'once'))
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
    expect(await endIn(mark, Promise.resolve(5))).toEqual([null, 5])
    expect(await endIn(mark, Promise.reject(new Error('no')))).toEqual([{ error: new Error('no') }, undefined])
    expect(() => mark.calling(() => expect.fail('thrown'))('', '')).toThrow('thrown')
  })
})

describe('what is told that a call ended', () => {
  it('is not inside, and neither is what it calls and awaits', async () => {
    const mark = new CallMark()
    const seen: boolean[] = []
    const afterwards = async () => {
      seen.push(mark.isWithin)
      await later()
      seen.push(mark.isWithin)
    }
    await new Promise<void>((resolve) => {
      mark.whenEnded(mark.calling(() => later())('', ''), { callEnded: () => void afterwards().then(resolve) })
    })
    expect(seen).toEqual([false, false])
  })

  it('may begin calls, however many: they are inside, and each is waited for', async () => {
    const mark = new CallMark()
    const seen: string[] = []
    const call = mark.calling(async (name: string, end: 'well' | 'badly') => {
      const atOnce = mark.isWithin
      await later()
      seen.push(`${name}: ${atOnce} ${mark.isWithin}`)
      if (end === 'badly') throw new Error(name)
    })
    const begin = (names: readonly string[], end: 'well' | 'badly'): Promise<unknown> =>
      Promise.all(
        names.map(
          (name) =>
            new Promise<void>((resolve) => {
              mark.whenEnded(call(name, end), {
                callEnded: (failure) => {
                  seen.push(`${name} ended: ${failure === null ? 'well' : (failure.error as Error).message}`)
                  const next = name.length < 3 ? [`${name}a`, `${name}b`] : []
                  void begin(next, end === 'well' ? 'badly' : 'well').then(() => resolve())
                },
              })
            }),
        ),
      )
    await begin(['x'], 'badly')
    const all = ['x', 'xa', 'xb', 'xaa', 'xab', 'xba', 'xbb']
    const ends = all.map((name) => `${name} ended: ${name.length === 2 ? 'well' : name}`)
    expect(seen.sort()).toEqual([...all.map((name) => `${name}: true true`), ...ends].sort())
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
