import type { AlertStatus } from '../topics.js'

type Field = 'bk_biz_id' | 'strategy_id' | 'severity' | 'target' | 'alert_name'

/** An alert that has, in each field, one of these values. */
export type Matcher = { readonly [Name in Field]?: readonly AlertStatus[Name][] }

/** What is folded together, and who is told of what. The first rule that matches an alert has it. */
export interface ConvergeRule {
  readonly name: string
  /**
   * | function | who is told of an alert |
   * | --- | --- |
   * | `collect` | of the first `count`; of the others by one summary, when the window is over |
   * | `skip_when_exceed` | of the first `count` |
   * | `defense` | of the first `count`; the others are held: a person may look at them |
   * | `relevance` | of the one that makes them `count`: the others only belong together |
   */
  readonly func: 'collect' | 'skip_when_exceed' | 'defense' | 'relevance'
  readonly match: Matcher
  /** What alerts must have in common. */
  readonly by: readonly Field[]
  /** Windows begin at multiples of it, counted from the Unix epoch. */
  readonly windowSeconds: number
  readonly count: number
  readonly receivers: readonly { readonly receiver: string; readonly channel: string }[]
}

/** While an alert like `source` is open, nobody is told of one like `target` that has the same `equal`. */
export interface Inhibition {
  readonly source: Matcher
  readonly target: Matcher
  readonly equal: readonly ('bk_biz_id' | 'target')[]
}

/** What each target stands on: of alerts of both, that of the upstream one is the cause. */
export type Topology = Readonly<Record<string, readonly string[]>>

export interface ConvergeBook {
  readonly convergeRules: readonly ConvergeRule[]
  readonly inhibitions: readonly Inhibition[]
  readonly topology: Topology
}

export function matches(matcher: Matcher, alert: Pick<AlertStatus, Field>): boolean {
  return Object.entries(matcher).every(([field, values]) => values.some((value) => value === alert[field as Field]))
}
