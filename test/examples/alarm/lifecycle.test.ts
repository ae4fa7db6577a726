import { describe, expect, it } from 'vitest'
import { applyEvent } from '../../../examples/alarm/alert/apply-event.js'
import { nextStep } from '../../../examples/alarm/alert/lifecycle.js'
import { alertKey } from '../../../examples/alarm/ids.js'
import type { AlertEvent } from '../../../examples/alarm/topics.js'
import { freshFolder, openPipeline, readAlerts, readAlertTables } from './pipeline.js'

const key = 'a'.repeat(64)
let serial = 0

const event = (change: Partial<AlertEvent>): AlertEvent => ({
  event_id: `event-${++serial}`,
  alert_key: key,
  plugin_id: 'test',
  strategy_id: 1,
  alert_name: 'test',
  description: '',
  severity: 2,
  status: 'ABNORMAL',
  tags: [],
  target_type: '',
  target: '',
  metric: [],
  category: '',
  data_type: 'time_series',
  dedupe_keys: [],
  time: 1_000,
  anomaly_time: 1_000,
  bk_biz_id: 2,
  bk_tenant_id: 'default',
  extra_info: {
    origin_alarm: {
      anomaly_id: '',
      data: { record_id: '', time: 0, value: 0, dimensions: {} },
      trigger: { level: 2, anomaly_ids: [] },
      strategy_snapshot_key: '',
    },
  },
  ...change,
})

describe('what an event does to the alerts of its key', () => {
  const none = { open: null, lastEndTime: null }
  const ended = { open: null, lastEndTime: 900 }
  const open = { open: { severity: 2, latestTime: 1_000 }, lastEndTime: 500 }

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
    await pipeline.apply([event({})])
    // What two writers without the key's lock would do: the second does not see the first one's alert.
    await db.updateTable('alert_series').set({ current_alert_id: null }).execute()
    await expect(db.transaction().execute((tx) => applyEvent(tx, event({ time: 1_300 })))).rejects.toThrow(/UNIQUE/i)
    expect(await readAlerts(db)).toHaveLength(1)
    await pipeline.close()
  })
})

describe('alert keys', () => {
  const identity = { tenantId: 't', bizId: 1, strategyId: 1, targetType: '', target: '' }

  it('tells swapped dimension values apart', () => {
    const one = alertKey({ ...identity, dimensions: { src: 'A', dst: 'B' } })
    expect(alertKey({ ...identity, dimensions: { src: 'B', dst: 'A' } })).not.toBe(one)
    expect(alertKey({ ...identity, dimensions: { dst: 'B', src: 'A' } })).toBe(one)
  })

  it('tells parts apart that read the same when joined', () => {
    const one = alertKey({ ...identity, dimensions: { ab: 'c' } })
    expect(alertKey({ ...identity, dimensions: { a: 'bc' } })).not.toBe(one)
  })
})
