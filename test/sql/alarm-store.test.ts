import { FencedWriter, insertNew, isRefusedForGood } from 'tidemark/sql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tellBy } from '../../examples/alarm/alert/alert.js'
import { applyEvents } from '../../examples/alarm/alert/apply-events.js'
import { operate } from '../../examples/alarm/alert/operate.js'
import { loadPoints, savePoints } from '../../examples/alarm/detect/detect-store.js'
import { seriesId } from '../../examples/alarm/ids.js'
import { readReport } from '../../examples/alarm/report.js'
import { rules } from '../../examples/alarm/rules.js'
import { firstRows, sources } from '../../examples/alarm/sources.js'
import type { Schema } from '../../examples/alarm/store/schema.js'
import { openStore, type Store } from '../../examples/alarm/store/store.js'
import type { AlertEvent } from '../../examples/alarm/topics.js'
import { alertEventOf } from '../examples/alarm/alert-event.js'
import { claimed, readAlertTables } from '../examples/alarm/pipeline.js'
import { isFull, startDatabase, urlOf, type TestDatabase } from './support/databases.js'

const kinds = isFull ? (['mariadb', 'postgres'] as const) : (['mariadb'] as const)

const keyed = (n: number): string => String(n).padStart(2, '0').repeat(32)
const story: readonly AlertEvent[] = Array.from({ length: 40 }, (_, n) => n).flatMap((n) => [
  alertEventOf({ alert_key: keyed(n), event_id: `${n}-open`, severity: 3 }),
  alertEventOf({ alert_key: keyed(n), event_id: `${n}-more`, severity: 3, time: 1_300 }),
  alertEventOf({ alert_key: keyed(n), event_id: `${n}-worse`, severity: 1, time: 1_600 }),
  alertEventOf({ alert_key: keyed(n), event_id: `${n}-end`, severity: 1, time: 1_900, status: 'RECOVERED' }),
])

