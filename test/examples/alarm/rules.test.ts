import { describe, expect, it } from 'vitest'
import { toAlertEvent } from '../../../examples/alarm/detect/alert-event.js'
import { RawEvent } from '../../../examples/alarm/topics.js'
import { seriesId } from '../../../examples/alarm/ids.js'
import { RuleState, type Anomaly, type Finding, type Point } from '../../../examples/alarm/detect/rule-state.js'

import { lastPeriodOver, lookAt, type Silence } from '../../../examples/alarm/detect/silence.js'
import { noDataRules, rules, type Level, type Rule } from '../../../examples/alarm/rules.js'
import { readSource, sources } from '../../../examples/alarm/sources.js'
import { cases, simulate, simulateSilence, type ReferenceCase } from './reference.js'

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
  const times = new Set<number>()
  const series = seriesId(source.bizId, source.metric, source.dimensions)
  const state = new RuleState(rule, series)
  const findings: Finding[] = []
  for (const row of await readSource(source)) {
    const point = { time: row.timestamp, value: row.raw_data.value }
    if (!times.has(point.time)) findings.push(...state.judge(point))
    times.add(point.time)
  }
  return { accepted: times.size, anomalies: [...state.changed], findings }
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
    expect(judged.anomalies.filter((one) => one.triggered === 1)).toHaveLength(expected.triggers)
    const recovered = judged.findings.filter((one) => one.status === 'RECOVERED').map((one) => one.time)
    expect(recovered).toEqual(expected.alerts.flatMap((alert) => alert.endTime ?? []))
    const opened = judged.findings.filter(
      (one, index) => one.status === 'ABNORMAL' && judged.findings[index - 1]?.status !== 'ABNORMAL',
    )
    expect(opened.map((one) => one.time)).toEqual(expected.alerts.map((alert) => alert.beginTime))
  })
})

describe('a rule over a series', () => {
  const rule = ruleOf(11)
  const fresh = () => new RuleState(rule, 'series')
  const at = (period: number, value: number): Point => ({ time: period * 300, value })
  const bad = 10
  const good = 80

  it('fires when a late point completes the window of a later anomaly', () => {
    const state = fresh()
    expect([at(1, bad), at(2, good), at(4, bad)].flatMap((point) => state.judge(point))).toEqual([])
    const findings = state.judge(at(3, bad))
    expect(findings.map((one) => [one.status, one.time])).toEqual([['ABNORMAL', 1_200]])
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
    const state = new RuleState({ ...rule, levels: [severe, mild] }, 'series')
    expect(state.judge(at(1, 65)).map((one) => one.severity)).toEqual([2])
    expect(state.judge(at(2, 10)).map((one) => one.severity)).toEqual([1])
  })
})

describe('an event of a series', () => {
  /** As many as there may be, each as small as can be: they take most room in what is made of them. */
  const dimensionsOf = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [(n + 36).toString(36).padStart(2, '0'), '']))
  const raw = (count: number) => ({
    ...{ event_id: 'e', event_type: 'metric', timestamp: 1, bk_biz_id: 2, event_source: 's', priority: 1 },
    raw_data: { metric: 'm', value: 1, dimensions: dimensionsOf(count) },
  })

  it('fits into a column of text of MariaDB, however many dimensions the series has', () => {
    const most = 1_000
    expect(RawEvent.safeParse(raw(most)).success).toBe(true)
    expect(RawEvent.safeParse(raw(most + 200)).error?.issues[0]?.message).toMatch(/at most 8192 bytes/)
    const [finding] = new RuleState(ruleOf(11, atOnce), 's').judge({
      time: 300,
      value: 10,
    })
    const event = toAlertEvent(rules[0]!, { id: 's', dimensions: dimensionsOf(most) }, finding!)
    expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(65_535)
  })
})

describe('a series that has no data', () => {
  const [rule] = noDataRules
  if (!rule) throw new Error('no rule about what is missing')
  const { unitSeconds } = rule
  const start: Silence = { looked_at: 0, missing: 0, fired: null }
  const at = (...periods: number[]): Point[] =>
    periods.map((period) => ({ time: period * unitSeconds + 901, value: 1 }))
  const said = (findings: readonly Finding[]) => findings.map((one) => [one.status, one.time / unitSeconds])

  it('fires at the third missing period and at each further one, and recovers at the point that comes', () => {
    const look = lookAt(rule, 's', start, at(1, 2, 7), 7)
    expect(look.missing.map(({ ts, triggered }) => [ts / unitSeconds, triggered])).toEqual([
      [3, 0],
      [4, 0],
      [5, 1],
      [6, 1],
    ])
    expect(said(look.findings)).toEqual([
      ['ABNORMAL', 5],
      ['ABNORMAL', 6],
      ['RECOVERED', 7 + 901 / unitSeconds],
    ])
    expect(look.findings[2]?.anomalyId).toBe(look.findings[1]?.anomalyId)
    expect(look.after).toEqual({ looked_at: 7, missing: 0, fired: null })
  })

  it('is gone after a day, which closes its alert once, and is expected again when it is back', () => {
    const gone = lookAt(rule, 's', start, at(1), 200)
    expect(gone.missing).toHaveLength(rule.goneAfter)
    expect(said(gone.findings).at(-1)).toEqual(['CLOSED', 1 + rule.goneAfter])
    expect(said(gone.findings).filter(([status]) => status === 'CLOSED')).toHaveLength(1)
    const back = lookAt(rule, 's', gone.after, at(205), 208)
    expect(said(back.findings)).toEqual([['ABNORMAL', 208]])
  })

  it('is looked at by time alone: the clock on the wall, and how often somebody looks, change nothing', async () => {
    const file = 'exchange-3_cpc_results.csv'
    const source = sources.find((one) => one.file === file)!
    const points = (await readSource(source)).map(({ timestamp, raw_data: { value } }) => ({ time: timestamp, value }))
    const first = Math.floor(points[0]!.time / unitSeconds) - 1
    const last = Math.floor(points.at(-1)!.time / unitSeconds)
    const lookEvery = (step: number) => {
      let silence: Silence = { looked_at: first, missing: 0, fired: null }
      const all = { findings: [] as Finding[], missing: 0 }
      for (let through = first; through < last;) {
        through = Math.min(last, through + step)
        const over = points.filter(
          ({ time }) => time >= (silence.looked_at + 1) * unitSeconds && time < (through + 1) * unitSeconds,
        )
        const look = lookAt(rule, 's', silence, over, through)
        silence = look.after
        all.findings.push(...look.findings)
        all.missing += look.missing.length
      }
      return all
    }
    const hourly = lookEvery(1)
    expect(lookEvery(17)).toEqual(hourly)
    expect(lookEvery(5_000)).toEqual(hourly)
    const reference = simulateSilence(file, unitSeconds, rule.continuous)
    expect(reference).toMatchObject({ missing: 109, gaps: 64, alerts: 8 })
    const count = (status: string) => hourly.findings.filter((one) => one.status === status).length
    expect([hourly.missing, count('ABNORMAL'), count('RECOVERED'), count('CLOSED')]).toEqual([
      109,
      reference.triggers,
      8,
      0,
    ])
  })

  it('is not missed before its period is over', () => {
    const end = 8 * unitSeconds * 1_000
    expect(lastPeriodOver(rule, end - 2)).toBe(6)
    expect(lastPeriodOver(rule, end - 1)).toBe(7)
  })
})
