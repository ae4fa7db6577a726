import { timeText } from '../../text/figures.js'
import { linkOf, type Headline } from './frame.js'
import { judgeGroup, type JudgedGroup } from './group-verdict.js'
import type { GroupSample, Sight } from './sight.js'
import { thinned } from './thinned.js'
import { byGravity, countText, type Level, type Verdict } from './verdict.js'

/** How the whole cluster stands: one sentence, what it rests on, and lag over time. */
export interface Overview {
  readonly verdict: Verdict
  /** The gravest. */
  readonly headlines: readonly Headline[]
  /** So many more there are. */
  readonly more: number
  readonly counts: Readonly<Record<Level, number>>
  readonly groups: number
  readonly letters: number
  readonly brokers: readonly number[]
  readonly down: readonly number[]
  readonly withoutLeader: number
  readonly underReplicated: number
  /** Of the groups that are most behind. */
  readonly lags: readonly LagLine[]
  readonly processes: readonly { readonly address: string; readonly failure: string | null }[]
}

export interface LagLine {
  readonly group: string
  readonly level: Level
  readonly samples: readonly GroupSample[]
}

const mostHeadlines = 12
const mostLines = 5
const mostSamples = 80

export function overviewOf(sight: Sight): Overview {
  const judged = sight.groups.map((group) => judgeGroup(group, sight.at)).sort(byGravity)
  const counts: Record<Level, number> = { act: 0, watch: 0, unjudged: 0, ok: 0 }
  for (const { verdict } of judged) counts[verdict.level] += 1
  const troubled = judged.filter(({ verdict }) => verdict.level !== 'ok')
  const headlines = [...clusterHeadlines(sight), ...troubled.map(headlineOf), ...letterHeadlines(sight)]
  return {
    verdict: wholeVerdict(sight, judged, counts, headlines),
    headlines: headlines.sort((one, other) => byGravity({ verdict: one }, { verdict: other })).slice(0, mostHeadlines),
    more: Math.max(0, headlines.length - mostHeadlines),
    counts,
    groups: judged.length,
    letters: sight.letterTopics.reduce((sum, { letters }) => sum + letters, 0),
    brokers: sight.cluster?.brokers ?? [],
    down: sight.cluster?.down ?? [],
    withoutLeader: sight.cluster?.withoutLeader ?? 0,
    underReplicated: sight.cluster?.underReplicated ?? 0,
    lags: judged
      .filter(({ sight: { history } }) => history.length > 0)
      .sort((one, other) => lagOf(other) - lagOf(one))
      .slice(0, mostLines)
      .map(({ sight: { group, history }, verdict }) => ({
        group,
        level: verdict.level,
        samples: thinned(history, mostSamples),
      })),
    processes: sight.processes,
  }
}

function lagOf({ sight }: JudgedGroup): number {
  return sight.lag?.lag ?? 0
}

function headlineOf({ sight, verdict, partitions }: JudgedGroup): Headline {
  const [worst] = partitions
  const isOfOne = worst?.verdict.level === 'act' && verdict.text.startsWith(worst.verdict.text)
  const link = isOfOne
    ? linkOf('partition', sight.group, worst.sight.topic, worst.sight.partition)
    : linkOf('group', sight.group)
  return { ...verdict, link }
}

function clusterHeadlines({ cluster }: Sight): readonly Headline[] {
  if (cluster === null) return []
  const { withoutLeader, underReplicated } = cluster
  const action = 'start the brokers that are down'
  return [
    ...(withoutLeader === 0
      ? []
      : [
          {
            level: 'act' as const,
            text: `${countText(withoutLeader, 'partition')} without a leader`,
            action,
            link: 'topics',
          },
        ]),
    ...(underReplicated === 0
      ? []
      : [
          {
            level: 'watch' as const,
            text: `${countText(underReplicated, 'partition')} with a replica that is not in sync`,
            action,
            link: 'topics',
          },
        ]),
  ]
}

function letterHeadlines({ letterTopics }: Sight): readonly Headline[] {
  return letterTopics
    .filter(({ letters }) => letters > 0)
    .map(({ topic, letters }) => ({
      level: 'watch',
      text: `${topic} holds ${countText(letters, 'letter')} at most`,
      action: 'look at why, and send back what can be handled now',
      link: linkOf('letters', topic),
    }))
}

/** The one sentence. */
function wholeVerdict(
  { cluster, failure, groups }: Sight,
  judged: readonly JudgedGroup[],
  counts: Readonly<Record<Level, number>>,
  headlines: readonly Headline[],
): Verdict {
  if (cluster === null) {
    const why = failure ?? 'it is being looked at for the first time'
    return { level: 'unjudged', text: `Nothing is known of the cluster: ${why}`, action: null }
  }
  const [first] = headlines.filter(({ level }) => level === 'act')
  if (first !== undefined) {
    const more = headlines.filter(({ level }) => level === 'act').length - 1
    const text =
      more === 0
        ? first.text
        : `${first.text}; and ${countText(more, 'more standstill or loss', 'more standstills or losses')}`
    return { level: 'act', text: sentence(text), action: first.action }
  }
  if (groups.length === 0) {
    return {
      level: 'ok',
      text: 'No group has ever committed here.',
      action: 'start one, or check the address of the cluster',
    }
  }
  const keepUp = `${counts.ok} of ${countText(groups.length, 'group')} keep${counts.ok === 1 ? 's' : ''} up`
  if (counts.watch > 0) {
    const [watched] = judged.filter(({ verdict }) => verdict.level === 'watch')
    return { level: 'watch', text: sentence(`${keepUp}; ${(watched as JudgedGroup).verdict.text}`), action: null }
  }
  if (counts.unjudged > 0) {
    return { level: 'unjudged', text: sentence(`${keepUp}; ${counts.unjudged} cannot be judged`), action: null }
  }
  const slowest = slowestOf(judged)
  const of = groups.length === 1 ? 'The only group keeps up' : `All ${groups.length} groups keep up`
  return { level: 'ok', text: sentence(slowest === null ? of : `${of}; slowest ${slowest}`), action: null }
}

function slowestOf(judged: readonly JudgedGroup[]): string | null {
  const known = judged.flatMap(({ sight }) =>
    sight.lag?.lagMs ? [{ group: sight.group, lagMs: sight.lag.lagMs }] : [],
  )
  const [slowest] = known.sort((one, other) => other.lagMs - one.lagMs)
  return slowest === undefined ? null : `${slowest.group}, ${timeText(slowest.lagMs)}`
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}