describe.each(kinds)('alerts in %s', (kind) => {
  let database: TestDatabase
  let store: Store
  beforeAll(async () => {
    database = await startDatabase(kind)
    store = await openStore(urlOf(database))
  })
  afterAll(async () => {
    await store?.close()
    await database?.stop()
  })
  const partition = { topic: 'alerts', partition: 0 }

  it('are those of SQLite, row by row, also when events come twice and four services open the database at once', async () => {
    const sqlite = await startDatabase('sqlite')
    const reference = await openStore(urlOf(sqlite))
    for (const one of [reference, store]) {
      const claims = await claimed(one, 'alert', partition)
      for (const batch of [story.slice(0, 90), story.slice(60, 130), story])
        await claims.write(partition, (tx) => applyEvents(tx, tellBy(one), batch))
      const again = await claims.write(partition, (tx) => applyEvents(tx, tellBy(one), story))
      expect(new Set(again)).toEqual(new Set(['repeated']))
    }
    const others = await Promise.all([1, 2, 3, 4].map(() => openStore(urlOf(database))))
    expect(await readAlertTables(store)).toEqual(await readAlertTables(reference))
    const rows = (one: Store) => one.db.selectFrom('alert_log').selectAll().execute()
    expect(await rows(store)).toHaveLength((await rows(reference)).length)
    for (const one of [...others, reference]) await one.close()
  })

  it('are written by the last who claimed the partition', async () => {
    const zombie = await claimed(store, 'fence', partition)
    await zombie.write(partition, async () => undefined, 1)
    const owner = await claimed(store, 'fence', partition)
    await owner.write(partition, async () => undefined, 2)
    const late = zombie.write(partition, (tx) => applyEvents(tx, tellBy(store), [alertEventOf({ event_id: 'z' })]), 3)
    await expect(late).rejects.toThrow(FencedWriter)
    const inbox = await store.db.selectFrom('event_inbox').selectAll().where('event_id', '=', 'z').execute()
    expect(inbox).toEqual([])
  })

  it('keep what a person did and that they ended, when both come at once', async () => {
    const alert_key = 'f'.repeat(64)
    const claims = await claimed(store, 'race', partition)
    const write = (event: AlertEvent) => claims.write(partition, (tx) => applyEvents(tx, tellBy(store), [event]))
    await write(alertEventOf({ alert_key, event_id: 'race-1' }))
    await Promise.all([
      operate(store, tellBy(store), `${'f'.repeat(32)}.1`, 'ack', 1_100),
      write(alertEventOf({ alert_key, event_id: 'race-2', time: 1_200, status: 'RECOVERED' })),
    ])
    const row = await store.db.selectFrom('alert').selectAll().where('alert_key', '=', alert_key).executeTakeFirst()
    expect(row).toMatchObject({ status: 'RECOVERED', is_ack: 1, version: 3 })
  })

  it("begin side by side for different keys, whatever order those have, and no transaction is another one's deadlock", async () => {
    const write = async (writer: number) => {
      for (let round = 0; round < 25; round += 1) {
        const events = Array.from({ length: 40 }, (_, n) => {
          const serial = (round * 40 + n) * 3 + writer
          const alert_key = String((serial * 7_919) % 99_991)
            .padStart(6, '0')
            .padEnd(64, 'a')
          return alertEventOf({ alert_key, event_id: `beside-${serial}` })
        })
        await store.db.transaction().execute((tx) => applyEvents(tx, tellBy(store), events))
      }
    }
    await Promise.all([0, 1, 2].map(write))
    const begun = store.db.selectFrom('event_inbox').select('outcome').where('event_id', 'like', 'beside-%')
    expect((await begun.execute()).filter(({ outcome }) => outcome === 'open')).toHaveLength(3_000)
  }, 60_000)

  // MariaDB tells a double by its first 15 digits or so: the point would be another when it comes again.
  it('find points to the last digit', async () => {
    const points = [92.27798059999999, 0.1 + 0.2, 5e-324, -1.7976931348623157e308].map((value, time) => ({
      time,
      value,
    }))
    await store.db.transaction().execute((tx) => savePoints(tx, new Map([['series', points]])))
    const found = await loadPoints(store.db, ['series'], { fromSeconds: 0, toSeconds: 10 })
    expect(found.get('series')).toEqual(points)
  })

  // MariaDB tells a sum as text, and 14 and 8 of two rules would be 148.
  it('are counted by numbers in the report', async () => {
    const [rule] = rules
    const source = sources.find(({ bizId, metric }) => bizId === rule?.bizId && metric === rule.metric)
    const series = seriesId(source!.bizId, source!.metric, source!.dimensions)
    const verdict = { series, strategy_id: rule!.strategyId, item_id: 1, severity: 1, value: '1' }
    const verdicts = [1, 0, 1].map((triggered, ts) => ({ ...verdict, ts, triggered }))
    await store.db.transaction().execute((tx) => insertNew(tx, 'check_result', verdicts))
    const input = { sources: firstRows(sources, 5), noDataRules: [], detectDb: store.db, alertDb: store.db }
    const [line] = await readReport({ ...input, rules: rules.slice(0, 1) })
    expect(line).toMatchObject({ rows: 5, accepted: 0, anomalies: 3, triggers: 2 })
  })

  // MySQL's `insert ignore` would cut it to 64 characters, and take 2,147,483,647 for a larger number.
  it('take no value that would not fit as it is, also where rows that are there are passed over', async () => {
    const notice = { receiver: 'ada', channel: 'pager', outcome: 'sent', attempts: 1, sent_at_ms: 1 }
    const add = (change: Partial<Schema['notice']>) =>
      store.db
        .transaction()
        .execute((tx) => insertNew(tx, 'notice', [{ ...notice, notice_id: 'new', ...change }, fitting]))
        .catch(isRefusedForGood)
    const fitting = { ...notice, notice_id: 'fits' }
    expect([await add({ channel: 'x'.repeat(65) }), await add({ attempts: 2 ** 31 })]).toEqual([true, true])
    expect(await store.db.selectFrom('notice').selectAll().execute()).toEqual([])
    expect([await add({}), await add({}), await add({ notice_id: 'another' })]).toEqual([2, 0, 1])
  })

  it('have room for large numbers of tenants and rules, and for what a long window names', async () => {
    const claims = await claimed(store, 'large', partition)
    const large = { bk_biz_id: 3_000_000_000, strategy_id: 7_000_000_000, alert_key: 'c'.repeat(64), event_id: 'large' }
    await claims.write(partition, (tx) => applyEvents(tx, tellBy(store), [alertEventOf(large)]))
    const event = 'x'.repeat(200_000)
    const row = { part: 0, raw_offset: 1, seq: 0, event }
    await store.db.transaction().execute((tx) => insertNew(tx, 'decided_event', [row]))
    expect(await store.db.selectFrom('decided_event').selectAll().execute()).toEqual([row])
  })

  it('tell what they refuse for good from what another time will take', async () => {
    const claims = await claimed(store, 'refused', partition)
    const write = (change: Partial<AlertEvent>) =>
      claims.write(partition, (tx) => applyEvents(tx, tellBy(store), [alertEventOf(change)]))
    const refused = await write({ alert_key: 'e'.repeat(64), event_id: 'long', alert_name: 'x'.repeat(500) }).catch(
      (error: unknown) => error,
    )
    expect(isRefusedForGood(refused)).toBe(true)
    await database.stop()
    const down = await write({ alert_key: 'd'.repeat(64), event_id: 'down' }).catch((error: unknown) => error)
    expect(down).toBeInstanceOf(Error)
    expect(isRefusedForGood(down)).toBe(false)
    await database.start()
    await write({ alert_key: 'd'.repeat(64), event_id: 'down' })
  })
})
