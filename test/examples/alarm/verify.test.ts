import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sql } from 'kysely'
import { createMessaging, type Messaging } from 'tidemark'
import { memory } from 'tidemark/memory'
import { tellBy } from '../../../examples/alarm/alert/alert.js'
import { operate } from '../../../examples/alarm/alert/operate.js'
import type { Channel } from '../../../examples/alarm/notice/channels.js'
import { runPipeline } from '../../../examples/alarm/run-pipeline.js'
import { firstRows, sources } from '../../../examples/alarm/sources.js'
import type { Tx } from '../../../examples/alarm/store/store.js'
import { closeAll, openAllStores, type Stores } from '../../../examples/alarm/stores.js'
import { referenceOf } from '../../../examples/alarm/verify/converge-invariants.js'
import { readEvidence, type Evidence, type Kept } from '../../../examples/alarm/verify/evidence.js'
import type { Journal, Look } from '../../../examples/alarm/verify/kept.js'
import { formatVerdicts, invariants, verify } from '../../../examples/alarm/verify/verify.js'
import { freshFolder } from './pipeline.js'

/** What is broken of it, each by what would do so: another row of a database, or another record of a topic. */
type Break = (evidence: Mutable) => void | ((tx: Tx) => Promise<unknown>)
type Mutable = { -readonly [Name in keyof Evidence]: Evidence[Name] }

/** Each service has a file of its own, with all tables and its own rows. */
const tablesOf: Readonly<Record<string, readonly (keyof Evidence['tables'])[]>> = {
  detect: ['metric_point', 'check_result'],
  alert: ['event_inbox', 'alert_series', 'alert', 'alert_log'],
  converge: ['converge_instance', 'converge_relation'],
}

const headersOf = (headers: Readonly<Record<string, string>>) => ({
  get: (name: string) => headers[name],
  bytes: () => undefined,
  has: (name: string) => name in headers,
  [Symbol.iterator]: () => [][Symbol.iterator](),
})
const letter = (offset: number, headers: Readonly<Record<string, string>>): Kept<Buffer> => ({
  ...{ partition: 0, offset, id: undefined, headers: headersOf(headers), value: Buffer.alloc(0) },
})
const update = (text: string) => () => (tx: Tx) => sql.raw(text).execute(tx)
const look = (lag: number | null, raiseAt: number, level: number): Look => ({ kind: 'look', lag, raiseAt, level })
const last = <Of>(list: readonly Of[]): Of => list.at(-1)!

