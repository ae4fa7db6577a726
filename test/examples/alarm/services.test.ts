import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { bytes, createMessaging, defineTopic, type Messaging } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { schemaRegistry } from 'tidemark/registry'
import { memoryRegistry } from 'tidemark/testing'
import { alert } from '../../../examples/alarm/alert/alert.js'
import { Intake } from '../../../examples/alarm/access/intake.js'
import { avroTopics } from '../../../examples/alarm/avro-topics.js'
import { disorderSeconds } from '../../../examples/alarm/access/arrivals.js'
import { detect } from '../../../examples/alarm/detect/detect.js'
import { noDataRules, rules } from '../../../examples/alarm/rules.js'
import { firstRows, readSource, sources } from '../../../examples/alarm/sources.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import { alerts, jsonTopics, rawEvents, rawEventsDeadLetters, type RawEvent } from '../../../examples/alarm/topics.js'
import { alertEventOf } from './alert-event.js'
import { committedEvents, eventsWithoutFaults, fillRawEvents } from './committed-events.js'
import { expectAlertInvariants } from './invariants.js'
import { freshFolder, readAlerts } from './pipeline.js'

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 3_000; left > 0; left--) {
    if (await condition()) return
    await sleep(20)
  }
  throw new Error('expected within a minute, did not come')
}

/** Rows, without what access says of the time. */
const rowsOf = (service: ReturnType<typeof detect>): number => {
  const { accepted, repeated, conflicts } = service.counts()
  return accepted + repeated + conflicts
}

/** Nothing that is not later than the row is still to come. */
const timeBehind = (row: RawEvent | undefined): number => (row?.timestamp ?? 0) + 2 * disorderSeconds

/** Kafka's code for offsets that it will never take: the transaction is aborted. */
const invalidCommitOffsetSize = 28

