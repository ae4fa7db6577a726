/** `unjudged`: there is no history to compare with, so nothing is said, neither way. */
export type Verdict = 'anomalous' | 'normal' | 'unjudged'

type Comparison = 'gt' | 'gte' | 'lt' | 'lte' | 'eq' | 'neq'

interface Term {
  readonly method: Comparison
  readonly threshold: number
}

/** Percentages by which the value must fall below (`floor`) or rise above (`ceil`) its history; 0 or null turns a side off. */
interface Band {
  readonly floor: number | null
  readonly ceil: number | null
  /** How many steps of history each side looks at. */
  readonly floorInterval: number
  readonly ceilInterval: number
}

export type Algorithm =
  /** Any group in which all terms hold. */
  | { readonly type: 'Threshold'; readonly groups: readonly (readonly Term[])[] }
  /** Against the last n periods that have a point: their mean, or the oldest of them. */
  | ({ readonly type: 'AdvancedRingRatio'; readonly fetchType: 'avg' | 'last' } & Band)
  /** Against the same time of the last n days that have a point: the mean of the sizes, or the oldest. */
  | ({ readonly type: 'AdvancedYearRound'; readonly fetchType: 'avg' | 'last' } & Band)

/** The value one `periods` before the judged point; `undefined` where the series has none. */
export type History = (periods: number) => number | undefined

export function judge(algorithm: Algorithm, value: number, history: History, unitSeconds: number): Verdict {
  switch (algorithm.type) {
    case 'Threshold':
      return verdict(algorithm.groups.some((group) => group.every((term) => holds(term, value))))
    case 'AdvancedRingRatio':
      return judgeBand(algorithm, value, history)
    case 'AdvancedYearRound': {
      const periodsPerDay = daySeconds / unitSeconds
      const sizeDaysAgo: History = (days) => {
        const then = history(days * periodsPerDay)
        return then === undefined ? undefined : Math.abs(then)
      }
      return judgeBand(algorithm, value, sizeDaysAgo)
    }
  }
}

/** How far back an algorithm looks. */
export function historySeconds(algorithm: Algorithm, unitSeconds: number): number {
  switch (algorithm.type) {
    case 'Threshold':
      return 0
    case 'AdvancedRingRatio':
      return Math.max(algorithm.floorInterval, algorithm.ceilInterval) * unitSeconds
    case 'AdvancedYearRound':
      return Math.max(algorithm.floorInterval, algorithm.ceilInterval) * daySeconds
  }
}

/** Several algorithms of one level make one verdict. */
export function combine(connector: 'and' | 'or', verdicts: readonly Verdict[]): Verdict {
  const decisive = connector === 'and' ? 'normal' : 'anomalous'
  if (verdicts.includes(decisive)) return decisive
  if (verdicts.includes('unjudged')) return 'unjudged'
  return connector === 'and' ? 'anomalous' : 'normal'
}

const daySeconds = 86_400

function holds({ method, threshold }: Term, value: number): boolean {
  switch (method) {
    case 'gt':
      return value > threshold
    case 'gte':
      return value >= threshold
    case 'lt':
      return value < threshold
    case 'lte':
      return value <= threshold
    case 'eq':
      return value === threshold
    case 'neq':
      return value !== threshold
  }
}

function judgeBand(band: Band & { readonly fetchType: 'avg' | 'last' }, value: number, history: History): Verdict {
  const sides: Verdict[] = []
  if (band.floor) {
    const past = summarise(band.fetchType, history, band.floorInterval)
    sides.push(compare(past, value, (then) => value <= (then * (100 - (band.floor ?? 0))) / 100))
  }
  if (band.ceil) {
    const past = summarise(band.fetchType, history, band.ceilInterval)
    sides.push(compare(past, value, (then) => value >= (then * (100 + (band.ceil ?? 0))) / 100))
  }
  return combine('or', sides)
}

/** Two zeros are never an anomaly: every ratio of zero holds. */
function compare(past: number | undefined, value: number, outside: (then: number) => boolean): Verdict {
  if (past === undefined) return 'unjudged'
  return verdict((value !== 0 || past !== 0) && outside(past))
}

function summarise(fetchType: 'avg' | 'last', history: History, steps: number): number | undefined {
  let sum = 0
  let found = 0
  let oldest: number | undefined
  for (let step = 1; step <= steps; step++) {
    const then = history(step)
    if (then === undefined) continue
    sum += then
    found++
    oldest = then
  }
  if (found === 0) return undefined
  return fetchType === 'avg' ? sum / found : oldest
}

function verdict(anomalous: boolean): Verdict {
  return anomalous ? 'anomalous' : 'normal'
}
