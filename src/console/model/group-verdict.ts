import { timeText } from '../../text/figures.js'
import { behindText, partitionVerdict } from './partition-verdict.js'
import { redrivenTopicOf } from './redrive-group.js'
import { lagIsKnown, type GroupSight, type PartitionSight } from './sight.js'
import { byGravity, countText, type Verdict } from './verdict.js'

export interface JudgedPartition {
  readonly sight: PartitionSight
  readonly verdict: Verdict
}

export interface JudgedGroup {
  readonly sight: GroupSight
  readonly verdict: Verdict
  /** The worst first; of the same gravity those that are most behind. */
  readonly partitions: readonly JudgedPartition[]
}

const rebalancing: readonly string[] = ['PreparingRebalance', 'CompletingRebalance', 'Assigning', 'Reconciling']

/** Of the last look, for all pages and views that show it. */
const judged = new WeakMap<GroupSight, { readonly now: number; readonly as: JudgedGroup }>()

export function judgeGroup(sight: GroupSight, now: number): JudgedGroup {
  const known = judged.get(sight)
  if (known?.now === now) return known.as
  const as = judge(sight, now)
  judged.set(sight, { now, as })
  return as
}

function judge(sight: GroupSight, now: number): JudgedGroup {
  const hasMembers = sight.members.length > 0
  const partitions = sight.partitions
    .map((one) => ({ sight: one, verdict: partitionVerdict(sight.group, one, now, hasMembers) }))
    .sort((one, other) => byGravity(one, other) || other.sight.lag - one.sight.lag)
  return { sight, partitions, verdict: groupVerdict(sight, partitions) }
}

/**
 * | is so | told |
 * |-------|------|
 * | its lag could not be seen | unjudged |
 * | it keeps the place of a redrive that does not run | that: nothing is wrong |
 * | no members, and records wait | that, for all of them |
 * | a partition stands still, or lost records | the worst of them, and how many more |
 * | it divides its partitions | that |
 * | its lag grows | how fast, and whether more instances help |
 * | it catches up | how long until |
 * | it never committed | unjudged |
 * | else | keeps up |
 */
function groupVerdict(sight: GroupSight, partitions: readonly JudgedPartition[]): Verdict {
  const { group, lag, members, unseenWhy, description } = sight
  if (lag === null) {
    return {
      level: 'unjudged',
      text: `${group} cannot be judged: ${unseenWhy ?? 'it was not looked at yet'}`,
      action: null,
    }
  }
  const redriven = redrivenTopicOf(sight)
  if (redriven !== null && members.length === 0) {
    return { level: 'ok', text: `${group} keeps the place of a redrive of ${redriven} that does not run`, action: null }
  }
  if (members.length === 0 && lag.lag > 0) {
    const text = `${group} has no members; ${countText(lag.lag, 'record')} wait${lag.lag === 1 ? 's' : ''}`
    return { level: isStanding(partitions) ? 'act' : 'watch', text, action: 'start its consumers' }
  }
  const [worst] = partitions
  if (worst?.verdict.level === 'act') {
    const more = partitions.filter(({ verdict }) => verdict.level === 'act').length - 1
    const text = more === 0 ? worst.verdict.text : `${worst.verdict.text}; so do ${countText(more, 'more partition')}`
    return { ...worst.verdict, text }
  }
  if (description !== null && rebalancing.includes(description.state)) {
    return { level: 'watch', text: `${group} divides its partitions (${description.state})`, action: null }
  }
  if (lag.unseen.length > 0) {
    const text = `${group} cannot be judged on ${countText(lag.unseen.length, 'partition')}: no leader, no answer, or not there`
    return { level: 'unjudged', text, action: 'look with tidemark doctor' }
  }
  if (lag.trend === 'falling-behind') {
    const rate = growthOf(sight)
    const growing = rate === null ? '' : `, growing ${countText(rate, 'record')}/s`
    const free = Math.max(0, lag.instancesThatHelp - members.length)
    const help = free === 0 ? 'more instances would not help' : `up to ${countText(free, 'more instance')} would help`
    const text = `${group} falls behind: ${behindText(lag.lagMs, lag.lag)}${growing}; ${help}`
    return { level: 'watch', text, action: null }
  }
  if (worst !== undefined && worst.verdict.level !== 'ok') {
    const never = partitions.filter(({ sight: one }) => one.lag > 0 && !lagIsKnown(one)).length
    if (never === 0) return worst.verdict
    const text = `${group} has never committed on ${never} of ${countText(partitions.length, 'partition')}; where it would start only its process knows`
    return { level: 'unjudged', text, action: null }
  }
  if (lag.lag > 0 && lag.drainMs !== null && lag.drainMs > 10_000) {
    return { level: 'ok', text: `${group} catches up: about ${timeText(lag.drainMs)} left`, action: null }
  }
  if (partitions.length === 0) return { level: 'ok', text: `${group} has committed nothing yet`, action: null }
  return {
    level: 'ok',
    text: `${group} keeps up: ${lag.lag === 0 ? 'nothing waits' : behindText(lag.lagMs, lag.lag)}`,
    action: null,
  }
}

function isStanding(partitions: readonly JudgedPartition[]): boolean {
  return partitions.some(({ verdict }) => verdict.level === 'act')
}

/** Records a second over the samples that are there; `null` when it does not grow, or was seen once. */
function growthOf({ history }: GroupSight): number | null {
  const [first, last] = [history.at(-Math.min(history.length, 12)), history.at(-1)]
  if (first === undefined || last === undefined || last.at <= first.at) return null
  const rate = Math.round(((last.lag - first.lag) * 1_000) / (last.at - first.at))
  return rate > 0 ? rate : null
}