describe('the services on the in-process Kafka', () => {
  const anything = defineTopic({ name: rawEvents.name, value: bytes() })
  let driver: ReturnType<typeof memory>
  let detectStore: Store
  let alertStore: Store
  let messaging: Messaging

  beforeEach(async () => {
    const folder = freshFolder()
    driver = memory()
    detectStore = await openStore(join(folder, 'detect.db'))
    alertStore = await openStore(join(folder, 'alert.db'))
    messaging = createMessaging({ driver, clientId: 'test' })
    await messaging.ensureTopics(Object.values(jsonTopics))
  })
  afterEach(async () => {
    await messaging.close()
    await detectStore.close()
    await alertStore.close()
  })

  it('put what cannot be read aside and judge its neighbours', async () => {
    const rows = (await readSource(sources[3]!)).slice(0, 300)
    const producer = messaging.producer()
    const partition = (await producer.send(rawEvents, rows[0]!)).partition
    const notANumber = JSON.stringify({ ...rows[1], raw_data: { ...rows[1]!.raw_data, value: 'NaN' } })
    for (const poison of ['{"event_id":', '{}', notANumber]) {
      await producer.send(anything, Buffer.from(poison), { partition })
    }
    await producer.sendMany(rawEvents, rows.slice(1))
    await new Intake({ messaging }).tellTime(timeBehind(rows.at(-1)))

    const detecting = detect({ messaging, store: detectStore, rules, noDataRules })
    await detecting.start()
    await until(() => rowsOf(detecting) === rows.length)

    const aside: string[] = []
    const reader = messaging.consumer({
      group: null,
      topics: [rawEventsDeadLetters],
      handle: (message) => void aside.push(`${message.headers.get('td-reason')}: ${String(message.value)}`),
    })
    await reader.start()
    await until(() => aside.length === 3)
    expect(aside).toEqual(['undecodable: {"event_id":', 'invalid: {}', `invalid: ${notANumber}`])
    expect(detecting.counts()).toMatchObject({ accepted: rows.length, repeated: 0, conflicts: 0 })
  })

  it('do not take it for late what comes when access was away for a while', async () => {
    const rows = (await readSource(sources[3]!)).slice(0, 100)
    await messaging.producer().sendMany(rawEvents, rows)
    await new Intake({ messaging }).tellTime(rows.at(-1)!.timestamp)
    const detecting = detect({ messaging, store: detectStore, rules, noDataRules })
    await detecting.start()
    // The last ones may be before others yet: a row is due when ten minutes are over by what access said.
    const due = rows.filter(({ timestamp }) => timestamp < rows.at(-1)!.timestamp - disorderSeconds).length
    await until(() => rowsOf(detecting) >= due)
    await sleep(7_000)
    expect(rowsOf(detecting)).toBe(due)
    await new Intake({ messaging }).tellTime(timeBehind(rows.at(-1)))
    await until(() => rowsOf(detecting) === rows.length)
  })

  it.each(['cp', 'transactional'] as const)(
    'put aside what the database refuses for good, alone, and judge its neighbours, as %s',
    async (profile) => {
      const rows = (await readSource(sources[3]!)).slice(0, 300)
      // SQLite takes whatever comes, so a rule stands for what other databases refuse.
      const rule = sql`create trigger refuse before insert on metric_point when new.ts = ${sql.lit(rows[150]!.timestamp)}
        begin select raise(abort, 'CHECK constraint failed: value'); end`
      await rule.execute(detectStore.db)
      await messaging.producer().sendMany(rawEvents, rows)
      await new Intake({ messaging }).tellTime(timeBehind(rows.at(-1)))
      const life = createMessaging({ driver, clientId: 'detect', profile, logger: 'silent' })
      const detecting = detect({ messaging: life, store: detectStore, rules, noDataRules, profile })
      await detecting.start()
      const aside: string[] = []
      const reader = messaging.consumer({
        group: null,
        topics: [rawEventsDeadLetters],
        handle: ({ value }) => void aside.push(String(value)),
      })
      await reader.start()
      await until(() => aside.length > 0 && rowsOf(detecting) >= rows.length - 1)
      await life.close()
      expect(aside.map((text) => JSON.parse(text))).toEqual([rows[150]])
      const points = await detectStore.db.selectFrom('metric_point').select('ts').execute()
      expect(points).toHaveLength(rows.length - 1)
    },
  )

  it('wait out a database that fails and lose nothing', async () => {
    const rows = (await readSource(sources[2]!)).slice(2_500, 3_500)
    await messaging.producer().sendMany(rawEvents, rows)
    await new Intake({ messaging }).tellTime(timeBehind(rows.at(-1)))
    const troubles: string[] = []
    const onTrouble = (error: unknown): void => void troubles.push(String(error))
    const detecting = detect({ messaging, store: detectStore, rules, noDataRules })
    const alerting = alert({ messaging, store: alertStore, onTrouble })
    await alertStore.db.schema.alterTable('alert_log').renameTo('alert_log_away').execute()
    await Promise.all([detecting.start(), alerting.start()])
    await until(() => troubles.length >= 2)
    expect(await readAlerts(alertStore.db)).toEqual([])

    await alertStore.db.schema.alterTable('alert_log_away').renameTo('alert_log').execute()
    await until(() => rowsOf(detecting) === rows.length && alerting.counts().received === detecting.counts().sent)
    expect(alerting.counts().received).toBeGreaterThan(0)
    expect(alerting.counts().repeated).toBe(0)
    await expectAlertInvariants({ detectStore, alertStore })
  })

  it('change from JSON to Avro while they run, and find the same', async () => {
    const rows = (await readSource(sources[2]!)).slice(2_500, 3_500)
    const server = memoryRegistry()
    const topics = await avroTopics(schemaRegistry({ transport: server }))
    const producer = messaging.producer()
    await producer.sendMany(rawEvents, rows.slice(0, 500))
    const detecting = detect({ messaging, store: detectStore, topics, rules, noDataRules })
    const alerting = alert({ messaging, store: alertStore, topics })
    await Promise.all([detecting.start(), alerting.start()])
    await producer.sendMany(topics.rawEvents, rows.slice(500))
    await new Intake({ messaging, topics }).tellTime(timeBehind(rows.at(-1)))
    await until(() => rowsOf(detecting) === rows.length && alerting.counts().received === detecting.counts().sent)
    expect(detecting.counts()).toMatchObject({ accepted: rows.length, conflicts: 0 })
    expect(alerting.counts().received).toBeGreaterThan(0)
    await expectAlertInvariants({ detectStore, alertStore })
    expect(server.requests.filter((request) => request.startsWith('POST'))).toEqual([
      'POST /subjects/raw_events-value/versions',
      'POST /subjects/alerts-value/versions',
    ])

    const first: number[] = []
    const reader = messaging.consumer({
      group: null,
      topics: [anything, defineTopic({ name: alerts.name, value: bytes() })],
      from: 'earliest',
      handle: ({ topic, value }) => void (topic === alerts.name && first.push(value[0] ?? -1)),
    })
    await reader.start()
    await until(() => first.length === detecting.counts().sent)
    // Each event is Avro: a zero byte, and the id of its schema.
    expect(new Set(first)).toEqual(new Set([0]))
  })

  it('go on where the database and the group stand when the next instance takes over', async () => {
    const rows = await readSource(sources[3]!)
    const producer = messaging.producer()
    await producer.sendMany(rawEvents, rows.slice(0, 2_000))
    await new Intake({ messaging }).tellTime(timeBehind(rows[1_999]))
    const first = createMessaging({ driver, clientId: 'first' })
    const before = detect({ messaging: first, store: detectStore, rules, noDataRules })
    await before.start()
    await until(() => rowsOf(before) === 2_000)
    await first.close()

    await producer.sendMany(rawEvents, rows.slice(2_000))
    await new Intake({ messaging }).tellTime(timeBehind(rows.at(-1)))
    const after = detect({ messaging, store: detectStore, rules, noDataRules })
    const alerting = alert({ messaging, store: alertStore })
    await Promise.all([after.start(), alerting.start()])
    await until(() => rowsOf(before) + rowsOf(after) >= rows.length)
    await until(() => alerting.counts().received === before.counts().sent + after.counts().sent)
    expect(after.counts().accepted).toBe(rows.length - 2_000)
    expect(await readAlerts(alertStore.db)).toHaveLength(14)
    await expectAlertInvariants({ detectStore, alertStore })
  })

  it('lose and double nothing when partitions go from one instance to another and back while events come', async () => {
    const events = Array.from({ length: 600 }, (_, n) =>
      alertEventOf({
        alert_key: String(n % 60)
          .padStart(2, '0')
          .repeat(32),
        event_id: `e-${n}`,
        time: 1_000 + n,
      }),
    )
    const troubles: string[] = []
    const begin = async (name: string) => {
      const life = createMessaging({ driver, clientId: name, logger: 'silent' })
      const onTrouble = (error: unknown): void => void troubles.push(String(error))
      const alerting = alert({ messaging: life, store: alertStore, onTrouble })
      await alerting.start()
      return { life, alerting }
    }
    const producer = messaging.producer()
    const first = await begin('first')
    await producer.sendMany(alerts, events.slice(0, 200))
    await until(() => first.alerting.counts().received > 0)
    const second = await begin('second')
    await producer.sendMany(alerts, events.slice(200, 400))
    await until(() => second.alerting.counts().received > 0)
    await first.life.close()
    await producer.sendMany(alerts, events.slice(400))
    const stored = async () => (await alertStore.db.selectFrom('event_inbox').select('event_id').execute()).length
    await until(async () => (await stored()) === events.length)
    await second.life.close()
    const rows = await readAlerts(alertStore.db)
    expect(rows.map(({ event_count, version }) => [event_count, version])).toEqual(Array(60).fill([10, 10]))
    expect(troubles).toEqual([])
  })

  it('end where a topic is made anew under them, and their next life says what happens there', async () => {
    const stopped: Error[] = []
    const live = async () => {
      const life = createMessaging({ driver, clientId: 'detect', logger: 'silent' })
      const onStopped = (error: Error): void => void stopped.push(error)
      const detecting = detect({ messaging: life, store: detectStore, rules, noDataRules: [], onStopped })
      await detecting.start()
      return { life, detecting }
    }
    await fillRawEvents(driver, freshFolder(), [sources[2]!])
    const first = await live()
    await until(() => first.detecting.lag() === 0 && rowsOf(first.detecting) >= 4_032)
    await first.life.close()
    // What was out when it came it knows by commits of a topic that goes.
    const second = await live()
    await until(() => second.detecting.lag() === 0)
    await messaging.admin.deleteTopics([rawEvents.name])
    await fillRawEvents(driver, freshFolder(), [sources[3]!])
    await until(() => stopped.length > 0)
    await second.life.close()
    expect(stopped[0]).toMatchObject({ code: 'topic-recreated' })
    const { life, detecting } = await live()
    await until(() => rowsOf(detecting) >= 4_032)
    await life.close()
    expect(detecting.counts()).toMatchObject({ conflicts: 0, sent: 30 })
  })
})

