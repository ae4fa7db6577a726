import { describe, expect, it } from 'vitest'
import { judgeGroup } from '../../../src/console/model/group-verdict.js'
import { groupView } from '../../../src/console/model/group-views.js'
import { overviewOf } from '../../../src/console/model/overview.js'
import { partitionVerdict } from '../../../src/console/model/partition-verdict.js'
import type { GroupSight, PartitionFactsSight, PartitionSight, Sight } from '../../../src/console/model/sight.js'
import { topicsView } from '../../../src/console/model/topic-view.js'
import { shedView } from '../../../src/console/model/shed-view.js'

const now = 1_000_000

function placed(more: Partial<PartitionSight> = {}): PartitionSight {
  return {
    ...{ topic: 'orders', partition: 3, committed: 100, start: 0, end: 100, lag: 0, lagMs: 0, trend: 'ok' as const },
    ...{ standsSince: null, stoodBefore: false, owner: 'billing-7', facts: null, lags: [0] },
    ...more,
  }
}

function told(more: Partial<PartitionFactsSight> = {}): PartitionFactsSight {
  return {
    ...{ state: 'active', settled: 100, position: 164, unsettled: 64, running: 1, queued: 63, waitsFor: 'handler' },
    ...{ stalledMs: 252_000, stoppedBy: null, pausedBy: [], deadLetterFailures: 0 },
    ...more,
  }
}

function grouped(partitions: readonly PartitionSight[], more: Partial<GroupSight> = {}): GroupSight {
  const lag = partitions.reduce((sum, one) => sum + one.lag, 0)
  return {
    group: 'billing',
    description: { state: 'Stable', type: 'classic', epoch: null, coordinator: 1 },
    members: [
      {
        memberId: 'm',
        groupInstanceId: null,
        clientId: 'billing-7',
        clientHost: '/10.0.0.1',
        partitions: 1,
        facts: null,
      },
    ],
    lag: {
      group: 'billing',
      at: now,
      partitions,
      unseen: [],
      lag,
      lagMs: 0,
      trend: 'ok',
      drainMs: 0,
      instancesThatHelp: 1,
    },
    unseenWhy: null,
    partitions,
    history: [],
    ...more,
  }
}

function seen(groups: readonly GroupSight[], more: Partial<Sight> = {}): Sight {
  return {
    ...{ at: now, watchedSince: 0, groups, letterTopics: [], failure: null, processes: [] },
    cluster: { clusterId: 'c', brokers: [1, 2, 3], down: [], places: new Map(), withoutLeader: 0, underReplicated: 0 },
    cost: { tookMs: 10, everyMs: 5_000 },
    ...more,
  }
}

const standing = placed({ lag: 4_180, end: 4_280, standsSince: now - 240_000 })

describe('the verdict on a partition', () => {
  it.each<readonly [what: string, sight: PartitionSight, level: string, text: RegExp]>([
    [
      'handler',
      placed({ lag: 9, facts: told() }),
      'act',
      /^billing stands still on orders-3 at 100 for 4 min 12 s: its handler has not ended on billing-7$/,
    ],
    [
      'stopped',
      placed({ lag: 9, facts: told({ stoppedBy: 'undecodable', stalledMs: 0 }) }),
      'act',
      /it stopped at a record that had nowhere to go \(undecodable\)/,
    ],
    ['from outside', standing, 'act', /for 4 min: why cannot be told from outside; billing-7 told no facts$/],
    ['seen standing at first', { ...standing, stoodBefore: true }, 'act', /for at least 4 min/],
    ['moves by its own word', { ...standing, facts: told({ stalledMs: 0, waitsFor: null }) }, 'ok', /keeps up/],
    [
      'retention',
      placed({ committed: 10, start: 1_214, lag: 5, end: 15 }),
      'act',
      /has lost 1,204 records on orders-3 to retention/,
    ],
    [
      'made anew',
      placed({ committed: 500, end: 7, lag: 7, trend: 'past-the-end' }),
      'act',
      /stands beyond the end of orders-3 at 500/,
    ],
    [
      'its own word where it has never committed',
      placed({ committed: null, lag: 100, facts: told({ settled: 0, stalledMs: 5_000 }) }),
      'ok',
      /^orders-3 keeps up$/,
    ],
    ['never committed', placed({ committed: null, lag: 100 }), 'unjudged', /has never committed on orders-3/],
    [
      'falls behind',
      placed({ lag: 900, lagMs: 61_000, trend: 'falling-behind' }),
      'watch',
      /falls behind on orders-3: 1 min 1 s, 900 records/,
    ],
    ['rewound', placed({ lag: 900, trend: 'rewound' }), 'watch', /was set back/],
    ['no work', placed(), 'ok', /nothing left to read/],
  ])('tells %s', (_, sight, level, text) => {
    const verdict = partitionVerdict('billing', sight, now, true)
    expect([verdict.level, verdict.text]).toEqual([level, expect.stringMatching(text)])
  })

  it('takes no standstill for one before half a minute', () => {
    const sight = placed({ lag: 9, facts: told({ stalledMs: 29_000 }) })
    expect(partitionVerdict('billing', sight, now, true).level).toBe('ok')
  })
})