const breaks: Readonly<Record<string, readonly [number, Break]>> = {
  'a point is lost': [1, update('delete from metric_point where ts = (select max(ts) from metric_point)')],
  'an event was never taken': [
    1,
    update('delete from event_inbox where event_id = (select min(event_id) from event_inbox)'),
  ],
  'a record that cannot be read has no letter': [
    1,
    ({ topics }) => void topics.rawEvents.push({ ...last(topics.rawEvents), offset: 999_999, value: null }),
  ],
  'an outbox was not sent': [1, (evidence) => void (evidence.untold = 1)],
  'an anomaly that fired is shown by no alert': [
    2,
    update("update alert_log set event_id = null where op_type = 'CONVERGE'"),
  ],
  'a key has a hole in its generations': [
    3,
    update('update alert set generation = generation + 1 where generation = (select max(generation) from alert)'),
  ],
  'two alerts of a key overlap': [3, update('update alert set begin_time = 0 where generation = 2')],
  'a line of the log is missing': [4, update('delete from alert_log where version = 2')],
  'a log goes on behind its end': [
    4,
    update(
      "update alert_log set status = 'RECOVERED' where version = 1 and alert_id in (select alert_id from alert where version > 2)",
    ),
  ],
  'a view of what was told differs from the table': [5, update('update alert set event_count = event_count + 1')],
  'a version is told behind a later one': [
    5,
    ({ topics }) => {
      const first = topics.alertStatus.find(({ value }) => value?.version === 2)!
      topics.alertStatus.unshift({ ...first, value: { ...first.value!, version: 3, event_count: -1 } })
    },
  ],
  'an alert of the reference is missing': [
    6,
    (evidence) => void (evidence.reference = { alerts: ['nobody.1'], windows: {} }),
  ],
  'a notice tells of what was rolled back': [7, update('delete from alert_log where version = 1')],
  'a notice came before its alert could be seen': [
    7,
    (evidence) => void (evidence.journal = evidence.journal!.map((entry) => ({ ...entry, visible: false }))),
  ],
  'a notice had two effects': [8, (evidence) => void (evidence.journal = [...evidence.journal!, ...evidence.journal!])],
  'a group has committed what is not stored': [
    9,
    (evidence) => void (evidence.positions = evidence.positions.map((one) => ({ ...one, next_offset: 0 }))),
  ],
  'a commit is ahead of the points': [
    9,
    update('delete from metric_point where ts = (select min(ts) from metric_point)'),
  ],
  'a change is in a window that is not there': [
    10,
    update('delete from converge_instance where converge_id = (select min(converge_id) from converge_instance)'),
  ],
  'a window counts what it does not hold': [10, update('update converge_instance set skipped = skipped + 1')],
  'a summary is missing': [
    10,
    ({ topics }) => void (topics.notices = topics.notices.filter(({ value }) => value?.signal !== 'summary')),
  ],
  'an inhibited alert is told of': [
    11,
    update("update converge_relation set outcome = 'inhibited' where outcome = 'executed'"),
  ],
  'a change is read twice': [12, ({ topics }) => void topics.convergeInput.push({ ...last(topics.convergeInput) })],
  'an event that never fired is read': [
    12,
    ({ topics }) => {
      const one = topics.alerts.find(({ value }) => value?.status === 'ABNORMAL')!
      topics.alerts.push({ ...one, value: { ...one.value!, event_id: 'never' } })
    },
  ],
  'events of a key were applied in another order': [13, ({ topics }) => void topics.alerts.reverse()],
  'a poison is buried twice': [
    14,
    ({ topics }) => {
      const place = {
        'td-origin-topic': 'raw_events',
        'td-origin-partition': '0',
        'td-origin-offset': '7',
        'td-reason': 'invalid',
      }
      topics.rawEventsDeadLetters.push(letter(0, place), letter(1, place))
    },
  ],
  'a letter has no reason': [14, ({ topics }) => void topics.alertsDeadLetters.push(letter(0, {}))],
  'what matters is put aside': [
    15,
    ({ topics }) =>
      void topics.shed.push({ ...last(topics.rawEvents), value: { ...last(topics.rawEvents).value!, priority: 1 } }),
  ],
  'nobody raises': [
    16,
    (evidence) => void (evidence.journal = [...evidence.journal!, ...[9, 10, 11, 12].map((lag) => look(lag, 10, 0))]),
  ],
  'a process does not end': [
    17,
    (evidence) =>
      void (evidence.journal = [...evidence.journal!, { kind: 'exit', service: 'alert', code: null, ms: 40_000 }]),
  ],
  'a record is left behind': [
    17,
    (evidence) => void (evidence.commits = evidence.commits.map((one) => ({ ...one, offset: 0 }))),
  ],
  'an acknowledgement is lost': [18, update('update alert set is_ack = 0')],
}

