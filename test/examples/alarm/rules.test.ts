import { describe, expect, it } from 'vitest'
import { seriesId } from '../../../examples/alarm/ids.js'
import { RuleState, type Anomaly, type Finding } from '../../../examples/alarm/detect/rule-state.js'
import { SeriesPoints, type Point } from '../../../examples/alarm/detect/series-points.js'
import { rules, type Level, type Rule } from '../../../examples/alarm/rules.js'
import { readSource, sources } from '../../../examples/alarm/sources.js'
import { cases, simulate, type ReferenceCase } from './reference.js'

const ruleOf = (strategyId: number, change: Partial<Level> = {}): Rule => {
  const rule = rules.find((one) => one.strategyId === strategyId)
  if (!rule) throw new Error(`no rule ${strategyId}`)
  return { ...rule, levels: rule.levels.map((level) => ({ ...level, ...change })) }
}
const atOnce = { trigger: { window: 1, count: 1 } }
const threeOfFive = { trigger: { window: 5, count: 3 } }
const band = { floor: null, floorInterval: 0, fetchType: 'avg' } as const

/** Strategy, and the published figures: rows, accepted, anomalies, triggers, alerts, open, windows hit, windows. */
const table: readonly [keyof typeof cases, Rule, readonly number[]][] = [
  ['machine', ruleOf(11), [22_695, 22_683, 1_539, 1_488, 16, 0, 4, 4]],
  ['machineAtOnce', ruleOf(11, atOnce), [22_695, 22_683, 1_539, 1_539, 19, 0, 4, 4]],
  ['latency', ruleOf(12), [4_032, 4_021, 3, 3, 2, 1, 2, 3]],
  ['rds', ruleOf(13), [4_032, 4_032, 675, 644, 10, 1, 2, 2]],
  ['rdsAtOnce', ruleOf(13, atOnce), [4_032, 4_032, 675, 675, 1, 1, 2, 2]],
  [
    'rdsYearRound',
    ruleOf(13, { algorithms: [{ type: 'AdvancedYearRound', ...band, ceil: 80, ceilInterval: 5 }] }),
    [4_032, 4_032, 535, 533, 1, 0, 2, 2],
  ],
  ['elb', ruleOf(14), [4_032, 4_032, 16, 16, 14, 0, 2, 2]],
  [
    'elbRingRatio',
    ruleOf(14, { ...threeOfFive, algorithms: [{ type: 'AdvancedRingRatio', ...band, ceil: 300, ceilInterval: 12 }] }),
    [4_032, 4_032, 89, 2, 1, 0, 1, 2],
  ],
  ['adCost', ruleOf(15), [1_538, 1_538, 10, 10, 6, 0, 3, 3]],
]

/** Runs the example's own rule over the file in order of arrival, in one piece. */
async function judgeFile(
  rule: Rule,
): Promise<{ accepted: number; anomalies: readonly Anomaly[]; findings: Finding[] }> {
  const source = sources.find((one) => one.bizId === rule.bizId && one.metric === rule.metric)
  if (!source) throw new Error(`no source for ${rule.name}`)
  const points = new SeriesPoints([])
  const series = seriesId(source.bizId, source.metric, source.dimensions)
  const state = new RuleState(rule, series, [], { anomalies: [], firing: null, newestTime: null })
  const findings: Finding[] = []
  for (const row of await readSource(source)) {
    const point = { time: row.timestamp, value: row.raw_data.value }
    if (points.arrive(point) === 'new') findings.push(...state.judge(point))
  }
  return { accepted: points.added().length, anomalies: state.changes().anomalies, findings }
}

describe('the reference rows', () => {
  it.each(table)('%s: an independent simulation gives the published figures', (name, _rule, published) => {
    const result = simulate(cases[name])
    const open = result.alerts.filter((alert) => alert.endTime === null).length
    expect([
      result.rows,
      result.accepted,
      result.anomalies,
      result.triggers,
      result.alerts.length,
      open,
      result.windowsHit,
      result.windows,
    ]).toEqual(published)
  })

  it.each(table)('%s: the rule finds what the simulation finds, point by point', async (name, rule) => {
    const expected = simulate(cases[name] as ReferenceCase)
    const judged = await judgeFile(rule)
    expect(judged.accepted).toBe(expected.accepted)
    expect(judged.anomalies).toHaveLength(expected.anomalies)
    expect(judged.anomalies.filter((one) => one.triggered)).toHaveLength(expected.triggers)
    const recovered = judged.findings.filter((one) => one.status === 'RECOVERED').map((one) => one.point.time)
    expect(recovered).toEqual(expected.alerts.flatMap((alert) => alert.endTime ?? []))
    const opened = judged.findings.filter(
      (one, index) => one.status === 'ABNORMAL' && judged.findings[index - 1]?.status !== 'ABNORMAL',
    )
    expect(opened.map((one) => one.point.time)).toEqual(expected.alerts.map((alert) => alert.beginTime))
  })
})

describe('a rule over a series', () => {
  const rule = ruleOf(11)
  const fresh = () => new RuleState(rule, 'series', [], { anomalies: [], firing: null, newestTime: null })
  const at = (period: number, value: number): Point => ({ time: period * 300, value })
  const bad = 10
  const good = 80

  it('fires when a late point completes the window of a later anomaly', () => {
    const state = fresh()
    expect([at(1, bad), at(2, good), at(4, bad)].flatMap((point) => state.judge(point))).toEqual([])
    const findings = state.judge(at(3, bad))
    expect(findings.map((one) => [one.status, one.point.time])).toEqual([['ABNORMAL', 1_200]])
    expect(findings[0]?.anomalyIds).toHaveLength(3)
  })

  it('does not recover on a late good point', () => {
    const state = fresh()
    for (const period of [1, 2, 3]) state.judge(at(period, bad))
    expect(state.judge({ time: 450, value: good })).toEqual([])
  })

  it('recovers only when each of the last five windows holds too few anomalies', () => {
    const state = fresh()
    for (const period of [1, 2, 3]) state.judge(at(period, bad))
    const recoveredAt = [4, 5, 6, 7, 8, 9, 10, 11].find((period) => state.judge(at(period, good)).length > 0)
    // The window that ends at period 5 is the last with three anomalies; windows 6 to 10 are the first five without.
    expect(recoveredAt).toBe(10)
  })

  it('lets the severest level that fires speak alone', () => {
    const severe = { ...rule.levels[0], severity: 1, trigger: { window: 1, count: 1 } } as Level
    const mild: Level = {
      ...severe,
      severity: 2,
      algorithms: [{ type: 'Threshold', groups: [[{ method: 'lt', threshold: 70 }]] }],
    }
    const state = new RuleState({ ...rule, levels: [severe, mild] }, 'series', [], {
      anomalies: [],
      firing: null,
      newestTime: null,
    })
    expect(state.judge(at(1, 65)).map((one) => one.severity)).toEqual([2])
    expect(state.judge(at(2, 10)).map((one) => one.severity)).toEqual([1])
  })
})
