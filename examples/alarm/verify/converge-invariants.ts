import { matches, type ConvergeBook } from '../converge/converge-rules.js'
import { mostMembers } from '../converge/fold.js'
import { groupBy } from '../group-by.js'
import { noticeId } from '../ids.js'
import { convergeBook } from '../rules.js'
import type { Evidence } from './evidence.js'
import { repeated, type Invariant } from './invariant.js'
import type { Reference } from './kept.js'

type Relation = Evidence['tables']['converge_relation'][number]

/** What other runs over the same input must end with too. */
export function referenceOf({ tables }: Evidence): Reference {
  const alerts = tables.alert.map(({ alert_key, generation }) => `${alert_key}.${generation}`).sort()
  const windows = groupBy(tables.converge_relation, ({ converge_id }) => converge_id)
  const members = [...windows].map(([id, rows]): [string, string[]] => [id, rows.map(nameOf).sort()])
  return { alerts, windows: Object.fromEntries(members) }
}

const nameOf = ({ alert_id, signal_version }: Relation): string => `${alert_id}.${signal_version}`

/** Those to whom a change is told are all told, and nobody else is. */
function wronglyTold({ topics, tables }: Evidence, { convergeRules }: ConvergeBook): string[] {
  const ruleOf = new Map(tables.converge_instance.map(({ converge_id, rule }) => [converge_id, rule]))
  const due = tables.converge_relation.flatMap((row) => {
    if (row.outcome !== 'executed') return []
    const rule = convergeRules.find(({ name }) => name === ruleOf.get(row.converge_id))
    return (rule?.receivers ?? []).map(({ receiver, channel }) =>
      noticeId(row.alert_id, row.signal_version, row.signal_name, receiver, channel),
    )
  })
  const told = new Set(topics.notices.flatMap(({ value }) => value?.notice_id ?? []))
  const known = new Set(due)
  return [
    ...due.filter((id) => !told.has(id)).map((id) => `the notice ${id} is due and was not told`),
    ...topics.notices.flatMap(({ value }) =>
      value && value.signal !== 'summary' && !known.has(value.notice_id)
        ? `the notice ${value.notice_id} is not due`
        : [],
    ),
  ]
}