describe('npm run alarm -- verify', () => {
  const journal: Journal[number][] = []
  let stores: Stores
  let messaging: Messaging
  let whole: Evidence

  beforeAll(async () => {
    stores = await openAllStores(freshFolder())
    const driver = memory()
    messaging = createMessaging({ driver, clientId: 'verify', logger: 'silent' })
    const told = new Set<string>()
    const channel: Channel = async ({ notice_id, alert_id, version }) => {
      const row = stores.alert.db.selectFrom('alert_log').select('at').where('alert_id', '=', alert_id)
      const visible = (await row.where('version', '=', version).executeTakeFirst()) !== undefined
      journal.push({ kind: 'notice', notice_id, effect: !told.has(notice_id), visible })
      told.add(notice_id)
    }
    const run = () =>
      runPipeline({
        driver,
        stores,
        sources: firstRows(sources, 2_000),
        channels: { pager: channel },
        continues: true,
        logger: 'silent',
      })
    await run()
    // Somebody has one of them. The next lives of the services tell of it.
    const row = await stores.alert.db.selectFrom('alert').select('alert_id').executeTakeFirstOrThrow()
    await operate(stores.alert, tellBy(stores.alert), row.alert_id, 'ack', 1_400_000_000)
    await run()
    whole = await readEvidence(messaging, Object.values(stores), { journal, reference: null })
    whole = { ...whole, reference: referenceOf(whole) }
  }, 240_000)
  afterAll(async () => {
    await messaging?.close()
    await closeAll(Object.values(stores ?? {}))
  })

  it('is content with a run without faults, and says what it cannot see', () => {
    const verdicts = verify(whole)
    expect(verdicts.map(({ number }) => number)).toEqual(Array.from({ length: 18 }, (_, index) => index + 1))
    expect(
      verdicts.filter(({ state }) => state !== 'holds').map(({ number }) => number),
      formatVerdicts(verdicts),
    ).toEqual([16])
    const alone = verify({ ...whole, journal: null, reference: null })
    expect(alone.filter(({ unseen }) => unseen !== undefined).map(({ number }) => number)).toEqual([
      6, 7, 8, 14, 16, 17,
    ])
  })

  it('is content with whoever raises at the third look that saw enough, and counts anew where one could not see', () => {
    const looks = [10, 11, null, 12, 13].map((lag) => look(lag, 10, 0))
    const raised = verify({ ...whole, journal: [...journal, ...looks, look(12, 10, 1), look(40, 10, 1)] })
    expect(raised.find(({ number }) => number === 16)).toMatchObject({ state: 'holds', wrong: [] })
    const unseen = verify({ ...whole, journal: [...journal, ...looks] })
    expect(unseen.find(({ number }) => number === 16)).toMatchObject({ state: 'unseen' })
  })

  it('has something to look at', () => {
    const { tables, topics } = whole
    for (const rows of Object.values(tables)) expect(rows.length).toBeGreaterThan(0)
    expect(topics.notices.length).toBeGreaterThan(10)
  })

  it('tries each invariant', () => {
    const tried = new Set(Object.values(breaks).map(([number]) => number))
    expect(invariants.filter(({ number }) => !tried.has(number)).map(({ number }) => number)).toEqual([])
  })

  it.each(Object.entries(breaks))('finds that %s', async (_what, [number, damage]) => {
    const evidence: Mutable = { ...whole, topics: { ...whole.topics } }
    for (const name of Object.keys(evidence.topics) as (keyof Evidence['topics'])[])
      evidence.topics[name] = [...whole.topics[name]] as never
    const inDatabases = damage(evidence)
    if (inDatabases) {
      class Undo extends Error {}
      const damaged = { ...whole.tables } as Record<string, unknown>
      for (const [service, { db }] of Object.entries(stores)) {
        if (!tablesOf[service]) continue
        await db
          .transaction()
          .execute(async (tx) => {
            await inDatabases(tx)
            for (const table of tablesOf[service]!) damaged[table] = await tx.selectFrom(table).selectAll().execute()
            throw new Undo()
          })
          .catch((error: unknown) => {
            if (!(error instanceof Undo)) throw error
          })
      }
      evidence.tables = damaged as Evidence['tables']
    }
    const { wrong } = invariants.find((one) => one.number === number)!.check(evidence)
    expect(wrong.length).toBeGreaterThan(0)
  })
})
