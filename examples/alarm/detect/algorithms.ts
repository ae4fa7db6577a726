/** `unjudged`: there is no history to compare with, so nothing is said, neither way. */
export type Verdict = 'anomalous' | 'normal' | 'unjudged'

type Comparison = 'gt' | 'gte' | 'lt' | 'lte' | 'eq' | 'neq'

/** By how much, in per cent, the value falls below (`floor`) or rises above (`ceil`) its history; 0 or null turns a side off. */
interface Band {
  readonly floor: number | null
  readonly ceil: number | null
}

/** How many steps of history each side looks at, and what it makes of those that have a point. */
interface Steps {
  readonly floorInterval: number
  readonly ceilInterval: number
  readonly fetchType: 'avg' | 'last'
}

/** What today is measured by: the same time of each of the last days. */
interface Days {
  readonly days: number
  readonly method: Comparison
  readonly ratio: number
  readonly shock: number
}

/** What each algorithm is told. README.md says when each finds a point anomalous. */
export interface Configs {
  Threshold: { readonly groups: readonly (readonly { readonly method: Comparison; readonly threshold: number }[])[] }
  SimpleRingRatio: Band
  AdvancedRingRatio: Band & Steps
  SimpleYearRound: Band
  AdvancedYearRound: Band & Steps
  RingRatioAmplitude: { readonly threshold: number; readonly ratio: number; readonly shock: number }
  YearRoundAmplitude: Days
  YearRoundRange: Days
  OsRestart: object
  ProcPort: object
  PingUnreachable: object
  /** An event is an anomaly by itself. */
  Happened: object
}

export type Algorithm = { [Type in keyof Configs]: { readonly type: Type } & Configs[Type] }[keyof Configs]

/** A point as an algorithm sees it. */
export interface Sight {
  readonly value: number
  readonly dimensions: Readonly<Record<string, string>>
  /** The value so many seconds before, by period; `undefined` where the series has none. */
  readonly ago: (seconds: number) => number | undefined
  readonly unit: number
}

const day = 86_400

/** Each asks for all that it may look at where it finds nothing: by that `historySeconds` knows how far back it looks. */
const algorithms: { readonly [Type in keyof Configs]: (config: Configs[Type], sight: Sight) => Verdict } = {
  Threshold: ({ groups }, { value }) =>
    verdict(groups.some((group) => group.every(({ method, threshold }) => compare[method](value, threshold)))),
  SimpleRingRatio: (band, at) => leaves(band, at, at.ago(at.unit)),
  AdvancedRingRatio: (config, at) => leavesMean(config, at, (step) => at.ago(step * at.unit)),
  SimpleYearRound: (band, at) => leaves(band, at, at.ago(7 * day)),
  AdvancedYearRound: (config, at) => leavesMean(config, at, (step) => size(at.ago(step * day))),
  RingRatioAmplitude: ({ threshold, ratio, shock }, { value, ago, unit }) =>
    given([ago(unit)], (then) => {
      return value >= threshold && then >= threshold && Math.abs(then - value) >= then * ratio + shock
    }),
  YearRoundAmplitude: (config, { value, ago, unit }) =>
    onAnyDay(config, (back) =>
      given([ago(unit), ago(back), ago(back + unit)], (before, then, beforeThen) =>
        exceeds(config, value - before, then - beforeThen),
      ),
    ),
  YearRoundRange: (config, { value, ago }) =>
    onAnyDay(config, (back) => given([ago(back)], (then) => exceeds(config, value, then))),
  OsRestart: (_, { value, ago, unit }) => {
    const before = ago(unit)
    const wasUp = [600, 1_500].some((back) => ago(back) !== undefined)
    return verdict(value > 0 && value <= 600 && (before === undefined || value < before) && wasUp)
  },
  ProcPort: (_, { value, dimensions: { nonlisten, not_accurate_listen: elsewhere } }) =>
    verdict(value !== 1 || isSome(nonlisten) || isSome(elsewhere)),
  PingUnreachable: (_, { value }) => verdict(value >= 1),
  Happened: () => 'anomalous',
}

/** Each row takes the config of its own type; that they belong together the types of the table and of `Algorithm` say. */
export function judge(algorithm: Algorithm, sight: Sight): Verdict {
  const judgeBy = algorithms[algorithm.type] as (config: Algorithm, sight: Sight) => Verdict
  return judgeBy(algorithm, sight)
}

/** How far back an algorithm looks, s. */
export function historySeconds(algorithm: Algorithm, unit: number): number {
  let furthest = 0
  const ago = (seconds: number): undefined => void (furthest = Math.max(furthest, seconds))
  judge(algorithm, { value: 0, dimensions: {}, unit, ago })
  return furthest
}

/** Several algorithms of one level make one verdict. */
export function combine(connector: 'and' | 'or', verdicts: readonly Verdict[]): Verdict {
  const decisive = connector === 'and' ? 'normal' : 'anomalous'
  if (verdicts.includes(decisive)) return decisive
  if (verdicts.includes('unjudged')) return 'unjudged'
  return connector === 'and' ? 'anomalous' : 'normal'
}

const compare: Readonly<Record<Comparison, (one: number, other: number) => boolean>> = {
  gt: (one, other) => one > other,
  gte: (one, other) => one >= other,
  lt: (one, other) => one < other,
  lte: (one, other) => one <= other,
  eq: (one, other) => one === other,
  neq: (one, other) => one !== other,
}

/** Two zeros are never an anomaly: every ratio of zero holds. */
function leaves({ floor, ceil }: Band, { value }: Sight, low: number | undefined, high = low): Verdict {
  const sides: Verdict[] = []
  if (floor) sides.push(given([low], (then) => differ(value, then) && value <= (then * (100 - floor)) / 100))
  if (ceil) sides.push(given([high], (then) => differ(value, then) && value >= (then * (100 + ceil)) / 100))
  return combine('or', sides)
}

function leavesMean(config: Band & Steps, at: Sight, history: (step: number) => number | undefined): Verdict {
  const { fetchType, floorInterval, ceilInterval } = config
  const past = (steps: number): number | undefined => {
    const found = range(steps).flatMap((step) => history(step) ?? [])
    if (found.length === 0) return undefined
    return fetchType === 'last' ? found.at(-1) : found.reduce((sum, one) => sum + one, 0) / found.length
  }
  return leaves(config, at, past(floorInterval), past(ceilInterval))
}

const differ = (value: number, then: number): boolean => value !== 0 || then !== 0
const size = (value: number | undefined): number | undefined => (value === undefined ? undefined : Math.abs(value))
const isSome = (list: string | undefined): boolean => list !== undefined && list !== '' && list !== '[]'
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const verdict = (anomalous: boolean): Verdict => (anomalous ? 'anomalous' : 'normal')

/** Without history there is no verdict. */
function given(history: readonly (number | undefined)[], holds: (...past: number[]) => boolean): Verdict {
  const past = history.filter((one) => one !== undefined)
  return past.length < history.length ? 'unjudged' : verdict(holds(...past))
}

/** The days that have a point decide, and one is enough. */
function onAnyDay({ days }: Days, judgeDay: (back: number) => Verdict): Verdict {
  const judged = range(days).map((step) => judgeDay(step * day))
  const known = judged.filter((one) => one !== 'unjudged')
  return combine('or', known.length > 0 ? known : ['unjudged'])
}

function exceeds({ method, ratio, shock }: Days, now: number, then: number): boolean {
  return compare[method](Math.abs(now), Math.abs(then) * ratio + shock)
}
