import { describe, expect, it } from 'vitest'
import { tellBy } from '../../../examples/alarm/alert/alert.js'
import { applyEvents } from '../../../examples/alarm/alert/apply-events.js'
import { operate } from '../../../examples/alarm/alert/operate.js'
import { nextStep } from '../../../examples/alarm/alert/lifecycle.js'
import { alertKey } from '../../../examples/alarm/ids.js'
import type { AlertEvent } from '../../../examples/alarm/topics.js'
import { alertEventOf } from './alert-event.js'
import { freshFolder, openPipeline, readAlerts, readAlertTables } from './pipeline.js'

const key = 'a'.repeat(64)
let serial = 0

const event = (change: Partial<AlertEvent>): AlertEvent =>
  alertEventOf({ alert_key: key, event_id: `event-${++serial}`, ...change })

describe('what an event does to the alerts of its key', () => {
  const none = { open: null, last_end_time: null }
  const ended = { open: null, last_end_time: 900 }
  const open = { open: { severity: 2, latest_time: 1_000 }, last_end_time: 500 }

  it.each([
    ['an anomaly opens', none, event({}), 'open'],
    ['an anomaly after the last end opens the next', ended, event({}), 'open'],
    ['an anomaly from before the last end opens nothing', ended, event({ time: 800 }), 'ignore'],
    ['a recovery without an alert is ignored', none, event({ status: 'RECOVERED' }), 'ignore'],
    ['a severe recovery without an alert opens nothing', none, event({ status: 'RECOVERED', severity: 1 }), 'ignore'],
    ['an equal anomaly is merged', open, event({ time: 1_300 }), 'merge'],
    ['a late anomaly of the last alert is not merged into this one', open, event({ time: 400 }), 'drop'],
    ['a severer anomaly takes over', open, event({ time: 1_300, severity: 1 }), 'escalate'],
    ['a milder anomaly is dropped', open, event({ severity: 3 }), 'drop'],
    ['a recovery ends', open, event({ time: 1_300, status: 'RECOVERED' }), 'end'],
    ['a severe recovery ends and opens nothing', open, event({ time: 1_300, status: 'RECOVERED', severity: 1 }), 'end'],
    ['a close ends', open, event({ time: 1_300, status: 'CLOSED' }), 'end'],
    ['the end of a milder level ends nothing', open, event({ time: 1_300, status: 'RECOVERED', severity: 3 }), 'drop'],
    ['an end older than the newest anomaly ends nothing', open, event({ time: 900, status: 'RECOVERED' }), 'drop'],
  ])('%s', (_promise, state, incoming, expected) => {
    expect(nextStep(state, incoming).do).toBe(expected)
  })
})