describe('detect in transactions', () => {
  /** The first anomalies of the machine are there. */
  const some = firstRows([sources[0]!], 2_400)
  /** One life that judges all there is, with the database of the folder. */
  const live = async (driver: ReturnType<typeof memory>, folder: string) => {
    const store = await openStore(join(folder, 'detect.db'))
    const messaging = createMessaging({ driver, clientId: 'detect', profile: 'transactional', logger: 'silent' })
    const detecting = detect({ messaging, store, rules, noDataRules, profile: 'transactional' })
    await detecting.start()
    await until(() => detecting.lag() === 0)
    await messaging.close()
    await store.close()
    return detecting.counts()
  }

  it('says each event once, however often it is taken over and its transactions are lost', async () => {
    const expected = await eventsWithoutFaults(freshFolder(), some)
    expect(expected.length).toBeGreaterThan(30)
    expect(new Set(expected).size).toBe(expected.length)

    const cluster = createMemoryCluster()
    const driver = memory({ cluster })
    const folder = freshFolder()
    await fillRawEvents(driver, folder, some)
    const store = await openStore(join(folder, 'detect.db'))
    const lives: { readonly messaging: Messaging; readonly detecting: ReturnType<typeof detect> }[] = []
    const begin = async () => {
      const life = createMessaging({ driver, clientId: 'detect', profile: 'transactional', logger: 'silent' })
      const options = { messaging: life, store, rules, noDataRules, groupInstanceId: 'detect-1' }
      const detecting = detect({ ...options, profile: 'transactional' })
      lives.push({ messaging: life, detecting })
      await detecting.start()
      return detecting
    }
    cluster.faults.failNext({ api: 'txnOffsetCommit' }, invalidCommitOffsetSize)
    for (let life = 0; life < 3; life++) {
      cluster.faults.loseNextAnswer({ api: 'endTxn' })
      const detecting = await begin()
      // Without a farewell: the next one takes its place while it works.
      await until(() => detecting.counts().received > 0)
    }
    const last = await begin()
    await until(() => last.lag() === 0)
    // What is judged is committed by the end.
    for (const { messaging } of lives) await messaging.close()
    expect(await committedEvents(driver)).toEqual(expected)
    // What was judged in vain came again.
    expect(lives.some(({ detecting }) => detecting.counts().repeated > 0)).toBe(true)
    await store.close()
  })

  it('says what happens in a topic that was made anew, though the one before was longer', async () => {
    const driver = memory()
    const store = await openStore(join(freshFolder(), 'detect.db'))
    const run = async () => {
      const messaging = createMessaging({ driver, clientId: 'detect', profile: 'transactional', logger: 'silent' })
      const detecting = detect({ messaging, store, rules, noDataRules, profile: 'transactional' })
      await detecting.start()
      await until(() => detecting.lag() === 0)
      await messaging.close()
      return detecting.counts()
    }
    await fillRawEvents(driver, freshFolder(), [sources[2]!])
    expect((await run()).sent).toBeGreaterThan(0)
    expect((await run()).sent).toBe(0)
    const admin = createMessaging({ driver, clientId: 'admin', logger: 'silent' })
    await admin.admin.deleteTopics([rawEvents.name])
    await admin.close()
    // The same tenant: the same partition.
    await fillRawEvents(driver, freshFolder(), [sources[3]!])
    expect(await run()).toMatchObject({ conflicts: 0, sent: 30 })
    await store.close()
  })

  it('with a database of its own reads what it missed, and says nothing of that again', async () => {
    const driver = memory()
    const rows = await fillRawEvents(driver, freshFolder(), [sources[4]!])
    const first = await live(driver, freshFolder())
    const events = await committedEvents(driver)
    expect(events).toHaveLength(16)
    const second = await live(driver, freshFolder())
    expect(second).toMatchObject({ accepted: rows - second.conflicts, sent: 0 })
    expect(second.accepted).toBe(first.accepted)
    expect(await committedEvents(driver)).toEqual(events)
  })

  it('with a database of its own reads all of a topic that was made anew while another had it, and says nothing of that again', async () => {
    const driver = memory()
    const folders = [freshFolder(), freshFolder()] as const
    await fillRawEvents(driver, freshFolder(), [sources[2]!])
    await live(driver, folders[0])
    const admin = createMessaging({ driver, clientId: 'admin', logger: 'silent' })
    await admin.admin.deleteTopics([rawEvents.name])
    await admin.close()
    await fillRawEvents(driver, freshFolder(), [sources[3]!])
    const other = await live(driver, folders[1])
    expect(other.sent).toBe(30)
    expect(await live(driver, folders[0])).toMatchObject({ accepted: other.accepted, conflicts: 0, sent: 0 })
  })
})
