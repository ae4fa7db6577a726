import { createMessaging, type Message } from 'tidemark'
import { degradation, degradeHeader, followLevels, Ladder, levelWatcher, type LevelNotice } from 'tidemark/degrade'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { handleOne } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { control, shedding, work } from './shedding.js'

describe('with options', () => {
  const driver = memory({ cluster: createMemoryCluster({ brokers: 1 }) })
  const messaging = createMessaging({ driver, logger: 'silent' })

  it.each<[object, RegExp]>([
    [{ shedTo: 'a' }, /keep.*missing/],
    [{ keep: () => true, shedTo: 'a', levels: { 1: { divertFrom: 2 } } }, /divertTo.*missing/],
    [{ keep: () => true, shedTo: 'a', levels: 3 }, /levels: is 3/],
    [{ keep: () => true, shedTo: 'a', levels: { 4: {} } }, /levels\.4: is no level; .*1, 2 and 3/],
    [{ keep: () => true, shedTo: 'a', levels: { 2: [] } }, /levels\.2: is a list of 0; write { shedFrom/],
    [{ keep: () => true, shedTo: 'a', levels: { 1: { shedFrm: 2 } } }, /levels\.1\.shedFrm: .*did you mean shedFrom/],
    [
      { keep: () => true, shedTo: 'a', levels: { 3: { divertFrom: 0 } } },
      /levels\.3\.divertFrom: is 0; write a priority/,
    ],
    [
      { keep: () => true, shedTo: 'a', levels: { 1: { sample: { share: 2 } } } },
      /levels\.1\.sample\.share: is 2; .*from 0 to 1\s+levels\.1\.sample\.from: is missing/,
    ],
    [{ keep: () => true, shedTo: 'a b' }, /name/],
  ])('that cannot work a degradation is refused: %j', (options, problem) => {
    expect(() => degradation(messaging, options as never)).toThrow(problem)
  })

  it.each<[object, RegExp]>([
    [{ raiseAt: [1, 2] }, /raiseAt: is a list of 2.*three whole numbers/],
    [{ raiseAt: [100, 100, 200] }, /raiseAt/],
    [{ raiseAt: [0, 1, 2] }, /raiseAt/],
    [{ raiseAfter: 0 }, /raiseAfter: is 0/],
    [{ clearAfter: 1.5 }, /clearAfter: is 1.5/],
    [{ clearShare: 1 }, /clearShare: is 1.*below 1/],
    [{ rise: 1 }, /rise: is not an option/],
  ])('that cannot work ladder and watcher are refused: %j', (options, problem) => {
    expect(() => new Ladder(options)).toThrow(problem)
    const monitor = { look: () => Promise.resolve([]) }
    expect(() => levelWatcher(messaging, { monitor, topic: control, ...options })).toThrow(problem)
  })

  it('that cannot work a watcher or follower is refused, and a notice that is none', async () => {
    const monitor = { look: () => Promise.resolve([]) }
    const watcher = (options: object) => () => levelWatcher(messaging, options as never)
    expect(watcher({ monitor })).toThrow(/topic: is missing/)
    expect(watcher({ topic: control })).toThrow(/monitor: is missing/)
    expect(watcher({ monitor, topic: control, lastsMs: 600_001 })).toThrow(/lastsMs: is 600001/)
    await expect(levelWatcher(messaging, { monitor, topic: control }).look()).rejects.toThrow('watches no group')
    expect(() => followLevels(messaging, control, {} as never)).toThrow(/degradation/)
    for (const topic of [work, 'work.control', undefined]) {
      expect(() => followLevels(messaging, topic as never, shedding(messaging))).toThrow(
        /topic: .*give what controlTopic/,
      )
      expect(watcher({ monitor, topic })).toThrow(/topic: .*write what controlTopic/)
    }
    const less = shedding(messaging)
    expect(() => less.take(null as never)).toThrow('notice: is null; write { level, epoch, lastsMs }')
    expect(() => less.take({ level: 4, epoch: 1, lastsMs: 1 } as never)).toThrow(
      'notice.level: is 4; write 0, 1, 2 or 3',
    )
    expect(() => less.take({ level: 1, epoch: NaN } as never)).toThrow(
      /notice\.epoch: is NaN;.*\n.*lastsMs: is missing/,
    )
    const notice: LevelNotice = { level: 1, epoch: 1, lastsMs: 1_000 }
    expect([less.take(notice, 1_000), less.take(notice, -5)]).toEqual([false, true])
    expect(less.decide({ key: null, value: 'drop' } as Message<string>)).toBe('shed')
    // No number, as `Number(undefined)`: not even a sample is taken of it.
    const none = shedding(messaging, { priorityOf: () => NaN, levels: { 1: { sample: { from: 1, share: 0 } } } })
    none.take(notice)
    expect(none.decide({ key: Buffer.from('k'), value: 'drop' } as Message<string>)).toBe('handle')
  })

  it('as undefined everything is at its default, and a handler alone can be tried at a level', async () => {
    const nothing = { raiseAt: undefined, raiseAfter: undefined, clearShare: undefined, clearAfter: undefined }
    const ladder = new Ladder(nothing)
    expect([1, 2, 3].map(() => ladder.look(100_000))).toEqual([0, 0, 1])
    const rest = { levels: undefined, divertTo: undefined, onLevel: undefined }
    const less = shedding(messaging, rest)
    less.take({ level: 3, epoch: 1, lastsMs: 60_000 })
    const handle = less.around<Message<string, 'work'>>(() => {
      throw new Error('must not be called')
    })
    const { outcome, sent } = await handleOne(work, 'drop', handle)
    expect(outcome).toBe('handled')
    expect(sent.map(({ topic, value }) => [topic, String(value)])).toEqual([['work.shed', 'drop']])
    const later = shedding(messaging, { levels: { 3: { divertFrom: 2 } }, divertTo: 'work.later' })
    later.take({ level: 3, epoch: 1, lastsMs: 60_000 })
    const diverted = await handleOne(
      work,
      'drop',
      later.around<Message<string, 'work'>>(() => undefined),
    )
    expect(diverted.sent.map(({ topic, headers }) => [topic, headers.get(degradeHeader.outcome)])).toEqual([
      ['work.later', 'divert'],
    ])
    expect(later.facts()).toMatchObject({ level: 3, shed: 0, diverted: 1, refused: 0 })
    // Only JavaScript can give it a batch.
    const batches: unknown[] = []
    const whole = less.around(((batch: unknown) => void batches.push(batch)) as never)
    void whole([1, 2] as never, {} as never)
    expect(batches).toEqual([[1, 2]])
  })
})
