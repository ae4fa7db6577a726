import { inputOf } from '../converge/repartition.js'
import { plugin } from '../detect/alert-event.js'
import { seriesOf } from '../ids.js'
import { convergeBook } from '../rules.js'
import type { RawEvent } from '../topics.js'
import { triggeredIds } from './alert-invariants.js'
import { readBy, type Evidence, type Kept } from './evidence.js'
import { repeated, without, type Invariant } from './invariant.js'
import { raisedInTime } from './raised-in-time.js'

const pointOf = (event: RawEvent): string => `${seriesOf(event)} ${event.timestamp}`

/** What was read and what stands of it, stage by stage: `[what is left out, why]`. */
function leftOver(evidence: Evidence): string[] {
  const { topics, tables, isWhole } = evidence
  const points = new Map(tables.metric_point.map(({ series, ts, value }) => [`${series} ${ts}`, value]))
  const buried = new Set(lettersIn(topics).map(originOf))
  const wrong: string[] = []
  const given = new Map<string, Set<number>>()
  for (const { value, partition, offset } of topics.rawEvents) {
    const place = `raw_events-${partition}@${offset}`
    if (value === null && !buried.has(place)) wrong.push(`${place} cannot be read, and is no dead letter`)
    if (value === null || value.event_type === 'heartbeat') continue
    const point = pointOf(value)
    given.set(point, (given.get(point) ?? new Set()).add(value.raw_data.value))
    if (!points.has(point)) wrong.push(`${place} is no point`)
  }
  if (isWhole('rawEvents'))
    for (const [point, value] of points)
      if (given.get(point)?.has(Number(value)) !== true) wrong.push(`the point ${point} comes from nowhere`)
  const events = new Set(topics.alerts.flatMap(({ value }) => value?.event_id ?? []))
  const inbox = tables.event_inbox.filter(({ consumer }) => consumer === 'alert')
  wrong.push(
    ...without(events, new Set(inbox.map((row) => row.event_id))).map((id) => `the event ${id} is in no inbox`),
  )
  if (isWhole('alerts'))
    wrong.push(
      ...without(
        inbox.map((row) => row.event_id),
        events,
      ).map((id) => `the inbox has ${id}, which nobody sent`),
    )
  for (const { value, partition, offset } of topics.alerts)
    if (value === null && !buried.has(`alerts-${partition}@${offset}`))
      wrong.push(`alerts-${partition}@${offset} cannot be read, and is no dead letter`)
  const told = new Set(topics.alertStatus.flatMap(({ value }) => (value ? `${value.alert_id}.${value.version}` : [])))
  const logged = tables.alert_log.map(({ alert_id, version }) => `${alert_id}.${version}`)
  wrong.push(...without(logged, told).map((id) => `${id} was not told`))
  const due = topics.alertStatus.flatMap(({ value }) => (value && inputOf(convergeBook.convergeRules, value)) ?? [])
  const folded = new Set(tables.converge_relation.map((row) => `${row.alert_id}.${row.signal_version}`))
  wrong.push(
    ...without(new Set(due.map(({ alert }) => `${alert.alert_id}.${alert.version}`)), folded)
      .filter((id) => !isBuried(topics, buried, id))
      .map((id) => `${id} is in no window`),
  )
  const done = new Set(tables.notice.map(({ notice_id }) => notice_id))
  const waiting = new Set(topics.noticesDeadLetters.map((letter) => letter.id))
  for (const { value } of topics.notices)
    if (value && !done.has(value.notice_id) && !waiting.has(value.notice_id))
      wrong.push(`the notice ${value.notice_id} was not told, and is no dead letter`)
  if (evidence.untold > 0) wrong.push(`${evidence.untold} rows of outboxes were not sent`)
  return wrong
}

function lettersIn(topics: Evidence['topics']): Kept<unknown>[] {
  return [
    ...[...topics.rawEventsDeadLetters, ...topics.alertsDeadLetters, ...topics.repartitionDeadLetters],
    ...[...topics.convergeDeadLetters, ...topics.noticesDeadLetters, ...topics.searchDeadLetters],
  ]
}

/** A change of an alert whose rule was gone. */
function isBuried(topics: Evidence['topics'], buried: ReadonlySet<string>, change: string): boolean {
  return topics.convergeInput.some(
    ({ id, partition, offset }) => id === change && buried.has(`converge_input-${partition}@${offset}`),
  )
}