export const convergeInvariants: readonly Invariant[] = [
  {
    number: 6,
    promise: 'alerts, generations, windows and what is in them are those of a run without faults',
    holds: 'at rest',
    check: (evidence) => {
      const { reference } = evidence
      if (!reference) return { looked: '', wrong: [], unseen: 'no reference was given (--reference)' }
      const ours = referenceOf(evidence)
      const pairs = [
        [new Set(reference.alerts), new Set(ours.alerts), 'alert'],
        [flat(reference), flat(ours), 'change of an alert, in its window,'],
      ] as const
      const wrong = pairs.flatMap(([expected, found, what]) => [
        ...[...expected].filter((one) => !found.has(one)).map((one) => `the ${what} ${one} is missing`),
        ...[...found].filter((one) => !expected.has(one)).map((one) => `the ${what} ${one} is too much`),
      ])
      return {
        looked: `${reference.alerts.length} alerts and ${flat(reference).size} changes in windows of the reference`,
        wrong,
      }
    },
  },
  {
    number: 7,
    promise: 'nobody is told of what is not committed',
    holds: 'always',
    check: ({ topics, tables, journal }) => {
      const logged = new Set(tables.alert_log.map(({ alert_id, version }) => `${alert_id}.${version}`))
      const told = topics.notices.flatMap(({ value }) => value ?? [])
      const seen = (journal ?? []).flatMap((entry) => (entry.kind === 'notice' ? entry : []))
      const wrong = [
        ...told.flatMap((one) =>
          logged.has(`${one.alert_id}.${one.version}`)
            ? []
            : `${one.notice_id} tells of ${one.alert_id}.${one.version}, which is not there`,
        ),
        ...seen.flatMap((one) => (one.visible ? [] : `${one.notice_id} came before its alert could be seen`)),
      ]
      const unseen = journal
        ? {}
        : { unseen: 'whether the alert could be seen when its notice came: no journal was given (--journal)' }
      return { looked: `${told.length} notices, ${seen.length} as they came in`, wrong, ...unseen }
    },
  },
  {
    number: 8,
    promise: 'a notice has one effect where ids are heeded, and comes twice only for a death between answer and mark',
    holds: 'at rest',
    check: ({ tables, journal }) => {
      if (!journal) return { looked: '', wrong: [], unseen: 'how notices came in: no journal was given (--journal)' }
      const calls = journal.flatMap((entry) => (entry.kind === 'notice' ? entry : []))
      const effects = calls.filter(({ effect }) => effect).map(({ notice_id }) => notice_id)
      const had = new Set(effects)
      const wrong = [
        ...repeated(effects).map((id) => `${id} had two effects`),
        ...tables.notice.flatMap(({ notice_id, outcome }) =>
          outcome === 'sent' && !had.has(notice_id) ? `${notice_id} is marked as sent and never came` : [],
        ),
      ]
      return { looked: `${effects.length} effects, ${calls.length - effects.length} calls more for the same`, wrong }
    },
  },
  {
    number: 10,
    promise: 'each change is in one window, windows count what is in them, and tell of it as their rule says',
    holds: 'at rest',
    check: (evidence) => {
      const { topics, tables } = evidence
      const windows = new Map(tables.converge_instance.map((one) => [one.converge_id, one]))
      const members = groupBy(tables.converge_relation, ({ converge_id }) => converge_id)
      const announced = new Map(
        topics.convergedAlerts.flatMap(({ value }) => (value ? [[value.converge_id, value]] : [])),
      )
      const wrong = repeated(tables.converge_relation.map(nameOf)).map((id) => `${id} is in two windows`)
      for (const [id, rows] of members) {
        const window = windows.get(id)
        const say = (what: string): void => void wrong.push(`the window ${id}: ${what}`)
        if (!window) {
          say('is not there')
          continue
        }
        const executed = rows.filter(({ outcome }) => outcome === 'executed').length
        if (window.executed !== executed || window.executed + window.skipped !== rows.length)
          say(
            `has ${executed} of ${rows.length} told, and counts ${window.executed} of ${window.executed + window.skipped}`,
          )
        if (rows.some(({ at }) => at < window.starts || at >= window.ends)) say('holds what happened outside of it')
        const rule = convergeBook.convergeRules.find(({ name }) => name === window.rule)
        const folded = rows.filter(({ outcome }) => outcome === 'skipped').length
        const allowed = (rule?.count ?? 0) + window.late
        if (rule?.func === 'collect' && (executed > allowed || (folded > 0 && executed < rule.count)))
          say(`tells of ${executed}, where ${rule.count} may be told of and ${window.late} were late`)
        if (window.open_marker === 1) continue
        const summaries = new Set(
          topics.notices.flatMap(({ value }) =>
            value?.signal === 'summary' && rows.some((row) => nameOf(row) === `${value.alert_id}.${value.version}`)
              ? value.notice_id
              : [],
          ),
        )
        if (rule?.func === 'collect' && summaries.size !== (folded > 0 ? rule.receivers.length : 0))
          say(`folds ${folded} and has ${summaries.size} summaries`)
        const said = announced.get(id)
        if (
          said?.executed !== window.executed ||
          said.skipped !== window.skipped ||
          said.status !== 'closed' ||
          said.members.length !== Math.min(rows.length, mostMembers)
        )
          say('was announced otherwise')
      }
      wrong.push(...wronglyTold(evidence, convergeBook))
      return {
        looked: `${windows.size} windows, ${tables.converge_relation.length} changes, ${topics.notices.length} notices`,
        wrong,
      }
    },
  },
  {
    number: 11,
    promise: 'an alert that is inhibited is there, nobody is told of it, and nothing inhibits in a circle',
    holds: 'always',
    check: ({ topics, tables }) => {
      const inhibited = tables.converge_relation.filter(({ outcome }) => outcome === 'inhibited')
      const alerts = new Set(tables.alert.map(({ alert_id }) => alert_id))
      const told = new Set(
        topics.notices.flatMap(({ value }) =>
          value && value.signal !== 'summary' ? `${value.alert_id}.${value.version}` : [],
        ),
      )
      const begun = tables.converge_relation.filter(({ signal_name }) => signal_name === 'abnormal')
      const wrong: string[] = []
      for (const row of inhibited) {
        if (!alerts.has(row.alert_id)) wrong.push(`${row.alert_id} is inhibited, and no alert`)
        if (told.has(nameOf(row))) wrong.push(`${nameOf(row)} is inhibited, and was told`)
        const alert = asAlert(row)
        const isSource = ({ source, target, equal }: ConvergeBook['inhibitions'][number]): boolean =>
          matches(target, alert) &&
          begun.some(
            (one) =>
              matches(source, asAlert(one)) &&
              equal.every((field) => one[field] === row[field]) &&
              !matches(target, asAlert(one)),
          )
        if (!convergeBook.inhibitions.some(isSource))
          wrong.push(`${nameOf(row)} is inhibited by nothing that is no target itself`)
      }
      return { looked: `${inhibited.length} of ${tables.converge_relation.length} changes inhibited`, wrong }
    },
  },
]

function asAlert(row: Relation): Parameters<typeof matches>[1] {
  return { ...row, severity: row.severity as 1 | 2 | 3, alert_name: '' }
}

function flat({ windows }: Reference): Set<string> {
  return new Set(Object.entries(windows).flatMap(([id, members]) => members.map((member) => `${member} in ${id}`)))
}
