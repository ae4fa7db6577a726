import { describe, expect, it } from 'vitest'
import { historySeconds, judge, type Algorithm, type Verdict } from '../../../examples/alarm/detect/algorithms.js'

const unit = 300
const day = 86_400

/** `past` is by seconds before the point. */
type Case = readonly [
  why: string,
  value: number,
  past: Readonly<Record<number, number>>,
  expected: Verdict,
  dimensions?: Readonly<Record<string, string>>,
]

const table: readonly [Algorithm, readonly Case[]][] = [
  [
    { type: 'SimpleRingRatio', floor: 50, ceil: 100 },
    [
      ['half of the period before', 5, { [unit]: 10 }, 'anomalous'],
      ['twice of it', 20, { [unit]: 10 }, 'anomalous'],
      ['between', 19.9, { [unit]: 10 }, 'normal'],
      ['two zeros', 0, { [unit]: 0 }, 'normal'],
      ['no period before', 5, { [2 * unit]: 10 }, 'unjudged'],
    ],
  ],
  [{ type: 'SimpleRingRatio', floor: 0, ceil: null }, [['both sides turned off', 1_000, { [unit]: 1 }, 'normal']]],
  [
    { type: 'SimpleYearRound', floor: 50, ceil: null },
    [
      ['half of last week', 5, { [7 * day]: 10 }, 'anomalous'],
      ['a side that is off', 50, { [7 * day]: 10 }, 'normal'],
      ['yesterday alone', 5, { [day]: 10 }, 'unjudged'],
    ],
  ],
  [
    { type: 'AdvancedRingRatio', floor: null, ceil: 100, floorInterval: 0, ceilInterval: 3, fetchType: 'avg' },
    [
      ['twice the mean of those that are there', 20, { [unit]: 5, [3 * unit]: 15 }, 'anomalous'],
      ['less', 19, { [unit]: 5, [3 * unit]: 15 }, 'normal'],
    ],
  ],
  [
    { type: 'AdvancedRingRatio', floor: null, ceil: 100, floorInterval: 0, ceilInterval: 3, fetchType: 'last' },
    [['twice the oldest', 10, { [unit]: 50, [2 * unit]: 5 }, 'anomalous']],
  ],
  [
    { type: 'AdvancedYearRound', floor: 50, ceil: null, floorInterval: 2, ceilInterval: 0, fetchType: 'avg' },
    [['half the mean of sizes', 5, { [day]: -10, [2 * day]: 10 }, 'anomalous']],
  ],
  [
    { type: 'RingRatioAmplitude', threshold: 10, ratio: 0.5, shock: 2 },
    [
      ['a leap of ratio and shock', 32, { [unit]: 20 }, 'anomalous'],
      ['a smaller one', 31.9, { [unit]: 20 }, 'normal'],
      ['one from below the threshold', 40, { [unit]: 9 }, 'normal'],
      ['one that fell below it', 9, { [unit]: 40 }, 'normal'],
      ['nothing before', 40, {}, 'unjudged'],
    ],
  ],
  [
    { type: 'YearRoundAmplitude', days: 2, method: 'gt', ratio: 2, shock: 1 },
    [
      ['more than on one of the days', 18, { [unit]: 10, [day]: 3, [day + unit]: 0 }, 'anomalous'],
      ['as much', 17, { [unit]: 10, [day]: 3, [day + unit]: 0 }, 'normal'],
      [
        'any day is enough',
        18,
        { [unit]: 10, [day]: 90, [day + unit]: 0, [2 * day]: 3, [2 * day + unit]: 0 },
        'anomalous',
      ],
      ['no period before', 18, { [day]: 3, [day + unit]: 0 }, 'unjudged'],
      ['days without a point', 18, { [unit]: 10 }, 'unjudged'],
    ],
  ],
  [
    { type: 'YearRoundRange', days: 2, method: 'gte', ratio: 1.5, shock: 5 },
    [
      ['outside of the second day', -20, { [2 * day]: 10 }, 'anomalous'],
      ['inside', 19, { [2 * day]: 10 }, 'normal'],
      ['no day', 19, {}, 'unjudged'],
    ],
  ],
  [
    { type: 'OsRestart' },
    [
      ['up for less than before', 60, { [unit]: 9_000, [600]: 8_700 }, 'anomalous'],
      ['nothing just before, but 25 min ago', 60, { [1_500]: 8_700 }, 'anomalous'],
      ['longer than before', 600, { [unit]: 300, [600]: 1 }, 'normal'],
      ['never seen', 60, {}, 'normal'],
      ['up for long', 601, { [unit]: 9_000, [600]: 8_700 }, 'normal'],
    ],
  ],
  [
    { type: 'ProcPort' },
    [
      ['as it should be', 1, {}, 'normal', { nonlisten: '[]', not_accurate_listen: '' }],
      ['the process is gone', 0, {}, 'anomalous'],
      ['a port is not listened on', 1, {}, 'anomalous', { nonlisten: '[8080]' }],
      ['on another address', 1, {}, 'anomalous', { not_accurate_listen: '["127.0.0.1:80"]' }],
    ],
  ],
  [
    { type: 'PingUnreachable' },
    [
      ['all is lost', 1, {}, 'anomalous'],
      ['something came', 0.99, {}, 'normal'],
    ],
  ],
  [{ type: 'Happened' }, [['an event', 0, {}, 'anomalous']]],
]

/** How far each of the table looks back, s. */
const reaches: Readonly<Record<Algorithm['type'], number>> = {
  ...{ Threshold: 0, SimpleRingRatio: unit, AdvancedRingRatio: 3 * unit, SimpleYearRound: 7 * day },
  ...{ AdvancedYearRound: 2 * day, RingRatioAmplitude: unit, YearRoundAmplitude: 2 * day + unit },
  ...{ YearRoundRange: 2 * day, OsRestart: 1_500, ProcPort: 0, PingUnreachable: 0, Happened: 0 },
}

describe.each(table)('%j', (algorithm, cases) => {
  for (const [why, value, past, expected, dimensions = {}] of cases) {
    it(why, () => {
      expect(judge(algorithm, { value, dimensions, unit, ago: (seconds) => past[seconds] })).toBe(expected)
    })
  }

  it('looks back as far as it says, and no further whatever it finds', () => {
    const reach = historySeconds(algorithm, unit)
    expect(reach).toBe(reaches[algorithm.type])
    for (const found of [() => undefined, () => 1, (seconds: number) => (seconds % (2 * day) === 0 ? 1 : undefined)]) {
      const asked: number[] = []
      const ago = (seconds: number) => {
        asked.push(seconds)
        return found(seconds)
      }
      for (const value of [0, 1, 1_000]) judge(algorithm, { value, dimensions: {}, unit, ago })
      expect(Math.max(0, ...asked)).toBeLessThanOrEqual(reach)
    }
  })
})