describe('alerts in the database', () => {
  it('shows an escalation as the end of one generation and the begin of the next', async () => {
    const pipeline = await openPipeline(freshFolder())
    await pipeline.apply([
      event({ time: 1_000, anomaly_time: 900 }),
      event({ time: 1_300, severity: 1 }),
      event({ time: 1_600, severity: 2 }),
      event({ time: 1_900, status: 'RECOVERED', severity: 1 }),
    ])
    const rows = await readAlerts(pipeline.alertStore.db)
    expect(rows.map((row) => [row.generation, row.severity, row.status, row.begin_time, row.end_time])).toEqual([
      [1, 2, 'CLOSED', 1_000, 1_300],
      [2, 1, 'RECOVERED', 1_300, 1_900],
    ])
    const { alert_log } = await readAlertTables(pipeline.alertStore)
    expect(alert_log).toMatchObject([
      { op_type: 'CREATE' },
      { op_type: 'CLOSE', event_id: null },
      { op_type: 'CREATE' },
      { op_type: 'EVENT_DROP' },
      { op_type: 'RECOVER' },
    ])
    await pipeline.close()
  })

  it('widens an alert by a late event and never moves its newest time back', async () => {
    const pipeline = await openPipeline(freshFolder())
    await pipeline.apply([event({ time: 1_000 }), event({ time: 700, anomaly_time: 600 })])
    const [row] = await readAlerts(pipeline.alertStore.db)
    expect(row).toMatchObject({ begin_time: 700, latest_time: 1_000, first_anomaly_time: 600, event_count: 2 })
    await pipeline.close()
  })

  it('takes more events at once than a statement takes values, also where each ends an alert and begins another', async () => {
    const pipeline = await openPipeline(freshFolder())
    const all = (change: Partial<AlertEvent>) =>
      Array.from({ length: 2_000 }, (_, n) =>
        event({ alert_key: String(n).padStart(4, '0').padEnd(64, '0'), ...change }),
      )
    expect(new Set(await pipeline.apply(all({ severity: 3 })))).toEqual(new Set(['open']))
    expect(new Set(await pipeline.apply(all({ severity: 1, time: 1_300 })))).toEqual(new Set(['escalate']))
    const { db } = pipeline.alertStore
    const open = await db.selectFrom('alert').select('alert_id').where('open_marker', '=', 1).execute()
    expect([open.length, new Set(open.map(({ alert_id }) => alert_id.slice(-2)))]).toEqual([2_000, new Set(['.2'])])
    await pipeline.close()
  })

  it('leaves nothing of a batch when one event of it fails', async () => {
    const pipeline = await openPipeline(freshFolder())
    const broken = event({ alert_name: null as unknown as string, alert_key: 'b'.repeat(64) })
    await expect(pipeline.apply([event({}), broken])).rejects.toThrow()
    expect((await readAlertTables(pipeline.alertStore))['event_inbox']).toEqual([])
    expect(await readAlerts(pipeline.alertStore.db)).toEqual([])
    await pipeline.close()
  })

  it('refuses a second open alert of a key', async () => {
    const pipeline = await openPipeline(freshFolder())
    const { db } = pipeline.alertStore
    const tell = tellBy(pipeline.alertStore)
    const write = (events: AlertEvent[]) => db.transaction().execute((tx) => applyEvents(tx, tell, events))
    await pipeline.apply([event({})])
    // What two writers without the key's lock would do: the second does not see the first one's alert.
    await db.updateTable('alert_series').set({ current_alert_id: null }).execute()
    await expect(write([event({ time: 1_300 })])).rejects.toThrow(/UNIQUE/i)
    expect(await readAlerts(db)).toHaveLength(1)
    await pipeline.close()
  })
})

describe('alert keys', () => {
  const identity = { bizId: 1, strategyId: 1, targetType: '', target: '' }

  it('tells swapped dimension values apart', () => {
    const one = alertKey('t', identity, { src: 'A', dst: 'B' })
    expect(alertKey('t', identity, { src: 'B', dst: 'A' })).not.toBe(one)
    expect(alertKey('t', identity, { dst: 'B', src: 'A' })).toBe(one)
  })

  it('tells parts apart that read the same when joined', () => {
    const one = alertKey('t', identity, { ab: 'c' })
    expect(alertKey('t', identity, { a: 'bc' })).not.toBe(one)
  })
})

describe('what a person does to an alert', () => {
  const openOne = async () => {
    const pipeline = await openPipeline(freshFolder())
    await pipeline.apply([event({})])
    const [row] = await readAlerts(pipeline.alertStore.db)
    const tell = tellBy(pipeline.alertStore)
    const ack = () => operate(pipeline.alertStore, tell, row?.alert_id ?? '', 'ack', 1_200)
    const recover = () => pipeline.apply([event({ time: 1_300, status: 'RECOVERED' })])
    return { pipeline, ack, recover }
  }

  it.each([
    [
      'before',
      async (ack: () => Promise<unknown>, recover: () => Promise<unknown>) => void (await ack(), await recover()),
    ],
    [
      'after',
      async (ack: () => Promise<unknown>, recover: () => Promise<unknown>) => void (await recover(), await ack()),
    ],
    [
      'at the time of',
      (ack: () => Promise<unknown>, recover: () => Promise<unknown>) => Promise.all([ack(), recover()]),
    ],
  ])('is kept %s a recovery, and so is the recovery', async (_when, race) => {
    const { pipeline, ack, recover } = await openOne()
    await race(ack, recover)
    const [row] = await readAlerts(pipeline.alertStore.db)
    expect(row).toMatchObject({ status: 'RECOVERED', is_ack: 1, version: 3 })
    const { alert_log } = await readAlertTables(pipeline.alertStore)
    expect(alert_log).toMatchObject([{ version: 1 }, { version: 2 }, { version: 3 }])
    expect(await ack()).toBe(false)
    await pipeline.close()
  })
})
