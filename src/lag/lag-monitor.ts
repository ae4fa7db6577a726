import { ConfigError, StateError } from '../errors.js'
import { came } from '../input/came.js'
import { optionIssues, optionProblem, timeLimit, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import type { Messaging } from '../messaging.js'
import { tellListener } from '../telemetry/guard.js'
import { lookAtGroups, type WatchedGroup } from './lag-look.js'
import { hidesSomething, type GroupLag } from './lag-report.js'
import { LagWindows } from './lag-windows.js'
import type { LagTrend } from './trend.js'

/** Options of `look`. */
export interface LagLookOptions {
  /** How long the whole look may take, ms. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** Options of `lagMonitor`. */
export interface LagMonitorOptions {
  /** Groups to look at, each once. */
  readonly groups: readonly WatchedGroup[]
  /** A group with so much lag, over all partitions, is behind. Default 100,000. */
  readonly threshold?: number | undefined
  /** It is behind no more at so much. Default 80 % of `threshold`. */
  readonly clearAt?: number | undefined
  /** Of how many looks a trend is told, 4 to 100; until there are as many, nobody stalls or falls behind. Default 10. */
  readonly windowSize?: number | undefined
  /** Told when a group comes to be behind, and when it has caught up. What it throws is logged. */
  readonly onLag?: ((lag: GroupLag, state: 'behind' | 'caught-up') => void) | undefined
}

const rules: Rules<LagMonitorOptions> = {
  groups: {
    expected: 'a list of { group, topics }, each group once',
    accepts: (value) =>
      Array.isArray(value) &&
      value.every(isWatchedGroup) &&
      new Set(value.map(({ group }) => group)).size === value.length,
  },
  threshold: wholeNumber(1),
  clearAt: wholeNumber(0),
  windowSize: wholeNumber(4, 100),
  onLag: { expected: 'a function', accepts: (value) => typeof value === 'function' },
}

/** Nothing is committed although there is work. */
const standingTrends: readonly LagTrend[] = ['stalled', 'never-committed', 'past-the-end']

const gauges = [
  'tidemark_group_seen_timestamp_seconds',
  'tidemark_group_lag_records',
  'tidemark_group_lag_seconds',
  'tidemark_group_stalled_partitions',
] as const

const lookRules: Rules<LagLookOptions> = { timeoutMs: timeLimit }

/**
 * Looks at the lag of groups from outside, whoever reads in them: what they committed, and where their logs end. A look is
 * one call of `look`; call it every 10 s or so. Trends and times come from the looks before.
 *
 * | a group is  | a look finds           | becomes |
 * |-------------|------------------------|---------|
 * | caught up   | lag ≥ `threshold`      | behind: told |
 * | behind      | lag ≤ `clearAt`        | caught up: told |
 * | any         | anything else          | the same |
 *
 * A look that could not see all partitions of a group never says that it has caught up.
 *
 * @example
 * const monitor = lagMonitor(messaging, { groups: [{ group: 'billing', topics: ['orders'] }] })
 * const [billing] = await monitor.look()
 * console.log(billing.lag, billing.lagMs, billing.trend, billing.drainMs)
 */
export class LagMonitor {
  readonly #messaging: Messaging
  readonly #options: LagMonitorOptions
  readonly #windows: LagWindows
  readonly #behind = new Set<string>()
  #hasLooked = false
  #isClosed = false
  #looking: Promise<readonly GroupLag[]> | null = null

  /** @internal */
  constructor(messaging: Messaging, options: LagMonitorOptions) {
    this.#messaging = messaging
    this.#options = options
    this.#windows = new LagWindows(options.windowSize ?? 10)
  }

  /**
   * All groups as they stand, in the order of the options. While a look is under way another call gets that one's result.
   * What a coordinator or a leader does not tell, and a topic that this client may not see, is among the `unseen` of its
   * groups, with the reason.
   *
   * @throws DriverError when nothing at all could be seen in time; the next look may succeed
   * @throws StateError `closed` after `close`
   */
  async look(options: LagLookOptions = {}): Promise<readonly GroupLag[]> {
    const problem = optionProblem('look', options, lookRules)
    if (problem !== null) throw problem
    if (this.#isClosed)
      throw new StateError('closed', 'look was called on a lag monitor that is closed; make a new one')
    this.#looking ??= this.#look(options).finally(() => (this.#looking = null))
    return this.#looking
  }

  /**
   * Its figures are told no more in metrics, as when other groups are to be watched; without it those of the last look stay
   * until the messaging is closed. A look that is under way ends, and tells nothing. Idempotent.
   */
  close(): void {
    this.#isClosed = true
    const { metrics } = this.#messaging.telemetry
    for (const { group } of this.#options.groups)
      for (const name of gauges) metrics.forget(name, { watched_group: group })
  }

  async #look({ timeoutMs = 30_000 }: LagLookOptions): Promise<readonly GroupLag[]> {
    const { admin, clock } = this.#messaging
    const deadline = clock.now() + timeoutMs
    this.#beforeSeen()
    const groups = await lookAtGroups(admin, this.#options.groups, () => Math.max(0, deadline - clock.now()))
    const reports = this.#windows.add(groups, clock.now(), clock.wallTime())
    if (this.#isClosed) return reports
    for (const report of reports) this.#measure(report)
    // The listener may look again, or throw: it is called when all is noted.
    for (const change of reports.flatMap((report) => this.#judge(report))) change()
    return reports
  }

  /** So that a group that nobody ever sees shows too. */
  #beforeSeen(): void {
    if (this.#hasLooked) return
    this.#hasLooked = true
    const { metrics } = this.#messaging.telemetry
    for (const { group } of this.#options.groups)
      metrics.gauge('tidemark_group_seen_timestamp_seconds', { watched_group: group }, 0)
  }

  /** Of what was not seen the last figures stay, and so does the time at which they were seen. */
  #measure({ group, at, lag, lagMs, trend, partitions, unseen }: GroupLag): void {
    if (trend === 'unseen') return
    const { metrics } = this.#messaging.telemetry
    const labels = { watched_group: group }
    if (!hidesSomething(unseen)) metrics.gauge('tidemark_group_seen_timestamp_seconds', labels, at / 1_000)
    const standing = partitions.filter(({ trend }) => standingTrends.includes(trend))
    metrics.gauge('tidemark_group_lag_records', labels, lag)
    metrics.gauge('tidemark_group_stalled_partitions', labels, standing.length)
    if (lagMs === null) metrics.forget('tidemark_group_lag_seconds', labels)
    else metrics.gauge('tidemark_group_lag_seconds', labels, lagMs / 1_000)
  }

  /** Notes what became of the group; what is to be told, if it changed. */
  #judge(report: GroupLag): readonly (() => void)[] {
    const { threshold = 100_000, clearAt = threshold * 0.8, onLag } = this.#options
    const { group, lag, unseen } = report
    const wasBehind = this.#behind.has(group)
    const isBehind = wasBehind ? lag > clearAt || unseen.length > 0 : lag >= threshold
    if (isBehind === wasBehind) return []
    if (isBehind) this.#behind.add(group)
    else this.#behind.delete(group)
    if (onLag === undefined) return []
    const state = isBehind ? 'behind' : 'caught-up'
    return [() => tellListener('onLag', () => onLag(report, state), this.#messaging.telemetry)]
  }
}

/**
 * Watches from outside how far groups are behind, in records and in time; each `look()` asks the brokers once.
 *
 * @throws ConfigError with every problem of the options
 */
export function lagMonitor(messaging: Messaging, options: LagMonitorOptions): LagMonitor {
  const issues = optionIssues(options, rules)
  if (!isMessaging.accepts(messaging)) {
    issues.push({ path: 'messaging', message: came(messaging), fix: `give ${isMessaging.expected}` })
  }
  if (issues.length === 0 && options.groups === undefined) {
    issues.push({ path: 'groups', message: 'is missing', fix: 'write a list of { group, topics }' })
  }
  const { threshold = 100_000, clearAt = 0 } = options ?? {}
  if (issues.length === 0 && clearAt >= threshold) {
    issues.push({ path: 'clearAt', message: `is ${clearAt}`, fix: `write less than threshold, ${threshold}` })
  }
  if (issues.length > 0) throw new ConfigError('lagMonitor', issues)
  return new LagMonitor(messaging, options)
}

/** By its shape: a program may load this module and that of `createMessaging` in two forms. */
const isMessaging = withMethods('what createMessaging returned', ['consumer', 'facts', 'close'])

function isWatchedGroup(value: unknown): value is WatchedGroup {
  if (!isRecord(value) || !isText(value['group'])) return false
  const topics = value['topics']
  return topics === undefined || (Array.isArray(topics) && topics.every(isText))
}
