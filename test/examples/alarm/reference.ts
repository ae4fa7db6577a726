import { readFileSync } from 'node:fs'

/**
 * The rules once more, in one loop over a file: no Kafka, no database, nothing shared with the example but the CSV. First
 * value of a time wins, then points are sorted; recovery is judged at each point over five windows.
 */
export interface ReferenceCase {
  readonly file: string
  readonly unitSeconds: number
  readonly window: number
  readonly count: number
  readonly anomalous: (value: number, time: number, values: ReadonlyMap<number, number>) => boolean
}

export interface ReferenceAlert {
  readonly beginTime: number
  latestTime: number
  endTime: number | null
  events: number
}

export interface ReferenceResult {
  readonly rows: number
  readonly accepted: number
  readonly anomalies: number
  readonly triggers: number
  readonly alerts: readonly ReferenceAlert[]
  readonly windowsHit: number
  readonly windows: number
}

const recoverySteps = 5
const data = new URL('../../../examples/alarm/data/', import.meta.url)

export function simulate(one: ReferenceCase): ReferenceResult {
  const rows = readFileSync(new URL(one.file, data), 'utf8').trim().split('\n').slice(1)
  const values = new Map<number, number>()
  for (const row of rows) {
    const [time = '', value = ''] = row.split(',')
    const at = seconds(time)
    if (!values.has(at)) values.set(at, Number(value))
  }
  const anomalies: number[] = []
  const alerts: ReferenceAlert[] = []
  let open: ReferenceAlert | null = null
  let triggers = 0
  const inWindow = (end: number) =>
    anomalies.slice(-100).filter((time) => time > end - one.window * one.unitSeconds && time <= end).length
  for (const [time, value] of [...values].sort(([a], [b]) => a - b)) {
    const anomalous = one.anomalous(value, time, values)
    if (anomalous) anomalies.push(time)
    if (anomalous && inWindow(time) >= one.count) {
      triggers++
      if (open) {
        open.latestTime = time
        open.events++
      } else {
        open = { beginTime: time, latestTime: time, endTime: null, events: 1 }
        alerts.push(open)
      }
    } else if (open) {
      const ends = Array.from({ length: recoverySteps }, (_, step) => time - step * one.unitSeconds)
      if (ends.every((end) => inWindow(end) < one.count)) {
        open.endTime = time
        open = null
      }
    }
  }
  const labels = JSON.parse(readFileSync(new URL('labels.json', data), 'utf8')) as Record<
    string,
    { windows: [string, string][] }
  >
  const windows = labels[one.file]?.windows ?? []
  const hit = windows.filter(([from, to]) =>
    alerts.some((alert) => alert.beginTime <= seconds(to) && alert.latestTime >= seconds(from)),
  )
  return {
    rows: rows.length,
    accepted: values.size,
    anomalies: anomalies.length,
    triggers,
    alerts,
    windows: windows.length,
    windowsHit: hit.length,
  }
}

/** What is missing of a series, from its first point to its last, by the begin of each period. */
export function simulateSilence(file: string, unitSeconds: number, continuous: number) {
  const rows = readFileSync(new URL(file, data), 'utf8').trim().split('\n').slice(1)
  const periods = [...new Set(rows.map((row) => Math.floor(seconds(row) / unitSeconds)))].sort((a, b) => a - b)
  const gaps = periods.slice(1).map((period, index) => period - (periods[index] ?? 0) - 1)
  const long = gaps.filter((gap) => gap >= continuous)
  return {
    missing: gaps.reduce((sum, gap) => sum + gap, 0),
    gaps: gaps.filter((gap) => gap > 0).length,
    triggers: long.reduce((sum, gap) => sum + gap - continuous + 1, 0),
    alerts: long.length,
  }
}

function seconds(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`) / 1000
}

/** Mean of the values `step` seconds apart before `time`, as many of `steps` as there are. */
function meanBefore(values: ReadonlyMap<number, number>, time: number, step: number, steps: number): number | null {
  const found: number[] = []
  for (let back = 1; back <= steps; back++) {
    const value = values.get(time - back * step)
    if (value !== undefined) found.push(Math.abs(value))
  }
  return found.length === 0 ? null : found.reduce((sum, value) => sum + value, 0) / found.length
}

const above =
  (percent: number, step: number, steps: number): ReferenceCase['anomalous'] =>
  (value, time, values) => {
    const mean = meanBefore(values, time, step, steps)
    return mean !== null && (value !== 0 || mean !== 0) && value >= (mean * (100 + percent)) / 100
  }

const machine = 'machine_temperature_system_failure.csv'
const latency = 'ec2_request_latency_system_failure.csv'
const rds = 'rds_cpu_utilization_cc0c53.csv'
const elb = 'elb_request_count_8c0756.csv'
const adCost = 'exchange-3_cpc_results.csv'

export const cases = {
  machine: { file: machine, unitSeconds: 300, window: 5, count: 3, anomalous: (value) => value < 60 },
  machineAtOnce: { file: machine, unitSeconds: 300, window: 1, count: 1, anomalous: (value) => value < 60 },
  latency: { file: latency, unitSeconds: 300, window: 1, count: 1, anomalous: (value) => value > 60 },
  rds: { file: rds, unitSeconds: 300, window: 5, count: 3, anomalous: (value) => value >= 14 },
  rdsAtOnce: { file: rds, unitSeconds: 300, window: 1, count: 1, anomalous: (value) => value >= 14 },
  rdsYearRound: { file: rds, unitSeconds: 300, window: 5, count: 3, anomalous: above(80, 86_400, 5) },
  elb: { file: elb, unitSeconds: 300, window: 1, count: 1, anomalous: (value) => value >= 300 },
  elbRingRatio: { file: elb, unitSeconds: 300, window: 5, count: 3, anomalous: above(300, 300, 12) },
  adCost: { file: adCost, unitSeconds: 3_600, window: 1, count: 1, anomalous: (value) => value >= 0.5 },
} as const satisfies Record<string, ReferenceCase>
