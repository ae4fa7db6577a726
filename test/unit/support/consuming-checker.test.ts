import { describe, expect, it } from 'vitest'
import type { DrainReport } from '../../../src/telemetry/drain-report.js'
import { ConsumingChecker, promises, type BrokenPromise } from '../../faults/consuming-checker.js'
import { historyOf } from '../../faults/consuming-history.js'
import type { Sample } from '../../faults/consuming-samples.js'
import type { MemberEvent } from '../../faults/member-log.js'
import type { MemberFate } from '../../faults/member-process.js'

const topic = 't'

/** What one member logs, in the words of the promises. */
class MemberScript {
  readonly events: MemberEvent[] = []
  readonly pauses: { from: number; to: number }[] = []
  fate: MemberFate = { kind: 'told-to-leave', at: 900 }
  exitCode: number | null = 0
  #tenure = 0

  constructor(readonly name: string) {}

  starts(at: number, offset: number, key = `k${offset}`, partition = 0): this {
    this.events.push({ kind: 'started', at, partition, offset, tenure: this.#tenure, key })
    return this
  }

  ends(at: number, offset: number, { late = false, aborted = false, partition = 0 } = {}): this {
    this.events.push({ kind: 'ended', at, partition, offset, tenure: this.#tenure, late, aborted })
    return this
  }

  /** A handler of the assignment before. */
  endsLate(at: number, offset: number): this {
    this.events.push({ kind: 'ended', at, partition: 0, offset, tenure: this.#tenure - 1, late: true, aborted: true })
    return this
  }

  handles(at: number, ...offsets: readonly number[]): this {
    for (const offset of offsets) this.starts(at + offset, offset).ends(at + offset + 0.5, offset)
    return this
  }

  /** What starts from now on belongs to the next assignment. */
  givesUp(at: number, reason: DrainReport['reason'], duplicates: readonly [from: number, to: number][] = []): this {
    const report: DrainReport = {
      reason,
      partitions: [{ topic, partition: 0 }],
      drained: 0,
      abandoned: 0,
      committed: [],
      possibleDuplicates: duplicates.map(([from, to]) => ({ topic, partition: 0, from, to })),
      doneBeyond: [],
      tookMs: 0,
    }
    this.events.push({ kind: 'drained', at, report })
    this.#tenure += 1
    return this
  }

  /** Its commit is answered. */
  commits(at: number): this {
    this.events.push({ kind: 'committed', at })
    return this
  }

  breaks(at: number, message: string): this {
    this.events.push({ kind: 'broken', at, message })
    return this
  }

  isKilled(at: number): this {
    this.fate = { kind: 'killed', at }
    this.exitCode = null
    return this
  }

  standsStill(from: number, to: number): this {
    this.pauses.push({ from, to })
    return this
  }
}

const member = (name: string) => new MemberScript(name)

/** The group's commits as they were seen, of partition 0. */
const committed = (...commits: readonly [at: number, offset: number, completed?: readonly [number, number][]][]) =>
  commits.map(([at, offset, completed = []]): Sample => ({
    at,
    offsets: new Map([[0, { offset, completed: completed.map(([from, to]) => ({ from, to })), isMarked: true }]]),
  }))

async function check(members: readonly MemberScript[], samples: readonly Sample[], end = 4) {
  const histories = await Promise.all(
    members.map(async ({ name, fate, exitCode, pauses, events }) =>
      historyOf({ name, version: 'present', fate, exitCode, pauses, events: () => Promise.resolve(events) }),
    ),
  )
  return new ConsumingChecker({ startedAt: 0, members: histories, samples, ends: [end] }).report()
}

const brokenOf = (promise: BrokenPromise | null, count = 1) =>
  Object.fromEntries(promises.map((name) => [name, name === promise ? count : 0]))

const good = () => member('a').handles(10, 0, 1, 2, 3).givesUp(800, 'stopped')

/** What a member that lost its partitions handles below the commit is no fault of its own. */
const lostInTheEnd = () => [member('a').handles(10, 0, 1, 2, 3).givesUp(800, 'lost')]

describe('the checker of consumers finds nothing', () => {
  it('when one member handles everything and commits what it has done', async () => {
    const report = await check([good()], committed([5, 0], [12, 2], [20, 4]))
    expect(report.broken).toEqual(brokenOf(null))
    expect(report).toMatchObject({ records: 4, runs: 4, repeats: 0, samples: 3, drains: { stopped: 1 } })
  })

  it('when what is repeated was reported by who had it before', async () => {
    const first = member('a')
      .handles(10, 0, 1)
      .starts(12, 2)
      .givesUp(50, 'revoked', [[1, 3]])
      .endsLate(60, 2)
    const second = member('b').handles(100, 1, 2, 3).givesUp(800, 'stopped')
    const report = await check([first, second], committed([40, 1], [200, 4]))
    expect(report.broken).toEqual(brokenOf(null))
    expect(report).toMatchObject({ repeats: 2, repeatsReported: 2, lateEnds: 1 })
  })

  it('when what is repeated was in the hands of a member that was killed', async () => {
    const first = member('a').handles(10, 0, 1).starts(12, 2).isKilled(50)
    const second = member('b').handles(100, 1, 2, 3).givesUp(800, 'stopped')
    const report = await check([first, second], committed([40, 1], [200, 4]))
    expect(report.broken).toEqual(brokenOf(null))
    expect(report).toMatchObject({ repeats: 2, repeatsAfterKill: 2 })
  })

  it('when a killed member had settled what is repeated just before its last commit, or after it', async () => {
    const first = member('a').handles(10, 0).handles(500, 1, 2).commits(600).handles(610, 3).isKilled(650)
    const second = member('b').handles(700, 1, 2, 3).givesUp(800, 'stopped')
    const report = await check([first, second], committed([40, 1], [790, 4]))
    expect(report.broken).toEqual(brokenOf(null))
    expect(report.kills.present).toEqual({ kills: 1, settled: 3, oldestMs: 650 - 501.5 })
    expect(report.kills.former).toEqual({ kills: 0, settled: 0, oldestMs: 0 })
  })

  it('when a completed range beyond the commit was handled', async () => {
    const report = await check([good()], committed([11, 0, [[0, 1]]], [14, 2, [[3, 4]]], [20, 4]))
    expect(report.broken).toEqual(brokenOf(null))
  })
})

describe('the checker of consumers finds', () => {
  const planted: readonly (readonly [
    what: string,
    promise: BrokenPromise,
    members: () => readonly MemberScript[],
    samples: readonly Sample[],
  ])[] = [
    [
      'a record that nobody handled',
      'missed',
      () => [member('a').handles(10, 0, 1, 3).givesUp(800, 'stopped')],
      committed([5, 0]),
    ],
    [
      'a record whose handler never ended in time',
      'missed',
      () => [
        member('a')
          .handles(10, 0, 1, 3)
          .starts(20, 2)
          .ends(30, 2, { late: true, aborted: true })
          .givesUp(800, 'stopped', [[2, 3]]),
      ],
      committed([5, 0]),
    ],
    [
      'a record that is handled during the former one of its key',
      'outOfOrder',
      () => [
        member('a')
          .starts(10, 0, 'k')
          .starts(11, 1, 'k')
          .ends(12, 0)
          .ends(13, 1)
          .handles(20, 2, 3)
          .givesUp(800, 'stopped'),
      ],
      committed([5, 0]),
    ],
    [
      'a record that is handled after a later one of its key',
      'outOfOrder',
      () => [
        member('a')
          .starts(10, 1, 'k')
          .ends(11, 1)
          .starts(12, 0, 'k')
          .ends(13, 0)
          .handles(20, 2, 3)
          .givesUp(800, 'stopped'),
      ],
      committed([5, 0]),
    ],
    [
      'a repeat that the former owner did not report',
      'unexplainedRepeat',
      () => [
        member('a').handles(10, 0, 1, 2).givesUp(50, 'revoked'),
        member('b').handles(100, 2, 3).givesUp(800, 'stopped'),
      ],
      committed([40, 2], [200, 4]),
    ],
    [
      'a repeat outside the reported range',
      'unexplainedRepeat',
      () => [
        member('a')
          .handles(10, 0, 1, 2)
          .givesUp(50, 'revoked', [[0, 2]]),
        member('b').handles(100, 2, 3).givesUp(800, 'stopped'),
      ],
      committed([40, 2], [200, 4]),
    ],
    [
      'a repeat by a member that had not given the partition up',
      'unexplainedRepeat',
      () => [good().handles(900, 3).givesUp(950, 'stopped')],
      committed([5, 0]),
    ],
    [
      'a repeat between two owners of whom a third one was killed',
      'unexplainedRepeat',
      () => [
        member('a').handles(10, 0, 1, 2).givesUp(50, 'revoked'),
        member('b').handles(100, 3).givesUp(150, 'revoked'),
        member('c').handles(200, 2, 3).isKilled(300),
        member('d').handles(400, 2, 3).givesUp(800, 'stopped'),
      ],
      committed([40, 2]),
    ],
    [
      'a repeat of what a killed member had settled long before its last commit',
      'repeatedLongSettled',
      () => [
        member('a').handles(10, 0, 1, 2).commits(1_600).isKilled(1_650),
        member('b').handles(1_700, 2, 3).givesUp(1_800, 'stopped'),
      ],
      committed([40, 2], [1_750, 4]),
    ],
    ['a commit of what nobody has handled yet', 'committedAhead', lostInTheEnd, committed([11.7, 3], [20, 4])],
    [
      'a completed range that nobody has handled yet',
      'committedAhead',
      lostInTheEnd,
      committed([11.7, 1, [[2, 4]]], [20, 4]),
    ],
    [
      'a record that is handled by its owner below the commit',
      'handledBelowCommit',
      () => [member('a').handles(10, 0, 1, 2, 3).isKilled(50), member('b').handles(100, 1).givesUp(800, 'stopped')],
      committed([5, 0], [40, 4]),
    ],
    [
      'a record that is handled again although committed as completed',
      'handledBelowCommit',
      () => [member('a').handles(10, 0, 1, 2, 3).isKilled(50), member('b').handles(100, 3).givesUp(800, 'stopped')],
      committed([5, 0], [40, 2, [[3, 4]]]),
    ],
    ['a commit that goes back', 'wentBack', () => [good()], committed([20, 4], [30, 2], [40, 4])],
    [
      'a handler that outlived its assignment and was not told',
      'notAborted',
      () => [
        member('a')
          .handles(10, 0, 1)
          .starts(12, 2)
          .ends(60, 2, { late: true, aborted: false })
          .givesUp(70, 'revoked', [[2, 3]]),
        member('b').handles(100, 2, 3).givesUp(800, 'stopped'),
      ],
      committed([40, 2], [200, 4]),
    ],
    [
      'a member that says it failed',
      'brokenMember',
      () => [good().breaks(100, 'the consumer failed')],
      committed([5, 0]),
    ],
    [
      'a member that does not end when it is told to',
      'brokenMember',
      () => [Object.assign(good(), { exitCode: null })],
      committed([5, 0]),
    ],
    [
      'a member that ends with an error',
      'brokenMember',
      () => [Object.assign(good(), { exitCode: 1 })],
      committed([5, 0]),
    ],
    [
      'a member that leaves a partition without a report',
      'brokenMember',
      () => [member('a').handles(10, 0, 1, 2, 3)],
      committed([5, 0]),
    ],
  ]

  it.each(planted)('%s (%s)', async (_, promise, members, samples) => {
    const report = await check(members(), samples)
    expect(report.broken).toEqual(brokenOf(promise, report.broken[promise]))
    expect(report.broken[promise]).toBeGreaterThan(0)
    expect(report.examples[promise].length).toBeGreaterThan(0)
  })

  it('every kind of broken promise: there is a planted history for each', () => {
    expect(new Set(planted.map(([, promise]) => promise))).toEqual(new Set(promises))
  })
})

describe('what a member did after a pause in which it lost its partitions', () => {
  it('does not count as handled', async () => {
    const stopped = member('a')
      .handles(10, 0, 1)
      .starts(12, 2)
      .ends(6_000, 2)
      .givesUp(6_100, 'lost', [[2, 3]])
    stopped.standsStill(20, 5_900)
    const without = await check([stopped, member('b').handles(7_000, 3).givesUp(8_000, 'stopped')], committed([15, 2]))
    expect(without.broken).toEqual(brokenOf('missed'))
    const other = member('b').handles(4_000, 2, 3).givesUp(8_000, 'stopped')
    expect((await check([stopped, other], committed([15, 2]))).broken).toEqual(brokenOf(null))
  })
})
