import type { Finding } from '../../doctor/rules.js'
import { linkOf } from './frame.js'
import type { GroupSight } from './sight.js'
import { byGravity, countText, type Level, type Verdict } from './verdict.js'

/** What the doctor has found of one topic, or of the brokers. */
export interface SubjectView {
  readonly subject: string
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
  /** Groups that have committed in it. */
  readonly readers: readonly TopicReader[]
}

export interface TopicReader {
  readonly group: string
  readonly link: string
  /** Of the whole group. */
  readonly lagMs: number | null
}

export interface TopicsView {
  readonly profile: string
  readonly verdict: Verdict
  readonly at: number
  /** The worst first. */
  readonly subjects: readonly SubjectView[]
  readonly unseen: readonly { readonly what: string; readonly why: string }[]
}

export interface Diagnosis {
  readonly profile: string
  /** The cluster has one broker, so no promise outlives its disk, and replicas were not judged. */
  readonly isSingleBroker: boolean
  readonly topics: readonly string[]
  readonly findings: readonly Finding[]
  readonly unseen: readonly { readonly what: string; readonly why: string }[]
}

export function topicsView(
  { profile, isSingleBroker, topics, findings, unseen }: Diagnosis,
  at: number,
  groups: readonly GroupSight[],
): TopicsView {
  const names = [...new Set([...topics, ...findings.map(({ subject }) => subject)])]
  const subjects = names
    .map((subject) =>
      subjectView(
        subject,
        findings.filter((finding) => finding.subject === subject),
        readersOf(subject, groups),
      ),
    )
    .sort((one, other) => byGravity(one, other) || (one.subject < other.subject ? -1 : 1))
  const broken = subjects.filter(({ verdict }) => verdict.level === 'act').length
  const warned = subjects.filter(({ verdict }) => verdict.level === 'watch').length
  const verdict = wholeVerdict(profile, topics.length, broken, warned, unseen.length)
  return { profile, at, subjects, unseen, verdict: isSingleBroker ? withOneBroker(verdict) : verdict }
}

export function readersOf(topic: string, groups: readonly GroupSight[]): readonly TopicReader[] {
  return groups
    .filter(({ partitions }) => partitions.some((one) => one.topic === topic))
    .map(({ group, lag }) => ({ group, link: linkOf('group', group), lagMs: lag?.lagMs ?? null }))
}

function subjectView(subject: string, findings: readonly Finding[], readers: readonly TopicReader[]): SubjectView {
  const [worst] = [...findings].sort((one, other) =>
    one.severity === other.severity ? 0 : one.severity === 'error' ? -1 : 1,
  )
  if (worst === undefined)
    return { subject, findings, readers, verdict: { level: 'ok', text: 'nothing found', action: null } }
  const level: Level = worst.severity === 'error' ? 'act' : 'watch'
  return { subject, findings, readers, verdict: { level, text: worst.reason, action: worst.fix } }
}

/** As long as there is one, nothing is as good as kept. */
function withOneBroker({ level, text, action }: Verdict): Verdict {
  return { level: level === 'ok' ? 'watch' : level, text: `${text} ${singleBrokerText}`, action }
}

/** For whoever is told that nothing was found. */
export const singleBrokerText = 'The cluster has one broker: what it acknowledges is lost with its disk.'

function wholeVerdict(profile: string, topics: number, broken: number, warned: number, unseen: number): Verdict {
  const of = countText(topics, 'topic')
  if (broken > 0) {
    const text = `${countText(broken, 'subject')} of ${of} and their brokers cannot keep the promise of profile ${profile}.`
    return { level: 'act', text, action: null }
  }
  if (warned > 0) {
    const text = `Profile ${profile} is kept on ${of}; ${countText(warned, 'subject')} will break it when something goes wrong.`
    return { level: 'watch', text, action: null }
  }
  if (unseen > 0) {
    return {
      level: 'unjudged',
      text: `Nothing found; ${countText(unseen, 'thing')} could not be looked at.`,
      action: null,
    }
  }
  return { level: 'ok', text: `${of} keep${topics === 1 ? 's' : ''} what profile ${profile} promises.`, action: null }
}
