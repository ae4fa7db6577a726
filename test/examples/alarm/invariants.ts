import { expect } from 'vitest'
import { alertEventId, anomalyId, recordId } from '../../../examples/alarm/ids.js'
import type { Store } from '../../../examples/alarm/store/store.js'
import { readAlerts } from './pipeline.js'

interface Databases {
  readonly detectStore: Store
  readonly alertStore: Store
}

/** Fails on the first promise about alerts that the tables break. */
export async function expectAlertInvariants(databases: Databases): Promise<void> {
  await expectEveryTriggerShownOnce(databases)
  await expectOneOpenAlertAndNoOverlap(databases.alertStore)
  await expectContiguousLogs(databases.alertStore)
}

/** Every triggered anomaly stands once in the inbox and once in the log of exactly one alert. */
async function expectEveryTriggerShownOnce({ detectStore, alertStore }: Databases): Promise<void> {
  const triggered = await detectStore.db.selectFrom('check_result').selectAll().where('triggered', '=', 1).execute()
  const ids = triggered.map((row) => {
    const record = recordId(row.series, row.ts)
    return alertEventId(anomalyId(record, row.strategy_id, row.item_id, row.severity), 'ABNORMAL')
  })
  expect(new Set(ids).size).toBe(ids.length)
  const inbox = await alertStore.db.selectFrom('event_inbox').select('event_id').execute()
  const log = await alertStore.db
    .selectFrom('alert_log')
    .select('event_id')
    .where('op_type', 'in', ['CREATE', 'CONVERGE', 'EVENT_DROP'])
    .execute()
  const ended = await alertStore.db
    .selectFrom('alert_log')
    .select('event_id')
    .where('op_type', 'in', ['RECOVER', 'CLOSE'])
    .where('event_id', 'is not', null)
    .execute()
  const sorted = (rows: readonly { event_id: string | null }[]) => rows.map((row) => row.event_id).sort()
  expect(sorted(log)).toEqual([...ids].sort())
  expect(sorted(inbox)).toEqual([...sorted(log), ...sorted(ended)].sort())
}

/** Generations of a key are 1..n, at most the last is open, and none begins before its predecessor ended. */
async function expectOneOpenAlertAndNoOverlap({ db }: Store): Promise<void> {
  const byKey = groupBy(await readAlerts(db), (row) => row.alert_key)
  for (const [, rows] of byKey) {
    rows.sort((a, b) => a.generation - b.generation)
    expect(rows.map((row) => row.generation)).toEqual(rows.map((_, index) => index + 1))
    rows.forEach((row, index) => {
      const isLast = index === rows.length - 1
      expect(row.open_marker === 1).toBe(row.end_time === null)
      expect(row.open_marker === 1).toBe(row.status === 'ABNORMAL')
      if (!isLast) expect(row.end_time).not.toBeNull()
      if (row.end_time !== null) expect(row.latest_time).toBeLessThanOrEqual(row.end_time)
      expect(row.begin_time).toBeLessThanOrEqual(row.latest_time)
      const before = rows[index - 1]
      if (before) expect(row.begin_time).toBeGreaterThanOrEqual(before.end_time ?? Infinity)
    })
  }
}

/** Versions are 1..version; the log opens once, ends at most once, and nothing follows the end. */
async function expectContiguousLogs({ db }: Store): Promise<void> {
  const log = await db.selectFrom('alert_log').selectAll().orderBy('alert_id').orderBy('version').execute()
  const byAlert = groupBy(log, (row) => row.alert_id)
  for (const alert of await readAlerts(db)) {
    const entries = byAlert.get(alert.alert_id) ?? []
    expect(entries.map((entry) => entry.version)).toEqual(
      Array.from({ length: alert.version }, (_, index) => index + 1),
    )
    expect(entries.map((entry) => entry.op_type === 'CREATE')).toEqual(entries.map((_, index) => index === 0))
    const states = entries.map((entry) => entry.status)
    expect(states.slice(0, -1).every((state) => state === 'ABNORMAL')).toBe(true)
    expect(states.at(-1)).toBe(alert.status)
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}