function timesOf(ids: readonly string[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1)
  return times
}

function originOf({ headers }: Kept<unknown>): string {
  return `${headers.get('td-origin-topic')}-${headers.get('td-origin-partition')}@${headers.get('td-origin-offset')}`
}

export const stageInvariants: readonly Invariant[] = [
  {
    number: 1,
    promise: 'what came in is stored, a repeat, a heartbeat, put aside or a dead letter, at each stage',
    holds: 'at rest',
    check: (evidence) => {
      const { topics, tables } = evidence
      const parts = [
        `${topics.rawEvents.length} raw events, ${tables.metric_point.length} points`,
        `${topics.alerts.length} events, ${tables.event_inbox.length} in the inbox`,
        `${topics.convergeInput.length} changes, ${tables.converge_relation.length} in windows`,
        `${topics.notices.length} notices, ${tables.notice.length} done`,
      ]
      const letters = lettersIn(topics).length
      return {
        looked: `${parts.join('; ')}; ${topics.shed.length} put aside, ${letters} dead letters`,
        wrong: leftOver(evidence),
      }
    },
  },
  {
    number: 9,
    promise: 'no group has committed what the database does not have',
    holds: 'always',
    check: (evidence) => {
      const { topics, tables, positions, commits } = evidence
      const points = new Set(tables.metric_point.map(({ series, ts }) => `${series} ${ts}`))
      const inbox = new Set(tables.event_inbox.map(({ event_id }) => event_id))
      const folded = new Set(tables.converge_relation.map((row) => `${row.alert_id}.${row.signal_version}`))
      const buried = new Set(lettersIn(topics).map(originOf))
      const stored = new Map(
        positions.filter(({ grp }) => grp === 'alert').map(({ part, next_offset }) => [part, next_offset]),
      )
      const wrong: string[] = []
      for (const { group, partition, offset } of commits) {
        const say = (what: string): void => void wrong.push(`${group} has committed ${partition}@${offset}: ${what}`)
        const before = <Of>(records: readonly Kept<Of>[]): Of[] =>
          records.flatMap((one) => (one.partition === partition && one.offset < offset && one.value) || [])
        if (
          group === 'detect' &&
          before(topics.rawEvents).some((one) => one.event_type !== 'heartbeat' && !points.has(pointOf(one)))
        )
          say('a point before it is not stored')
        if (group === 'alert' && before(topics.alerts).some(({ event_id }) => !inbox.has(event_id)))
          say('an event before it is in no inbox')
        if (group === 'alert' && (stored.get(partition) ?? 0) < offset)
          say(`the database is at ${stored.get(partition)}`)
        if (
          group === 'converge' &&
          before(topics.convergeInput)
            .map(({ alert }) => `${alert.alert_id}.${alert.version}`)
            .some((id) => !folded.has(id) && !isBuried(topics, buried, id))
        )
          say('a change before it is in no window')
      }
      return { looked: `${commits.length} commits of ${new Set(commits.map(({ group }) => group)).size} groups`, wrong }
    },
  },
  {
    number: 12,
    promise: 'readers of committed records see nothing that was taken back, and each change as often as it was told',
    holds: 'at rest',
    check: (evidence) => {
      const { topics, aborted } = evidence
      const ids = topics.convergeInput.flatMap(({ value }) =>
        value ? `${value.alert.alert_id}.${value.alert.version}` : [],
      )
      // An outbox tells what it died over once more, and repartition hands that on: converge knows it.
      const told = timesOf(
        topics.alertStatus.flatMap(({ value }) => (value ? `${value.alert_id}.${value.version}` : [])),
      )
      const events = topics.alerts.flatMap(({ value }) => value ?? [])
      const fired = new Set(triggeredIds(evidence))
      const said = new Set(events.map(({ event_id }) => event_id))
      const wrong = [
        ...[...timesOf(ids)].flatMap(([id, times]) =>
          evidence.isWhole('alertStatus') && times !== (told.get(id) ?? 0)
            ? `${id} is in converge_input ${times} times, and was told ${told.get(id) ?? 0} times`
            : [],
        ),
        ...without(fired, said).map((id) => `${id} fired and was not said`),
        // Others may say what they like; of detect it is known what it has to say.
        ...events.flatMap(({ status, event_id, plugin_id }) =>
          plugin_id === plugin && status === 'ABNORMAL' && !fired.has(event_id)
            ? `${event_id} was said and never fired`
            : [],
        ),
      ]
      const again = events.length - said.size
      return {
        looked: `${ids.length} changes, ${aborted} more were aborted; ${events.length} events, ${again} of them repeats`,
        wrong,
      }
    },
  },
  {
    number: 14,
    promise: 'what is poison is a dead letter with its place and its reason, once, or twice where its service died',
    holds: 'always',
    check: ({ topics, journal }) => {
      const letters = lettersIn(topics)
      // Access refuses what never was in a topic: its letter tells what it was by its hash.
      const [ofTopics, refused] = [
        letters.filter(({ headers }) => headers.has('td-origin-topic')),
        letters.filter(({ headers }) => headers.has('alarm-sha256')),
      ]
      // Killed between its letter and its commit, a service meets the record again.
      const twice = repeated(ofTopics.map(originOf))
      const deaths = journal?.filter(({ kind }) => kind === 'death').length ?? Infinity
      const wrong = [
        ...(twice.length > deaths ? twice.map((place) => `${place} is two dead letters`) : []),
        ...letters
          .filter(({ headers }) => !headers.has('td-reason'))
          .map(({ partition, offset }) => `letter ${partition}@${offset} has no reason`),
        ...(ofTopics.length + refused.length < letters.length ? ['a letter tells neither its place nor its hash'] : []),
      ]
      return {
        looked: `${letters.length} dead letters${twice.length > 0 ? `, ${twice.length} of them twice` : ''}`,
        wrong,
        unseen: 'that a redrive ends in the same state: test/examples/alarm/downstream.test.ts',
      }
    },
  },
  {
    number: 15,
    promise: 'nothing that matters is put aside, and the level is over',
    holds: 'at rest',
    check: ({ topics }) => {
      const wrong: string[] = []
      const taken = new Set(topics.rawEvents.flatMap(({ value }) => value?.event_id ?? []))
      for (const { value, offset } of topics.shed) {
        if (value?.priority === 1 || value?.event_type !== 'metric') wrong.push(`shed@${offset} matters`)
        if (value && taken.has(value.event_id)) wrong.push(`shed@${offset} was taken too`)
      }
      const last = topics.control.at(-1)
      const level = last?.value?.level ?? 0
      if (level > 0) wrong.push(`the level told last is ${level}`)
      return { looked: `${topics.shed.length} put aside, ${topics.control.length} levels told`, wrong }
    },
  },
  {
    number: 16,
    promise: 'whoever watches the lag raises in time',
    holds: 'always',
    check: ({ journal }) => {
      const finding = raisedInTime((journal ?? []).flatMap((entry) => (entry.kind === 'look' ? entry : [])))
      const unseen = 'a watch leaves nothing here, and no journal has one that saw enough to raise: workload w7 has'
      return finding.looked === '' ? { ...finding, unseen } : finding
    },
  },
  {
    number: 17,
    promise: 'who is asked to end ends in time and in order, with everything committed',
    holds: 'at rest',
    check: ({ journal, commits, topics }) => {
      const exits = (journal ?? []).flatMap((entry) => (entry.kind === 'exit' ? entry : []))
      const wrong = exits.flatMap(({ service, code, ms }) =>
        code === 0 && ms <= 30_000 ? [] : `${service} ended with ${code} after ${ms} ms`,
      )
      for (const { group, partition, offset } of commits) {
        // The last word of how far time has come waits for a later one.
        const isWork = ({ value }: Kept<unknown>): boolean => (value as RawEvent | null)?.event_type !== 'heartbeat'
        const last = (topics[readBy[group]] as Kept<unknown>[]).findLast(
          (one) => one.partition === partition && isWork(one),
        )
        if (last && last.offset >= offset)
          wrong.push(`${group} has committed ${partition}@${offset}, and ${last.offset} is there`)
      }
      const unseen = journal ? {} : { unseen: 'how processes ended: no journal was given (--journal)' }
      return { looked: `${exits.length} processes that were asked to end, ${commits.length} commits`, wrong, ...unseen }
    },
  },
]
