import { join } from 'node:path'
import { sqlPositions } from 'tidemark/sql'
import { tellBy } from '../../../examples/alarm/alert/alert.js'
import { applyEvents, type EventFate } from '../../../examples/alarm/alert/apply-events.js'
import { judgeBatch } from '../../../examples/alarm/detect/judge-batch.js'
import { noDataRules, rules } from '../../../examples/alarm/rules.js'
import type { Schema } from '../../../examples/alarm/store/schema.js'
import { openStore, type Store, type Tx } from '../../../examples/alarm/store/store.js'
import type { AlertEvent, RawEvent } from '../../../examples/alarm/topics.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

export function freshFolder(): string {
  return temporaryFolder('alarm')
}

/** detect and alert without Kafka between them: the same transactions, batch by batch. */
export interface Pipeline {
  readonly detectStore: Store
  readonly alertStore: Store
  /** Judges, hands the events on and stores, as one batch of detect. */
  run(batch: readonly RawEvent[]): Promise<AlertEvent[]>
  /** The same, dying after the transaction of detect and before anything is said. */
  runAndDieBeforeSending(batch: readonly RawEvent[]): Promise<AlertEvent[]>
  apply(events: readonly AlertEvent[]): Promise<EventFate[]>
  close(): Promise<void>
}

export async function openPipeline(folder: string): Promise<Pipeline> {
  const detectStore = await openStore(join(folder, 'detect.db'))
  const alertStore = await openStore(join(folder, 'alert.db'))
  const [ofDetect, ofAlert] = [
    { topic: 'raw_events', partition: 0 },
    { topic: 'alerts', partition: 0 },
  ]
  const detectClaims = await claimed(detectStore, 'detect', ofDetect)
  const alertClaims = await claimed(alertStore, 'alert', ofAlert)
  const tell = tellBy(alertStore)
  let committed = 0
  let alertOffset = 0

  const apply = async (events: readonly AlertEvent[]): Promise<EventFate[]> => {
    alertOffset += events.length
    return alertClaims.write(ofAlert, (tx) => applyEvents(tx, tell, events), alertOffset)
  }
  const offsets = new Map<string, number>()
  const judge = async (batch: readonly RawEvent[]): Promise<AlertEvent[]> => {
    const arrived = batch.map((value) => {
      const offset = offsets.get(value.event_id) ?? offsets.size
      offsets.set(value.event_id, offset)
      return { partition: 0, offset, value }
    })
    const judged = await judgeBatch(detectStore.db, { rules, noDataRules }, arrived)
    await detectClaims.write(ofDetect, (tx) => judged.save(tx, committed), offsets.size)
    return judged.events.map(({ event }) => event)
  }
  return {
    detectStore,
    alertStore,
    apply,
    runAndDieBeforeSending: judge,
    run: async (batch) => {
      const events = await judge(batch)
      if (events.length > 0) await apply(events)
      // As Kafka's commit behind it.
      committed = offsets.size
      return events
    },
    close: async () => {
      await detectStore.close()
      await alertStore.close()
    },
  }
}

/** As a service that was given the partition writes for it. */
export async function claimed(
  { db }: Store,
  group: string,
  partition: { readonly topic: string; readonly partition: number },
) {
  const positions = sqlPositions(db, { group })
  await positions.take([{ ...partition, committed: null }])
  const call = { signal: new AbortController().signal }
  return {
    write: <Result>(of: typeof partition, work: (tx: Tx) => Promise<Result>, next: number | null = null) =>
      positions.transaction(call, of, next, work),
  }
}

export function batches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** What two runs over the same input must agree on; offsets and epochs count tries and are left out. */
export async function readTables({ detectStore, alertStore }: Pipeline): Promise<Record<string, unknown[]>> {
  return {
    metric_point: await detectStore.db.selectFrom('metric_point').selectAll().orderBy('series').orderBy('ts').execute(),
    check_result: await detectStore.db
      .selectFrom('check_result')
      .selectAll()
      .orderBy('strategy_id')
      .orderBy('severity')
      .orderBy('ts')
      .execute(),
    rule_state: await detectStore.db.selectFrom('rule_state').selectAll().orderBy('strategy_id').execute(),
    ...(await readAlertTables(alertStore)),
  }
}

export async function readAlertTables({ db }: Store): Promise<Record<string, unknown[]>> {
  return {
    event_inbox: await db.selectFrom('event_inbox').selectAll().orderBy('event_id').execute(),
    alert_series: await db.selectFrom('alert_series').selectAll().orderBy('alert_key').execute(),
    alert: await readAlerts(db),
    alert_log: await db.selectFrom('alert_log').selectAll().orderBy('alert_id').orderBy('version').execute(),
  }
}

export function readAlerts(db: Store['db']): Promise<Schema['alert'][]> {
  return db.selectFrom('alert').selectAll().orderBy('alert_id').execute() as unknown as Promise<Schema['alert'][]>
}