describe('the verdict on a group', () => {
  it('names the worst partition, and how many more', () => {
    const group = grouped([placed(), standing, { ...standing, partition: 4, lag: 1 }])
    expect(judgeGroup(group, now)).toMatchObject({
      verdict: { level: 'act', text: expect.stringMatching(/on orders-3 .*; so do 1 more partition$/) as string },
      partitions: [{ sight: { partition: 3 } }, { sight: { partition: 4 } }, { sight: { lag: 0 } }],
    })
  })

  it('says that nobody is there before anything else', () => {
    const { verdict } = judgeGroup(grouped([standing], { members: [] }), now)
    expect(verdict).toEqual({
      level: 'act',
      text: 'billing has no members; 4,180 records wait',
      action: 'start its consumers',
    })
  })

  it('judges nothing that could not be seen, and says why', () => {
    const { verdict } = judgeGroup(grouped([], { lag: null, unseenWhy: 'broker 3 does not answer' }), now)
    expect(verdict).toMatchObject({ level: 'unjudged', text: 'billing cannot be judged: broker 3 does not answer' })
  })

  it('tells how fast it falls behind, and whether more instances help', () => {
    const group = grouped([placed({ lag: 8_000, trend: 'falling-behind' })])
    const history = [0, 1, 2].map((look) => ({
      at: now - 10_000 + look * 5_000,
      lag: 1_000 + look * 1_000,
      lagMs: null,
    }))
    const lag = {
      ...(group.lag as NonNullable<typeof group.lag>),
      trend: 'falling-behind' as const,
      lagMs: null,
      instancesThatHelp: 5,
    }
    const { verdict } = judgeGroup({ ...group, history, lag }, now)
    expect(verdict.text).toBe(
      'billing falls behind: 8,000 records, growing 200 records/s; up to 4 more instances would help',
    )
  })
})

describe('the sentence of the cluster', () => {
  it.each<readonly [what: string, sight: Sight, level: string, text: string]>([
    ['all well', seen([grouped([placed()])]), 'ok', 'The only group keeps up.'],
    ['nobody ever', seen([]), 'ok', 'No group has ever committed here.'],
    [
      'blind',
      seen([], { cluster: null, failure: 'no broker answers' }),
      'unjudged',
      'Nothing is known of the cluster: no broker answers',
    ],
    [
      'one blind',
      seen([grouped([placed()]), grouped([], { group: 'audit', lag: null, unseenWhy: 'x' })]),
      'unjudged',
      '1 of 2 groups keeps up; 1 cannot be judged.',
    ],
    [
      'no leader',
      seen([], {
        cluster: { clusterId: null, brokers: [1], down: [], places: new Map(), withoutLeader: 12, underReplicated: 0 },
      }),
      'act',
      '12 partitions without a leader.',
    ],
  ])('%s', (_, sight, level, text) => {
    expect(overviewOf(sight).verdict).toMatchObject({ level, text })
  })

  it('leads to the partition that stands, with the names of anybody', () => {
    const { headlines, counts } = overviewOf(seen([grouped([standing], { group: 'a/b #?' })]))
    expect(headlines.map(({ link }) => link)).toEqual(['partition/a%2Fb%20%23%3F/orders/3'])
    expect(counts).toEqual({ act: 1, watch: 0, unjudged: 0, ok: 0 })
  })
})

it('sends no more rows of a group than somebody reads, the worst first', () => {
  const many = Array.from({ length: 1_000 }, (_, partition) =>
    placed({ partition, lag: partition, standsSince: partition === 7 ? 0 : null }),
  )
  const view = groupView(seen([grouped(many)]), 'billing', { most: 60 })
  expect([view?.rows.length, view?.partitions, view?.rows[0]?.partition, view?.mostLag]).toEqual([60, 1_000, 7, 999])
  expect(JSON.stringify(view).length).toBeLessThan(40_000)
  expect(groupView(seen([]), 'billing', { most: 60 })).toBeNull()
})

it('puts topics that break the promise first, and says what could not be looked at', () => {
  const finding = (subject: string, severity: 'error' | 'warning') => ({
    code: 'one-replica',
    severity,
    subject,
    reason: 'r',
    fix: 'f',
  })
  const diagnosis = { profile: 'cp', isSingleBroker: false, topics: ['a', 'b', 'c'], unseen: [] }
  const view = topicsView({ ...diagnosis, findings: [finding('b', 'warning'), finding('c', 'error')] }, now, [])
  expect(view.subjects.map(({ subject, verdict }) => [subject, verdict.level])).toEqual([
    ['c', 'act'],
    ['b', 'watch'],
    ['a', 'ok'],
  ])
  expect(view.verdict.level).toBe('act')
  expect(topicsView({ ...diagnosis, findings: [], unseen: [{ what: 'x', why: 'y' }] }, now, []).verdict.level).toBe(
    'unjudged',
  )
  expect(topicsView({ ...diagnosis, findings: [] }, now, []).verdict.level).toBe('ok')
})

it('takes no cluster of one broker for one that keeps the promise, and says so', () => {
  const diagnosis = { profile: 'cp', isSingleBroker: true, topics: ['a'], findings: [], unseen: [] }
  expect(topicsView(diagnosis, now, []).verdict).toMatchObject({
    level: 'watch',
    text: '1 topic keeps what profile cp promises. The cluster has one broker: what it acknowledges is lost with its disk.',
  })
})

it('tells the level that is in force, and what lies aside when none is', () => {
  const aside = { topic: 'alerts.shed', records: 25, byOutcome: {}, byOrigin: {}, newestAt: now }
  const level = { topic: 'alerts.control', level: 2, setAt: now, leftMs: 50_000 }
  expect(shedView([level], [aside], now).verdict.text).toBe(
    'Level 2 is in force by alerts.control, for 50 s more; 25 records at most lie aside.',
  )
  expect(shedView([{ ...level, leftMs: 0 }], [aside], now).verdict).toMatchObject({
    level: 'ok',
    text: 'Nothing is shed now; 25 records at most lie aside.',
  })
})
