import { groupBy } from '../group-by.js'
import { alertEventId, anomalyId, recordId } from '../ids.js'
import type { Evidence } from './evidence.js'
import { repeated, without, type Invariant } from './invariant.js'

const shown = ['CREATE', 'CONVERGE', 'EVENT_DROP']

/** The ids of the events that anomalies which fired must have made. */
export function triggeredIds({ tables }: Evidence): string[] {
  const fired = tables.check_result.filter(({ triggered }) => triggered === 1)
  return fired.map(({ series, ts, strategy_id, item_id, severity }) =>
    alertEventId(anomalyId(recordId(series, ts), strategy_id, item_id, severity), 'ABNORMAL'),
  )
}

export const alertInvariants: readonly Invariant[] = [
  {
    number: 2,
    promise: 'every anomaly that fired is shown by exactly one alert',
    holds: 'at rest',
    check: (evidence) => {
      const { event_inbox: inbox, alert_log: log } = evidence.tables
      const fired = triggeredIds(evidence)
      const logged = log.flatMap(({ op_type, event_id }) => (shown.includes(op_type) && event_id ? [event_id] : []))
      // From before the end of the key's last alert, or refused by the database: the inbox says so.
      const noted = inbox.filter(({ outcome }) => outcome === 'late' || outcome === 'dead-letter')
      const known = new Set([...logged, ...noted.map(({ event_id }) => event_id)])
      const wrong = [
        ...without(fired, known).map((id) => `${id} fired and no alert shows it`),
        ...without(logged, new Set(fired)).map((id) => `${id} is shown and never fired`),
        ...repeated(logged).map((id) => `${id} is shown twice`),
      ]
      return {
        looked: `${fired.length} anomalies that fired, ${log.length} lines of the log, ${noted.length} noted apart`,
        wrong,
      }
    },
  },
  {
    number: 3,
    promise: 'a key has at most one open alert, generations without holes, and alerts that do not overlap',
    holds: 'always',
    check: ({ tables }) => {
      const keys = groupBy(tables.alert, ({ alert_key }) => alert_key)
      const wrong: string[] = []
      for (const [key, alerts] of keys) {
        alerts.sort((one, other) => one.generation - other.generation)
        const say = (what: string): void => void wrong.push(`${key}: ${what}`)
        if (alerts.filter(({ open_marker }) => open_marker === 1).length > 1) say('two alerts are open')
        if (alerts.some(({ generation }, index) => generation !== index + 1)) say('a generation is missing')
        for (const [index, one] of alerts.entries()) {
          const isOpen = one.open_marker === 1
          if (isOpen !== (one.status === 'ABNORMAL') || isOpen !== (one.end_time === null))
            say(`generation ${one.generation} is neither open nor over`)
          const before = alerts[index - 1]
          if (before && one.begin_time < (before.end_time ?? Infinity))
            say(`generation ${one.generation} begins too early`)
        }
      }
      return { looked: `${tables.alert.length} alerts of ${keys.size} keys`, wrong }
    },
  },
  {
    number: 4,
    promise: 'the log of an alert has each version, begins once, and has nothing behind its end but what people did',
    holds: 'always',
    check: ({ tables }) => {
      const logs = groupBy(tables.alert_log, ({ alert_id }) => alert_id)
      const wrong: string[] = []
      for (const alert of tables.alert) {
        const log = (logs.get(alert.alert_id) ?? []).sort((one, other) => one.version - other.version)
        const say = (what: string): void => void wrong.push(`${alert.alert_id}: ${what}`)
        if (log.length !== alert.version || log.some(({ version }, index) => version !== index + 1))
          say(`versions ${log.map(({ version }) => version).join(' ')} of ${alert.version}`)
        if (log.some(({ op_type }, index) => (op_type === 'CREATE') !== (index === 0))) say('does not begin once')
        const end = log.findIndex(({ status }) => status !== 'ABNORMAL')
        const behind = end === -1 ? [] : log.slice(end + 1)
        if (behind.some(({ op_type }) => !['ACK', 'SHIELD', 'UNSHIELD'].includes(op_type)))
          say('goes on behind its end')
        if (log.at(-1)?.status !== alert.status) say(`ends as ${log.at(-1)?.status}, and is ${alert.status}`)
      }
      return { looked: `${tables.alert_log.length} lines of ${tables.alert.length} alerts`, wrong }
    },
  },
  {
    number: 5,
    promise: 'versions of an alert are told in order, and a view of what was told is the table',
    holds: 'at rest',
    check: ({ topics, tables }) => {
      const wrong: string[] = []
      const told = topics.alertStatus.flatMap(({ value }) => value ?? [])
      const seen = new Set<string>()
      const view = new Map<string, (typeof told)[number]>()
      let repeats = 0
      for (const one of told) {
        const name = `${one.alert_id}.${one.version}`
        if (seen.has(name)) {
          repeats += 1
          continue
        }
        seen.add(name)
        if ((view.get(one.alert_id)?.version ?? 0) >= one.version) wrong.push(`${name} is told behind a later version`)
        else view.set(one.alert_id, one)
      }
      for (const row of tables.alert) {
        const last = view.get(row.alert_id)
        const isSame =
          last?.version === row.version &&
          last.status === row.status &&
          last.severity === row.severity &&
          last.ack === (Number(row.is_ack) === 1) &&
          last.shield === (Number(row.is_shielded) === 1) &&
          last.latest_time === row.latest_time &&
          last.event_count === row.event_count
        if (!isSame)
          wrong.push(
            `${row.alert_id} is version ${row.version} ${row.status}, and was told as ${last?.version} ${last?.status}`,
          )
        view.delete(row.alert_id)
      }
      wrong.push(...[...view.keys()].map((id) => `${id} was told of and is no alert`))
      return { looked: `${told.length} records of alert_status, ${repeats} of them repeats`, wrong }
    },
  },
  {
    number: 13,
    promise: 'events of a key are applied in the order of their offsets, and what is late is counted, not lost',
    holds: 'at rest',
    check: ({ topics, tables }) => {
      const generations = new Map(tables.alert.map((row) => [row.alert_id, row]))
      const applied = [...tables.alert_log]
        .filter(({ event_id }) => event_id !== null)
        .sort((one, other) => {
          const [a, b] = [generations.get(one.alert_id), generations.get(other.alert_id)]
          return (a?.generation ?? 0) - (b?.generation ?? 0) || one.version - other.version
        })
      const byKey = groupBy(applied, ({ alert_id }) => generations.get(alert_id)?.alert_key)
      const noted = new Set(tables.event_inbox.map(({ event_id }) => event_id))
      const wrong: string[] = []
      let late = 0
      for (const [key, records] of groupBy(topics.alerts, ({ value }) => value?.alert_key)) {
        const ids = [...new Set(records.flatMap(({ value }) => value?.event_id ?? []))]
        const own = new Set((byKey.get(key) ?? []).map(({ event_id }) => event_id))
        const order = ids.filter((id) => own.has(id)).join()
        if (order !== [...own].join()) wrong.push(`${key}: events were applied in another order`)
        let newest = 0
        for (const { value } of records) {
          if (!value) continue
          if (value.time < newest) {
            late += 1
            if (!noted.has(value.event_id)) wrong.push(`${value.event_id} is late and lost`)
          }
          newest = Math.max(newest, value.time)
        }
      }
      return { looked: `${topics.alerts.length} events of ${byKey.size} keys, ${late} out of the order of time`, wrong }
    },
  },
  {
    number: 18,
    promise: 'what people did to an alert is kept, whatever came at the same time',
    holds: 'always',
    check: ({ tables }) => {
      const logs = groupBy(tables.alert_log, ({ alert_id }) => alert_id)
      const wrong: string[] = []
      let done = 0
      for (const alert of tables.alert) {
        const log = (logs.get(alert.alert_id) ?? []).sort((one, other) => one.version - other.version)
        const ops = log.map(({ op_type }) => op_type).filter((op) => ['ACK', 'SHIELD', 'UNSHIELD'].includes(op))
        done += ops.length
        const isShielded = ops.filter((op) => op !== 'ACK').at(-1) === 'SHIELD'
        if ((Number(alert.is_ack) === 1) !== ops.includes('ACK'))
          wrong.push(`${alert.alert_id}: the log and is_ack differ`)
        if ((Number(alert.is_shielded) === 1) !== isShielded)
          wrong.push(`${alert.alert_id}: the log and is_shielded differ`)
      }
      return { looked: `${tables.alert.length} alerts, to which ${done} things were done by people`, wrong }
    },
  },
]
