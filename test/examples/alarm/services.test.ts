import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytes, createMessaging, defineTopic, type Messaging } from 'tidemark'
import { memory } from 'tidemark/memory'
import { alert } from '../../../examples/alarm/alert/alert.js'
import { detect } from '../../../examples/alarm/detect/detect.js'
import { rules } from '../../../examples/alarm/rules.js'
import { readSource, sources } from '../../../examples/alarm/sources.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import { alerts, rawEvents, rawEventsDeadLetters } from '../../../examples/alarm/topics.js'
import { expectAlertInvariants } from './invariants.js'
import { freshFolder, readAlerts } from './pipeline.js'

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 1_000; left > 0; left--) {
    if (await condition()) return
    await sleep(20)
  }
  throw new Error('expected within 20 s, did not come')
}

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
    await messaging.ensureTopics([rawEvents, rawEventsDeadLetters, alerts])
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

    const detecting = detect({ messaging, store: detectStore, rules })
    await detecting.start()
    await until(() => detecting.counts().received === rows.length)

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

  it('wait out a database that fails and lose nothing', async () => {
    const rows = (await readSource(sources[2]!)).slice(2_500, 3_500)
    await messaging.producer().sendMany(rawEvents, rows)
    const troubles: string[] = []
    const onTrouble = (error: unknown): void => void troubles.push(String(error))
    const detecting = detect({ messaging, store: detectStore, rules })
    const alerting = alert({ messaging, store: alertStore, onTrouble })
    await alertStore.db.schema.alterTable('alert_log').renameTo('alert_log_away').execute()
    await Promise.all([detecting.start(), alerting.start()])
    await until(() => troubles.length >= 2)
    expect(await readAlerts(alertStore.db)).toEqual([])

    await alertStore.db.schema.alterTable('alert_log_away').renameTo('alert_log').execute()
    await until(
      () => detecting.counts().received === rows.length && alerting.counts().received === detecting.counts().sent,
    )
    expect(alerting.counts().received).toBeGreaterThan(0)
    expect(alerting.counts().repeated).toBe(0)
    await expectAlertInvariants({ detectStore, alertStore })
  })

  it('go on where the database and the group stand when the next instance takes over', async () => {
    const rows = await readSource(sources[3]!)
    const producer = messaging.producer()
    await producer.sendMany(rawEvents, rows.slice(0, 2_000))
    const first = createMessaging({ driver, clientId: 'first' })
    const before = detect({ messaging: first, store: detectStore, rules })
    await before.start()
    await until(() => before.counts().received === 2_000)
    await first.close()

    await producer.sendMany(rawEvents, rows.slice(2_000))
    const after = detect({ messaging, store: detectStore, rules })
    const alerting = alert({ messaging, store: alertStore })
    await Promise.all([after.start(), alerting.start()])
    await until(() => before.counts().received + after.counts().received >= rows.length)
    await until(() => alerting.counts().received === before.counts().sent + after.counts().sent)
    expect(after.counts()).toMatchObject({ received: rows.length - 2_000, repeated: 0 })
    expect(await readAlerts(alertStore.db)).toHaveLength(14)
    await expectAlertInvariants({ detectStore, alertStore })
  })
})
